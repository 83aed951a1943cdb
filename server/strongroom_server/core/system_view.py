"""The server as one mount's engine sees it."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from strongroom_server.core.mounts import MountEntry, Table
from strongroom_server.sdk.system import Places

if TYPE_CHECKING:
    from strongroom_server.core.server import Server


class MountSystem:
    """Implements ``sdk.system.System`` for one mount; tuning shows at once, as the row is looked up each time."""

    def __init__(self, server: "Server", table: Table, entry: MountEntry) -> None:
        self._server = server
        self._entry = entry
        self.clock = server.clock
        self.mount_point = f"auth/{entry.path}" if table == "auth" else entry.path
        self.mount_accessor = entry.accessor
        self.mount_uuid = entry.uuid

    @property
    def _row(self) -> MountEntry:
        mount = self._server.mounts.at(self.mount_point)
        return mount.entry if mount is not None else self._entry

    @property
    def places(self) -> Places:
        """Room for child processes that stay at work, shared by all mounts."""
        return self._server.places

    @property
    def default_lease_ttl(self) -> int:
        """Seconds; the mount's own where tuned, else the server's."""
        return self._row.config.default_lease_ttl or self._server.default_lease_ttl

    @property
    def max_lease_ttl(self) -> int:
        """Seconds; the mount's own where tuned, else the server's."""
        return self._row.config.max_lease_ttl or self._server.max_lease_ttl

    @property
    def options(self) -> Mapping[str, str]:
        """The mount's options."""
        return self._row.options or {}

    @property
    def local_mount(self) -> bool:
        """Whether the mount is not replicated."""
        return self._entry.local

    async def generate_password(self, policy: str) -> str:
        """Make a password by a named password policy; raises InvalidRequest where there is none."""
        return await self._server.generate_password(policy)

    async def entity(self, entity_id: str) -> Mapping[str, Any] | None:
        """Return the identity entity, for templates."""
        return await self._server.identity.entity(entity_id)

    async def groups(self, entity_id: str) -> list[Mapping[str, Any]]:
        """Return the entity's groups, for templates."""
        return await self._server.identity.groups(entity_id)

    def trust_clients(self, certificates: Iterable[bytes]) -> None:
        """Say whose certificates (DER) clients may show at the listeners."""
        self._server.client_trust.trust(self.mount_uuid, certificates)

    async def run_blocking(self, function: Any, *arguments: Any) -> Any:
        """Run CPU-heavy or blocking work off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)
