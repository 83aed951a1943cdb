"""What an engine may ask of the server around it: limits, time, randomness, other keepers' facts."""

import os
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from strongroom_common.clock import Clock

_MOST = 4


class Places:
    """Room for child processes that stay at work, for all who share it: one a core, and no more than four."""

    def __init__(self, count: int = 0) -> None:
        self._free = count or min(os.cpu_count() or 1, _MOST)

    def take(self) -> bool:
        """Take a place, if one is free."""
        free = self._free > 0
        self._free -= free
        return free

    def give_back(self) -> None:
        """Let others have it."""
        self._free += 1


class System(Protocol):
    """Handed to every engine when its mount starts."""

    clock: Clock
    mount_point: str
    mount_accessor: str
    mount_uuid: str

    @property
    def places(self) -> Places:
        """Room for child processes that stay at work, shared by all mounts."""
        ...

    @property
    def default_lease_ttl(self) -> int:
        """Seconds; the mount's own where tuned, else the server's."""
        ...

    @property
    def max_lease_ttl(self) -> int:
        """Seconds; the mount's own where tuned, else the server's."""
        ...

    @property
    def options(self) -> Mapping[str, str]:
        """The mount's options ("version" of kv)."""
        ...

    @property
    def local_mount(self) -> bool:
        """Whether the mount is not replicated."""
        ...

    async def generate_password(self, policy: str) -> str:
        """Make a password by a named password policy; raises InvalidRequest where there is none."""
        ...

    async def entity(self, entity_id: str) -> Mapping[str, Any] | None:
        """Return the identity entity, for templates (id, name, metadata, aliases)."""
        ...

    async def groups(self, entity_id: str) -> list[Mapping[str, Any]]:
        """Return the entity's groups, for templates."""
        ...

    def trust_clients(self, certificates: Iterable[bytes]) -> None:
        """Say whose certificates (DER) clients may show when they connect; replaces what this mount said before.

        Listeners let connections through that show a certificate of these, or issued by them. It proves nothing more.
        """
        ...

    async def run_blocking(self, function: Any, *arguments: Any) -> Any:
        """Run CPU-heavy or blocking work (RSA keys, bcrypt) off the event loop."""
        ...
