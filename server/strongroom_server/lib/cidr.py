"""Networks that a login or a token is bound to.

Security 1: what cannot be read (a missing address, a network that is none) is outside of every bound: fail closed.
"""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def allows(networks: Sequence[str], address: str) -> bool:
    """Tell whether ``address`` lies in one of ``networks``; no networks is no bound."""
    if not networks:
        return True
    found = _address(address)
    return found is not None and any(found in network for network in map(_network, networks) if network is not None)


def inside(inner: Sequence[str], outer: Sequence[str]) -> bool:
    """Tell whether each network of ``inner`` lies within one of ``outer``; no outer networks is no bound."""
    return not outer or all(any(_within(one, around) for around in outer) for one in inner)


def tidy(networks: Sequence[str]) -> tuple[str, ...]:
    """Return networks as Vault prints them: one that is a single address is shown as that."""
    return tuple(name.removesuffix("/128" if ":" in name else "/32") for name in networks)


def is_network(text: str) -> bool:
    """Tell whether a text is a network or an address."""
    return _network(text) is not None


def _within(inner: str, outer: str) -> bool:
    one, around = _network(inner), _network(outer)
    if one is None or around is None or one.version != around.version:
        return False
    return one.subnet_of(around)  # type: ignore[arg-type]  # both of one version


@lru_cache(maxsize=1024)
def _network(text: str) -> Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])  # a link-local address may name its interface
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)  # ::ffff:10.0.0.1, as a socket for both families reports it
    return mapped or address
