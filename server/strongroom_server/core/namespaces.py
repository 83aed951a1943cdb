"""All namespaces: their rows, the tree of them, and which of them a request is in.

Rows are stored below ``core/namespaces/<uuid>``, one each; what a namespace holds lies below ``namespaces/<uuid>/``.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from strongroom_server.core.leases import fresh_nonce
from strongroom_server.core.mounts import clear
from strongroom_server.core.namespace import Namespace
from strongroom_server.core.namespace_entry import NamespaceEntry, check_name
from strongroom_server.core.sys import quotas
from strongroom_server.core.sys.within import closed_to_all
from strongroom_server.core.tokens import random_text
from strongroom_server.sdk.errors import InvalidRequest, NotFound, Sealed, Unavailable
from strongroom_server.sdk.request import Request
from strongroom_server.sdk.storage import Storage, load, put, remove

if TYPE_CHECKING:
    from strongroom_server.core.server import Server

log = logging.getLogger("core.namespaces")

OWN = frozenset({
    "auth/token/lookup-self", "auth/token/renew-self", "auth/token/revoke-self", "sys/wrapping/lookup",
    "sys/wrapping/rewrap", "sys/wrapping/unwrap",
})  # fmt: skip
"""Paths about the caller's own token: served where that was made, whatever namespace is named."""
UNLOCK = "sys/namespaces/api-lock/unlock"
_WHEN_SEALED = frozenset({"sys/leader", "sys/seal-status"})


