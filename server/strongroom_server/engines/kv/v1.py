"""KV version 1: one value a path, no history. The whole request body is the secret (api-docs/secret/kv/kv-v1)."""

from collections.abc import Mapping
from typing import Any

import msgspec

from strongroom_common.durations import parse_duration
from strongroom_common.jsonx import Number
from strongroom_server.lib.folders import below, folder, keys
from strongroom_server.sdk import codec
from strongroom_server.sdk.engine import Engine as Base
from strongroom_server.sdk.engine import delete, list_, read, scan, write
from strongroom_server.sdk.errors import InvalidRequest, NotFound
from strongroom_server.sdk.request import Lease, Request, Response
from strongroom_server.sdk.storage import Change, remove

SECRETS = "v1/"
_UPGRADING = (
    "Upgrading mount from version 1 to version 2. This mount will be unavailable for a brief period and will resume "
    "service shortly."
)
_values = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Engine(Base):
    """Stores arbitrary secrets at paths; writing replaces what was there."""

    def check_options(self, options: Mapping[str, str]) -> list[str]:
        """Allow version 2: starting as that moves the secrets over."""
        version = options.get("version") or "1"
        if version not in {"1", "2"}:
            raise InvalidRequest(f"unknown kv version {version!r}: the option 'version' must be 1 or 2")
        return [_UPGRADING] if version == "2" else []

    async def count_secrets(self) -> int:
        """Return how many secrets there are."""
        return len(await below(self.storage, SECRETS))

    @read("{path:any}")
    async def read_secret(self, path: str) -> Response:
        """Read a secret. Its key "ttl" (or "lease") is when to look again, else the mount's default."""
        raw = await self.storage.get(SECRETS + path)
        if raw is None:
            raise NotFound
        values = _values.decode(raw)
        hint = Lease(kind="", internal={}, ttl=self._look_again(values), renewable=False)
        return Response(dict(values), lease=hint)

    @list_("{path:any}")
    async def list_secrets(self, path: str) -> dict[str, Any]:
        """List the names below a path."""
        return keys(await self.storage.list(SECRETS + folder(path)))

    @scan("{path:any}")
    async def scan_secrets(self, path: str) -> dict[str, Any]:
        """List the names at any depth below a path."""
        names = await below(self.storage, SECRETS + folder(path))
        return {"keys": names} if names else {}

    @write("{path:any}", exists="is_there")
    async def write_secret(self, path: str, request: Request) -> None:
        """Write a secret: all of the body."""
        if not path:
            raise InvalidRequest("missing path")
        if path.endswith("/"):
            raise InvalidRequest("cannot write to a path ending in '/'")
        if not request.data:
            raise InvalidRequest("missing data fields")
        await self.storage.commit([Change(SECRETS + path, codec.encode_sorted(request.data))])

    @delete("{path:any}")
    async def delete_secret(self, path: str) -> None:
        """Delete a secret, at once and for good."""
        await self.storage.commit([remove(SECRETS + path)])

    async def is_there(self, path: str) -> bool:
        """Tell whether there is a secret."""
        return await self.storage.get(SECRETS + path) is not None

    def _look_again(self, values: dict[str, msgspec.Raw]) -> int:
        given = values.get("ttl", values.get("lease"))
        if given is None:
            return self.system.default_lease_ttl
        raw = codec.loads(given)
        if raw is None:
            return 0
        if isinstance(raw, Number):  # Vault takes whole seconds only
            return self.system.default_lease_ttl
        try:
            return int(parse_duration(raw))
        except ValueError:
            return self.system.default_lease_ttl
