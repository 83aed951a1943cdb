"""Keeps the Secrets with the CA and the servers' certificate of a VaultCluster in order; ``tls.py`` decides."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from strongroom_operator import tls
from strongroom_operator.errors import GiveUp
from strongroom_operator.kube import SECRET, Kube
from strongroom_operator.resources import Cluster, owned, server_names, unowned
from strongroom_operator.tls import Held, Pair


@dataclass(frozen=True)
class Certificates:
    """What clients trust (PEM), the serial of the servers' certificate, and what was renewed, in words."""

    bundle: str = ""
    serial: str = ""
    changes: tuple[str, ...] = ()


async def keep(kube: Kube, cluster: Cluster, now: float) -> Certificates:
    """Issue what is missing or due; raises GiveUp for a Secret of the user's that cannot be used."""
    if not cluster.spec.tls.enabled:
        return Certificates()
    if cluster.spec.tls.secret_name:
        return await _given(kube, cluster)
    ca, bundle, renewed = await _ca(kube, cluster, now)
    serial, replaced = await _server(kube, cluster, ca, bundle, now)
    return Certificates(bundle.decode(), serial, (*renewed, *replaced))


async def _given(kube: Kube, cluster: Cluster) -> Certificates:
    found = entries(await kube.get(SECRET, cluster.namespace, cluster.tls_secret))
    missing = [name for name in ("tls.crt", "tls.key", "ca.crt") if not found.get(name)]
    if missing:
        raise GiveUp("NoCertificate", f"Secret {cluster.tls_secret} lacks {', '.join(missing)}")
    try:
        serial = tls.serial(found["tls.crt"])
    except ValueError:
        raise GiveUp("NoCertificate", f"Secret {cluster.tls_secret}: tls.crt is no PEM certificate") from None
    await kube.apply(_secret(cluster, cluster.ca_secret, {"ca.crt": found["ca.crt"]}))
    return Certificates(found["ca.crt"].decode(), serial)


async def _ca(kube: Kube, cluster: Cluster, now: float) -> tuple[Pair, bytes, list[str]]:
    held = entries(await kube.get(SECRET, cluster.namespace, cluster.ca_key_secret))
    ca, changes = Pair(held.get("tls.crt", b""), held.get("tls.key", b"")), []
    if due := tls.ca_is_due(ca.certificate, now):
        ca = tls.issue_ca(f"strongroom {cluster.namespace}/{cluster.name}", now)
        # Not the VaultCluster's child: with the data kept, pods that trust this CA must find it again.
        pair = unowned(cluster, "v1", "Secret", cluster.ca_key_secret, type="kubernetes.io/tls", data=_tls_data(ca))
        await kube.apply(pair)
        changes.append(f"issued CA: {due.message}")
    older = entries(await kube.get(SECRET, cluster.namespace, cluster.ca_secret)).get("ca.crt", b"")
    bundle = tls.bundle(ca.certificate, older, now)
    if bundle != older:
        await kube.apply(_secret(cluster, cluster.ca_secret, {"ca.crt": bundle}))
    return ca, bundle, changes


async def _server(kube: Kube, cluster: Cluster, ca: Pair, bundle: bytes, now: float) -> tuple[str, list[str]]:
    names = server_names(cluster)
    held = entries(await kube.get(SECRET, cluster.namespace, cluster.tls_secret))
    certificate, changes = held.get("tls.crt", b""), []
    if due := tls.server_is_due(Held(certificate, bundle, names, now)):
        pair = tls.issue_server(ca, [cluster.host, *sorted(names - {cluster.host})], now)
        data = {**_tls_data(pair), "ca.crt": base64.b64encode(bundle).decode()}
        await kube.apply(owned(cluster, "v1", "Secret", cluster.tls_secret, type="kubernetes.io/tls", data=data))
        certificate = pair.certificate
        changes.append(f"issued server certificate: {due.message}")
    return tls.serial(certificate), changes


def entries(secret: Mapping[str, Any] | None) -> dict[str, bytes]:
    """Return the entries of a Secret, decoded."""
    return {name: base64.b64decode(value) for name, value in ((secret or {}).get("data") or {}).items()}


def _tls_data(pair: Pair) -> dict[str, str]:
    return {
        "tls.crt": base64.b64encode(pair.certificate).decode(),
        "tls.key": base64.b64encode(pair.key).decode(),
    }


def _secret(cluster: Cluster, name: str, data: Mapping[str, bytes]) -> dict[str, Any]:
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    return owned(cluster, "v1", "Secret", name, type="Opaque", data=encoded)
