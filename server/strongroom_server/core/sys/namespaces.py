"""sys/namespaces: make, show, change, delete and lock the namespaces below this one (HTTP API, "sys/namespaces")."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any, cast

from strongroom_common.fields import Given, Object
from strongroom_server.core.namespace_entry import NamespaceEntry, check_name, hash_of
from strongroom_server.core.sys.area import Area
from strongroom_server.core.tokens import random_text
from strongroom_server.lib.merge_patch import merge_patch
from strongroom_server.sdk.engine import delete, list_, patch, read, scan, write
from strongroom_server.sdk.errors import InvalidRequest, NotFound
from strongroom_server.sdk.request import Request, Response

if TYPE_CHECKING:
    from strongroom_server.core.namespace import Namespace
    from strongroom_server.core.server import Server

Name = Annotated[str, "Name of the namespace, without those above it."]
Path = Annotated[str, "Path of the namespace, from this one; this one where left out."]


@dataclass(frozen=True)
class Described:
    """What people say about a namespace."""

    custom_metadata: Annotated[Object, "Texts by name."] = field(default_factory=lambda: Object({}))
    seal: Annotated[str, "A seal of its own, which no namespace can have here: refused."] = ""

    def check(self) -> None:
        """Raise InvalidRequest for what is asked for and would not be had."""
        if self.seal:
            raise InvalidRequest("seal: expected nothing, as no namespace has a seal of its own here")


@dataclass(frozen=True)
class Unlock:
    """How to unlock."""

    unlock_key: Annotated[str, "The key that locking gave out; root and sudo need none."] = ""


class NamespaceArea(Area):
    """Namespaces below this one."""

    @list_("namespaces")
    async def list_children(self) -> dict[str, Any]:
        """List the namespaces right below this one."""
        rows = {f"{name}/": child.entry.facts() for name, child in sorted(self.server.children.items())}
        if not rows:
            raise NotFound
        return {"key_info": rows, "keys": list(rows)}

    @scan("namespaces")
    async def scan_below(self) -> dict[str, Any]:
        """List all namespaces below this one."""
        here = self.server.path
        found = sorted((cast("Namespace", below) for below in self.server.tree() if below is not self.server),
                       key=lambda below: below.path)  # fmt: skip
        rows = {below.path.removeprefix(here): below.entry.facts() for below in found}
        return {"key_info": rows, "keys": list(rows)} if rows else {}

    @read("namespaces/{path:rest}")
    async def read_namespace(self, path: Name) -> dict[str, Any]:
        """Read a namespace."""
        child = self._child(path)
        if child is None:
            raise NotFound
        return child.entry.facts()

    @write("namespaces/{path:rest}")
    async def write_namespace(self, path: Name, body: Given[Described], request: Request) -> dict[str, Any]:
        """Create a namespace, or replace its metadata."""
        if request.path.endswith("/"):
            raise InvalidRequest("cannot write to a path ending in '/'")
        body.value.check()
        metadata = _texts(body.value.custom_metadata, "custom_metadata values must be strings")
        child = self._child(path)
        if child is None:
            child = await self.server.namespaces.create(self.server, path, metadata)
        if child.entry.tainted:
            raise InvalidRequest("namespace with that name exists and is currently tainted")
        if metadata != child.entry.custom_metadata:
            await self.server.namespaces.change(child, lambda entry: replace(entry, custom_metadata=metadata))
        return child.entry.facts()

    @patch("namespaces/{path:rest}")
    async def patch_namespace(self, path: Name, body: Given[Described]) -> dict[str, Any]:
        """Change a namespace's metadata by a JSON merge patch (RFC 7396)."""
        child = self._child(path)
        if child is None or child.entry.tainted:
            raise InvalidRequest("namespace not found")
        body.value.check()
        changes = body.value.custom_metadata
        _texts({key: value for key, value in changes.items() if value is not None},
               "metadata patch can only have string or null values")  # fmt: skip
        await self.server.namespaces.change(
            child, lambda entry: replace(entry, custom_metadata=merge_patch(entry.custom_metadata, changes))
        )
        return child.entry.facts()

    @delete("namespaces/{path:rest}")
    async def delete_namespace(self, path: Name) -> Response:
        """Delete a namespace and all that it holds, behind the answer."""
        child = self._child(path)
        if child is None:
            return Response(warnings=["requested namespace does not exist"])
        await self.server.namespaces.delete(child)
        return Response({"status": "in-progress"})

    # -- seals ------------------------------------------------------------------------------------------------------

    @write("namespaces/{path:segment}/seal")
    async def seal(self, path: Name) -> None:
        """Seal a namespace that has a seal of its own: none has."""
        self._refuse_seal(path)

    @read("namespaces/{path:segment}/seal-status")
    async def seal_status(self, path: Name) -> None:
        """Describe the seal of a namespace that has its own: none has."""
        self._refuse_seal(path)

    @write("namespaces/{path:segment}/unseal")
    async def unseal(self, path: Name) -> None:
        """Unseal a namespace that has a seal of its own: none has."""
        self._refuse_seal(path)

    @delete("namespaces/{path:segment}/delete-sealed")
    async def delete_sealed(self, path: Name) -> Response:
        """Delete a namespace whose seal is closed: none has a seal of its own."""
        if self._child(path) is None:
            return Response(warnings=["requested namespace does not exist"])
        raise InvalidRequest("namespace is not sealed")

    def _refuse_seal(self, path: str) -> None:
        raise InvalidRequest("namespace is not sealable" if self._child(path) else "namespace doesn't exist")

    def _child(self, name: str) -> "Namespace | None":
        name = name.removesuffix("/")
        check_name(name)
        return self.server.children.get(name)

    # -- lock -------------------------------------------------------------------------------------------------------

    @write("namespaces/api-lock/lock")
    async def lock_this(self) -> dict[str, str]:
        """Refuse all requests in this namespace and below until it is unlocked."""
        return await self._lock(self._found(""))

    @write("namespaces/api-lock/lock/{path:rest}")
    async def lock(self, path: Path) -> dict[str, str]:
        """Refuse all requests in a namespace and below until it is unlocked."""
        return await self._lock(self._found(path))

    async def _lock(self, found: "Namespace") -> dict[str, str]:
        key = random_text(24)

        def locked(entry: NamespaceEntry) -> NamespaceEntry:
            if entry.locked:
                raise InvalidRequest(f'cannot lock namespace "{found.path}": is already locked')
            return replace(entry, unlock_hash=hash_of(key))

        await self.server.namespaces.change(found, locked)
        return {"unlock_key": key}

    @write("namespaces/api-lock/unlock")
    async def unlock_this(self, body: Given[Unlock], request: Request) -> Response | None:
        """Let requests in this namespace through again."""
        return await self._unlock(self._found(""), body.value.unlock_key, request)

    @write("namespaces/api-lock/unlock/{path:rest}")
    async def unlock(self, path: Path, body: Given[Unlock], request: Request) -> Response | None:
        """Let requests in a namespace through again."""
        return await self._unlock(self._found(path), body.value.unlock_key, request)

    async def _unlock(self, found: "Namespace", key: str, request: Request) -> Response | None:
        if not found.entry.locked:
            raise InvalidRequest(f'namespace "{found.path}" is not locked')
        # Without the key, only one who may do everything here unlocks (OpenBao API, sys/namespaces/api-lock).
        if not key:
            holder = await self.server.holder(request.token)
            if holder is None or not await holder.is_sudo(f"sys/{request.path}"):
                raise InvalidRequest("provided empty key")
        elif not found.entry.unlocks(key):
            raise InvalidRequest("incorrect unlock key")
        await self.server.namespaces.change(found, lambda entry: replace(entry, unlock_hash=""))
        return None if key else Response(warnings=["Namespace unlocked using sudo capabilities"])

    def _found(self, path: str) -> "Namespace":
        found: Server = self.server
        for name in path.strip("/").split("/") if path else ():
            if name not in found.children:
                raise InvalidRequest("requested namespace does not exist")
            found = found.children[name]
        if found.parent is None:
            raise InvalidRequest("root namespace cannot be locked/unlocked")
        return cast("Namespace", found)


def _texts(pairs: Mapping[str, Any], message: str) -> dict[str, str]:
    if not all(isinstance(value, str) for value in pairs.values()):
        raise InvalidRequest(message)
    return dict(pairs)