class Namespaces:
    """The namespaces of one server."""

    def __init__(self, root: "Server", storage: Storage) -> None:
        self._root = root
        self._storage = storage
        self._by_id: dict[str, Namespace] = {}
        self._deletions: dict[str, asyncio.Task[None]] = {}
        self._changing = asyncio.Lock()  # one who changes a row, or the tree, sees what the one before has made of it

    # -- life -------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open all namespaces, those above first, and go on with deletions that were not finished."""
        rows = [await load(self._storage, uuid, NamespaceEntry) for uuid in await self._storage.list()]
        for entry in sorted((row for row in rows if row is not None), key=lambda row: row.path.count("/")):
            *above, name = entry.path.rstrip("/").split("/")
            parent = self._walk(above)
            if parent is None:
                log.error("a namespace without the one above it", extra={"fields": {"namespace": entry.path}})
                continue
            await self._open(parent, name, entry)
        self.go_on()

    def go_on(self) -> None:
        """Take up the deletions that were not finished."""
        for namespace in self._by_id.values():
            if namespace.entry.tainted:
                self._delete_behind(namespace)

    async def close(self) -> None:
        """Stop all of them; deletions are taken up at the next start."""
        for task in self._deletions.values():
            task.cancel()
        await asyncio.gather(*self._deletions.values(), return_exceptions=True)
        for namespace in self._by_id.values():
            await namespace.close()
        self._by_id.clear()
        self._root.children.clear()

    async def _open(self, parent: "Server", name: str, entry: NamespaceEntry) -> Namespace:
        namespace = Namespace(parent, entry)
        await namespace.open()
        parent.children[name] = self._by_id[entry.id] = namespace
        return namespace

    # -- finding ----------------------------------------------------------------------------------------------------

    def find(self, request: Request) -> "Server":
        """Return the server that a request is for: the root or a namespace; its ``path`` becomes relative to that.

        Raises NotFound for a namespace that is not there, Unavailable for a locked one, InvalidRequest for what only
        the root serves. None of them falls through to the root.
        """
        path, below = request.path, self._root.children
        if not request.namespace and path.partition("/")[0] not in below and path not in OWN:
            return self._root  # as most requests are
        names = [name for name in request.namespace.strip().split("/") if name]
        names = [] if names == ["root"] else names
        if names and (message := closed_to_all(request.path)):
            raise InvalidRequest(message)
        if self._root.sealed:
            if names and request.path not in _WHEN_SEALED:
                raise Sealed
            request.namespace = ""
            return self._root
        found = self._walk(names)
        if found is None:
            raise NotFound("namespace not found")
        found, request.path = self.below(found, request.path)
        if isinstance(found, Namespace) and (message := closed_to_all(request.path)):
            raise InvalidRequest(message)
        _check(found, request.path)
        if request.path in OWN and request.token:
            found = self.home_of(request.token)
            _check(found, request.path)
        request.namespace = found.path
        return found

    def _walk(self, names: list[str]) -> "Server | None":
        found: Server | None = self._root
        for name in names:
            found = found.children.get(name) if found is not None else None
        return found

    @staticmethod
    def below(found: "Server", path: str) -> "tuple[Server, str]":
        """Follow the names at the beginning of a path as far as they are namespaces; return the last and the rest."""
        while found.children:
            name, slash, rest = path.partition("/")
            child = found.children.get(name) if slash else None
            if child is None:
                break
            found, path = child, rest
        return found, path

    def home_of(self, text: str) -> "Server":
        """Return where a token, an accessor or a lease was made, by its end; what has none is the root's."""
        return self._by_id.get(text.rpartition(".")[2], self._root)

    # -- changing ---------------------------------------------------------------------------------------------------

    async def create(self, parent: "Server", name: str, metadata: dict[str, str]) -> Namespace:
        """Make a namespace, or return the one that is there; raises InvalidRequest for a name that cannot be one."""
        check_name(name)
        taken = next((mount.point for mount in parent.mounts if mount.point.startswith(f"{name}/")), "")
        if taken:
            raise InvalidRequest(f"new namespace conflicts with existing mount: {taken}")
        async with self._changing:
            if name in parent.children:
                return parent.children[name]
            _check(parent, "")  # it may be on its way out by now
            entry = NamespaceEntry(fresh_nonce(), random_text(6), f"{parent.path}{name}/", metadata)
            while entry.id in self._by_id:
                entry = replace(entry, id=random_text(6))
            await self._storage.commit([put(entry.uuid, entry)])
            return await self._open(parent, name, entry)

    async def change(self, namespace: Namespace, change: Callable[[NamespaceEntry], NamespaceEntry]) -> None:
        """Store a changed row; raises NotFound where it is gone."""
        async with self._changing:
            await self._change(namespace, change(namespace.entry))

    async def _change(self, namespace: Namespace, entry: NamespaceEntry) -> None:
        if self._by_id.get(entry.id) is not namespace:
            raise NotFound("namespace not found")
        await self._storage.commit([put(entry.uuid, entry)])
        namespace.entry = entry

    async def delete(self, namespace: Namespace) -> None:
        """Refuse requests from now on, remove everything behind the answer; raises InvalidRequest where it has some."""
        async with self._changing:
            if namespace.children:
                raise InvalidRequest("unable to delete namespace containing child namespaces")
            if not namespace.entry.tainted:
                await self._change(namespace, replace(namespace.entry, tainted=True))
        self._delete_behind(namespace)

    def _delete_behind(self, namespace: Namespace) -> None:
        uuid = namespace.entry.uuid
        if uuid not in self._deletions:
            task = self._deletions[uuid] = asyncio.ensure_future(self._remove(namespace))
            task.add_done_callback(lambda _: self._deletions.pop(uuid, None))

    async def _remove(self, namespace: Namespace) -> None:
        entry = namespace.entry
        try:
            await namespace.end()
            await clear(namespace.view(""))
            await quotas.carry(self._root, entry.path)
            async with self._changing:
                await self._storage.commit([remove(entry.uuid)])
                self._forget(namespace)
        except Exception:  # it stays tainted, and the work is taken up again: see ``go_on``
            log.exception("a namespace could not be deleted", extra={"fields": {"namespace": entry.path}})
            return
        log.info("namespace deleted", extra={"fields": {"namespace": entry.path}})

    def _forget(self, namespace: Namespace) -> None:
        self._by_id.pop(namespace.entry.id, None)
        if namespace.parent is not None:
            namespace.parent.children.pop(namespace.path.rstrip("/").rpartition("/")[2], None)

    async def settled(self) -> None:
        """Wait until no deletion is under way."""
        await asyncio.gather(*self._deletions.values(), return_exceptions=True)


def _check(found: "Server", path: str) -> None:
    """Refuse what is being deleted or is locked, itself or by one above it."""
    unlocking = path == UNLOCK or path.startswith(f"{UNLOCK}/")
    while isinstance(found, Namespace) and found.parent is not None:
        if found.entry.tainted:
            raise NotFound("namespace not found")
        if found.entry.locked and not unlocking:
            raise Unavailable(
                f'API access to this namespace has been locked by an administrator - "{found.path}" must be unlocked '
                "to gain access."
            )
        found = found.parent
