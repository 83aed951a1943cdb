"""Which headers of a request an engine sees: those that its mount passes through, as Vault's ``tune`` documents."""

from collections.abc import Mapping
from types import MappingProxyType

from strongroom_server.core.areas import Composed
from strongroom_server.core.exchange import Exchange

_NONE: Mapping[str, str] = MappingProxyType({})
_NEVER = "x-vault-token"


def passed(exchange: Exchange) -> Mapping[str, str]:
    """Return the headers that the engine of a request sees; the core's own engines see all of them.

    Security 1: a header may hold what is for the server alone; the token is passed to no engine, whatever a mount says.
    """
    headers, mount = exchange.request.headers, exchange.mount
    if mount is None or isinstance(exchange.engine, Composed):
        return headers
    names = mount.entry.config.passthrough_request_headers
    return _passed(headers, names) if names else _NONE


def _passed(headers: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    """Return the headers of these names, spelled ``Like-This``: case is of no matter (RFC 9110, 5.1)."""
    wanted = {name.lower() for name in names} - {_NEVER}
    return {name.title(): value for name, value in headers.items() if name.lower() in wanted}
