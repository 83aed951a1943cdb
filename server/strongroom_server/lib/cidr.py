"""Networks that a login or a token is bound to."""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache


@lru_cache(maxsize=4096)
def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(text, strict=False)


def allows(cidrs: Iterable[str], address: str) -> bool:
    """Tell whether ``address`` lies in one of ``cidrs``; an address that cannot be read lies in none."""
    try:
        there = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(there, ipaddress.IPv6Address) and there.ipv4_mapped:
        there = there.ipv4_mapped
    return any(there in _network(cidr) for cidr in cidrs)
