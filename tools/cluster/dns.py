"""The cluster's name server: answers *.cluster.local from Services and Endpoints, and nothing else.

Names follow the Kubernetes DNS specification 1.1 (kubernetes/dns, docs/specification.md). Names of the outside do not
exist here: nothing in the cluster can leave the machine anyway.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from dnslib import CNAME, QTYPE, RCODE, RR, SRV, A, DNSRecord  # type: ignore[import-untyped]
from dnslib.server import BaseResolver, DNSServer  # type: ignore[import-untyped]

from tools.cluster.api import Api
from tools.cluster.layout import DOMAIN, NODE_ADDRESS

_SECONDS = 5
_SUFFIX = f".svc.{DOMAIN}"

Records = list[tuple[str, str]]  # kind (A, SRV, CNAME) and value


@dataclass
class Zone:
    """What the names mean now; `services` and `endpoints` are keyed by namespace/name."""

    services: dict[str, Any] = field(default_factory=dict)
    endpoints: dict[str, Any] = field(default_factory=dict)

    def find(self, name: str) -> Records | None:
        """Find the records of a name; nothing where no such name exists."""
        if not name.endswith(_SUFFIX):
            return None
        labels = name.removesuffix(_SUFFIX).split(".")
        host, found = labels[:-2], self.services.get("/".join(reversed(labels[-2:])))
        if found is None or len(host) > 2:
            return None
        if len(host) == 2:
            return self._ports(found, name, host) or None
        if host:
            return [("A", ip) for key, ip in self._addresses(found) if key == host[0]] or None
        return self._service(found)

    def _service(self, service: dict[str, Any]) -> Records | None:
        spec = service["spec"]
        if spec.get("externalName"):
            return [("CNAME", spec["externalName"])]
        if spec.get("clusterIP") not in (None, "", "None"):
            return [("A", spec["clusterIP"])]
        return [("A", ip) for _, ip in self._addresses(service)] or None

    def _addresses(self, service: dict[str, Any]) -> Iterator[tuple[str, str]]:
        """Host label and address of every endpoint of a service."""
        for subset in self._subsets(service):
            for address in subset.get("addresses") or []:
                yield address.get("hostname") or address["ip"].replace(".", "-"), address["ip"]

    def _ports(self, service: dict[str, Any], name: str, host: list[str]) -> Records:
        port_name, protocol = host[0].removeprefix("_"), host[1].removeprefix("_").upper()
        target = name.split(".", 2)[2]
        ports = [
            port
            for subset in self._subsets(service)
            for port in subset.get("ports") or []
            if port.get("name") == port_name and port.get("protocol", "TCP") == protocol
        ]
        return [("SRV", f"{port['port']} {key}.{target}") for port in ports for key, _ in self._addresses(service)]

    def _subsets(self, service: dict[str, Any]) -> list[dict[str, Any]]:
        meta = service["metadata"]
        return self.endpoints.get(f"{meta['namespace']}/{meta['name']}", {}).get("subsets") or []


class Resolver(BaseResolver):  # type: ignore[misc]
    """Turns a question into an answer of the zone."""

    def __init__(self, zone: Zone) -> None:
        self._zone = zone

    def resolve(self, request: DNSRecord, handler: object) -> DNSRecord:
        """Answer; NXDOMAIN for a name that does not exist, an empty one for a kind that the name lacks."""
        reply = request.reply()
        asked = str(request.q.qname).rstrip(".").lower()
        found = self._zone.find(asked)
        if found is None:
            reply.header.rcode = RCODE.NXDOMAIN
        wanted = QTYPE[request.q.qtype]
        for kind, value in found or []:
            if kind in (wanted, "CNAME") or wanted == "ANY":
                reply.add_answer(RR(request.q.qname, getattr(QTYPE, kind), rdata=_data(kind, value), ttl=_SECONDS))
        return reply


def _data(kind: str, value: str) -> object:
    if kind == "SRV":
        port, target = value.split(" ")
        return SRV(0, 100, int(port), target)
    return A(value) if kind == "A" else CNAME(value)


def serve() -> None:
    """Answer at the node's address, by UDP and TCP, until ended."""
    zone, api = Zone(), Api()
    for tcp in (False, True):
        DNSServer(Resolver(zone), address=NODE_ADDRESS, port=53, tcp=tcp, logger=_Silent()).start_thread()
    threading.Thread(target=_keep, args=(api, zone, "endpoints"), daemon=True).start()
    _keep(api, zone, "services")


def _keep(api: Api, zone: Zone, kind: str) -> None:
    for objects in api.follow(f"/api/v1/{kind}"):
        setattr(zone, kind, dict(objects))


class _Silent:
    """dnslib's logger interface; one line a question would only fill the log."""

    def __getattr__(self, name: str) -> object:
        return lambda *_: None


if __name__ == "__main__":
    serve()
