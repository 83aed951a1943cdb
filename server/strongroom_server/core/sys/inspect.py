"""sys/internal/inspect and sys/raw: the server's insides, where the server file lets them be seen."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from strongroom_common.fields import Given
from strongroom_server.core.mounts import Mount
from strongroom_server.core.sys.area import Area
from strongroom_server.sdk.engine import delete, list_, read, write
from strongroom_server.sdk.errors import InvalidRequest, NotFound, UnsupportedPath
from strongroom_server.sdk.request import Caller, Request
from strongroom_server.sdk.storage import Change, Storage
from strongroom_server.sdk.version import VERSION

_TAGS: Mapping[str, tuple[str, ...]] = {
    "root": ("storage_prefix", "tainted"), "storage": ("storage_prefix", "tainted"), "uuid": (), "accessor": (),
}  # fmt: skip
_SECRET = frozenset({"authorization", "x-vault-token", "cookie"})
RawPath = Annotated[str, "Path in the store."]
_KEPT = ("core/keyring", "core/root-key", "core/recovery-key", "core/seal-config")


@dataclass(frozen=True)
class RawEntry:
    """An entry of the store."""

    value: Annotated[str, "The entry."] = field(default="", repr=False)
    encoding: Annotated[str, '"base64", or nothing for text.'] = ""
    compressed: Annotated[bool, "Has no effect: entries are not compressed."] = True
    compression_type: Annotated[str, "Has no effect: entries are not compressed."] = ""


class Inspect(Area):
    """The server's insides."""

    @read("internal/inspect/router/{tag}", sudo=True)
    async def router(self, tag: Annotated[str, "root, uuid, accessor or storage."]) -> dict[str, Any]:
        """Show how requests are routed."""
        if tag not in _TAGS or not self.server.options.introspection_endpoint:
            raise UnsupportedPath
        return {tag: [_row(mount, _TAGS[tag]) for mount in self.server.mounts]}

    @read("internal/inspect/request", sudo=True)
    async def request(self, request: Request) -> dict[str, Any]:
        """Show this very request as engines see it, without its token."""
        if not self.server.options.introspection_endpoint:
            raise UnsupportedPath
        caller, connection = request.caller or Caller(), request.connection
        shown = {
            "id": request.id, "operation": request.operation, "path": request.path, "mount_point": request.mount_point,
            "mount_accessor": request.mount_accessor, "mount_type": "system", "display_name": caller.display_name,
            "client_token_accessor": caller.accessor, "entity_id": caller.entity_id, "wrap_info": request.wrap_ttl,
            "connection": {"remote_addr": connection.remote_address, "remote_port": connection.remote_port},
            "headers": {name: [value] for name, value in request.headers.items() if name.lower() not in _SECRET},
        }  # fmt: skip
        entity = await self.system.entity(caller.entity_id) if caller.entity_id else None
        groups = await self.system.groups(caller.entity_id) if caller.entity_id else None
        return {"data": request.data, "req": shown, "entity": entity, "groups": groups,
                "cluster_id": self.server.cluster_id, "vault_version": VERSION}  # fmt: skip

    @list_("raw/{path:any}", sudo=True)
    async def list_raw(self, path: RawPath) -> dict[str, Any]:
        """List what lies below a path in the store."""
        prefix = f"{path.rstrip('/')}/" if path else ""
        names = await self._store().list(prefix)
        if not names:
            raise NotFound
        return {"keys": names}

    @read("raw/{path:any}", sudo=True)
    async def read_raw(self, path: RawPath, query: Given[RawEntry]) -> dict[str, Any]:
        """Read an entry of the store, decrypted."""
        raw = await self._store(path).get(path)
        if raw is None:
            raise NotFound
        if query.value.encoding == "base64":
            return {"value": base64.b64encode(raw).decode()}
        return {"value": raw.decode(errors="replace")}

    @write("raw/{path:any}", sudo=True)
    async def write_raw(self, path: RawPath, body: Given[RawEntry]) -> None:
        """Write an entry of the store, encrypted. What the server holds in memory does not follow."""
        value = body.value.value.encode()
        if body.value.encoding == "base64":
            try:
                value = base64.b64decode(value, validate=True)
            except binascii.Error:
                raise InvalidRequest("value: expected base64") from None
        elif body.value.encoding:
            raise InvalidRequest('encoding: expected "base64" or nothing')
        await self._store(path).commit([Change(path, value)])

    @delete("raw/{path:any}", sudo=True)
    async def delete_raw(self, path: RawPath) -> None:
        """Delete an entry of the store."""
        await self._store(path).commit([Change(path, None)])

    def _store(self, path: str | None = None) -> Storage:
        if not self.server.options.raw_storage_endpoint:
            raise UnsupportedPath
        if path == "":
            raise InvalidRequest("expected the path of an entry below sys/raw/")
        # Security 1: whoever may read storage still may not read or break the keys that protect it.
        if path and path.startswith(_KEPT):
            raise InvalidRequest(f"cannot access {path!r}")
        return self.server.barrier.view("")


def _row(mount: Mount, more: tuple[str, ...]) -> dict[str, Any]:
    entry = mount.entry
    folder = "auth" if mount.table == "auth" else "logical"
    row = {"accessor": entry.accessor, "mount_namespace": "", "mount_path": entry.path, "mount_type": entry.type,
           "uuid": entry.uuid}  # fmt: skip
    extra = {"storage_prefix": f"{folder}/{entry.uuid}/", "tainted": entry.tainted}
    return {**row, **{name: extra[name] for name in more}}
