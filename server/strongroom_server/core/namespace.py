"""One namespace: a server within the server (docs/adr/0008-namespaces.md).

It has parts of its own over ``namespaces/<uuid>/`` and looks up in the root whatever is the whole server's.
"""

from contextlib import AsyncExitStack
from typing import Any

from strongroom_server.core.mounts import SINGLE
from strongroom_server.core.namespace_entry import NamespaceEntry
from strongroom_server.core.server import Server
from strongroom_server.core.sys.within import NamespaceSys


class Namespace(Server):
    """The server as those within see it."""

    SYS = NamespaceSys
    KIND = "ns_"

    def __init__(self, parent: Server, entry: NamespaceEntry) -> None:
        # Server's own is not called: what it makes is the root's, and __getattr__ finds it there.
        self.parent = parent
        self.root = parent.root
        self.entry = entry
        self.path = entry.path
        self.id = entry.id
        self.suffix = f".{entry.id}"
        self.prefix = f"namespaces/{entry.uuid}/"
        self.children = {}
        self._make_parts()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.root, name)

    @property
    def ending(self) -> bool:  # type: ignore[override]  # the root's is a constant
        """Whether it is being deleted."""
        return self.entry.tainted

    async def open(self) -> None:
        """Start the parts; the barrier is open."""
        await self._start_parts()
        cubbyholes = self.mounts.table("secret")["cubbyhole/"].storage
        for storage in (self.view("sys/expire/token/"), cubbyholes):
            self.visitors |= {name.rstrip("/") for name in await storage.list()}

    async def close(self) -> None:
        """Stop them."""
        await self._stop_parts()

    async def end(self) -> None:
        """End what has effects elsewhere: leases at their sources, what engines keep. The storage is the caller's.

        Raises what the first source says that refuses; each refusal counts, and a lease that was given up is let go.
        """
        async with AsyncExitStack() as quiet:
            for mount in [mount for mount in self.mounts if mount.entry.type not in SINGLE]:
                await quiet.enter_async_context(mount.quiet())
            await self._end_all()

    async def _end_all(self) -> None:
        leases = self.leases
        await leases.revoke_many(list(leases.irrevocable()), force=True)
        try:
            await leases.revoke_many(await leases.ids(""))
        except Exception:
            for lease_id in await leases.ids(""):
                await leases.revoke_or_retry(lease_id)
            raise
        for mount in list(self.mounts):
            if mount.engine is not None:
                await mount.engine.on_removed()
        await self.close()
