"""Cubbyhole: a place of its own for every token, gone with it. Nobody else reaches it, root included."""

from typing import Any

import msgspec

from strongroom_server.lib.folders import folder, keys
from strongroom_server.sdk import codec
from strongroom_server.sdk.engine import Engine as Base
from strongroom_server.sdk.engine import delete, list_, read, write
from strongroom_server.sdk.errors import InvalidRequest, NotFound, PermissionDenied
from strongroom_server.sdk.request import Request
from strongroom_server.sdk.storage import Change, remove

_values = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Engine(Base):
    """Keeps secrets for one token; the core removes ``<token hash>/`` when that token ends."""

    @read("{path:any}")
    async def read_secret(self, path: str, request: Request) -> dict[str, Any]:
        """Read a secret of one's own."""
        raw = await self.storage.get(_place(request) + _named(path))
        if raw is None:
            raise NotFound
        return dict(_values.decode(raw))

    @list_("{path:any}")
    async def list_secrets(self, path: str, request: Request) -> dict[str, Any]:
        """List the names below a path."""
        return keys(await self.storage.list(_place(request) + folder(path)))

    @write("{path:any}", exists="exists")
    async def write_secret(self, path: str, request: Request) -> None:
        """Write a secret: all of the body."""
        if path.endswith("/"):
            raise InvalidRequest("cannot write to a path ending in '/'")
        if not request.data:
            raise InvalidRequest("missing data fields")
        await self.storage.commit([Change(_place(request) + _named(path), codec.encode_sorted(request.data))])

    @delete("{path:any}")
    async def delete_secret(self, path: str, request: Request) -> None:
        """Delete a secret."""
        await self.storage.commit([remove(_place(request) + _named(path))])

    async def exists(self, request: Request, found: Any = None) -> bool | None:
        """Tell whether what a write addresses is there; it depends on who asks."""
        return await self.storage.get(_place(request) + request.path) is not None


def _named(path: str) -> str:
    if not path:
        raise InvalidRequest("missing path")
    return path


def _place(request: Request) -> str:
    """Security 1: the prefix is the hash of the caller's own token, never anything from the request."""
    if request.caller is None or not request.caller.token_hash:
        raise PermissionDenied
    if request.caller.batch:
        raise InvalidRequest("cubbyhole operations are only supported by service tokens")
    return request.caller.token_hash + "/"
