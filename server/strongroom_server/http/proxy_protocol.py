"""The PROXY protocol: a load balancer says, before anything else on a connection, whose connection it hands on.

Versions 1 (a line of text) and 2 (binary), as https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt has them.
Pure: what reads from sockets is ``door``.
"""

import ipaddress
import re
import struct
from dataclasses import dataclass

from strongroom_server.config import Listener
from strongroom_server.lib.cidr import allows

SIGNATURES = (b"PROXY ", b"\r\n\r\n\x00\r\nQUIT\n")
"""What the two versions begin with."""
LONGEST_LINE = 107
"""Bytes of a header of version 1, its line break included (section 2.1)."""
FIXED = 16
"""Bytes of version 2 before the addresses."""

Address = tuple[str, int]
_PORT = re.compile(r"0|[1-9][0-9]{0,4}", re.ASCII)
_FAMILIES = {"TCP4": 4, "TCP6": 6}
_LOCAL, _PROXY = 0x20, 0x21
_BINARY = {0x1: struct.Struct("!4s4sHH"), 0x2: struct.Struct("!16s16sHH")}


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose header is believed (listener docs, ``proxy_protocol_behavior``); without ``behavior`` there is none."""

    behavior: str = ""
    proxies: tuple[str, ...] = ()

    @classmethod
    def of(cls, listener: Listener) -> "Trust":
        """Return the rules of a stanza."""
        return cls(listener.proxy_protocol_behavior, listener.proxy_protocol_authorized_addrs)

    def believes(self, peer: str) -> bool:
        """Tell whether the header of ``peer`` counts. Security 1: that of anyone but a listed proxy is a claim."""
        return self.behavior == "use_always" or (bool(self.proxies) and allows(self.proxies, peer))

    def refuses(self, peer: str) -> bool:
        """Tell whether ``peer`` may not connect at all."""
        return self.behavior == "deny_unauthorized" and not self.believes(peer)


def from_line(line: bytes) -> Address | None:
    """Return the client's address from a header of version 1, None where it names none; raises ValueError."""
    if not line.endswith(b"\r\n"):
        raise ValueError("a header of version 1 ends with CR LF")
    words = line[:-2].decode("ascii", "replace").split(" ")
    if words[1] == "UNKNOWN":
        return None
    if len(words) != 6 or words[1] not in _FAMILIES or not all(map(_is_port, words[4:])):
        raise ValueError("expected a family, two addresses and two ports")
    client, target = map(ipaddress.ip_address, words[2:4])
    if {client.version, target.version} != {_FAMILIES[words[1]]}:
        raise ValueError("the addresses are not of the family")
    return str(client), int(words[4])


def _is_port(text: str) -> bool:
    return bool(_PORT.fullmatch(text)) and int(text) < 65536


def length_of(fixed: bytes) -> int:
    """Return how many bytes follow the first ``FIXED`` of version 2; raises ValueError for another version."""
    if fixed[12] not in (_LOCAL, _PROXY):
        raise ValueError("unknown version or command")
    return int.from_bytes(fixed[14:16], "big")


def from_binary(fixed: bytes, rest: bytes) -> Address | None:
    """Return the client's address from a header of version 2, None where it names none; raises ValueError.

    The balancer speaks for itself (LOCAL, a health check), or of a client without an IP address.
    """
    form = _BINARY.get(fixed[13] >> 4)
    if fixed[12] == _LOCAL or form is None:
        return None
    if len(rest) < form.size:
        raise ValueError("the addresses are cut off")
    source, _, port, _ = form.unpack_from(rest)
    return str(ipaddress.ip_address(source)), port
