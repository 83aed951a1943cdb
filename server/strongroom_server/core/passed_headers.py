"""Which headers of a request an engine sees: those that its mount passes through, as Vault's ``tune`` documents."""

from collections.abc import Mapping
from types import MappingProxyType

from strongroom_server.core.areas import Composed
from strongroom_server.core.exchange import Exchange
from strongroom_server.sdk.engine import Engine
from strongroom_server.sdk.request import Response
from strongroom_server.sdk.routes import Route

_NONE: Mapping[str, str] = MappingProxyType({})
_NEVER = "x-vault-token"


async def call(engine: Engine, route: Route, exchange: Exchange) -> Response:
    """Let an engine answer a request; the core's own engines see all of it.

    Security 1: a header may hold what is for the server alone; the token is passed to no engine, whatever a mount says.
    """
    request, mount = exchange.request, exchange.mount
    if mount is None or not route.wants_request or isinstance(engine, Composed):
        return await engine.call(route, exchange.captures, request)
    headers, names = request.headers, mount.entry.config.passthrough_request_headers
    request.headers = _passed(headers, names) if names else _NONE
    try:
        return await engine.call(route, exchange.captures, request)
    finally:
        request.headers = headers


def _passed(headers: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    """Return the headers of these names, spelled ``Like-This``: case is of no matter (RFC 9110, 5.1)."""
    wanted = {name.lower() for name in names} - {_NEVER}
    return {name.title(): value for name, value in headers.items() if name.lower() in wanted}
