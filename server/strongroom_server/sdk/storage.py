"""What an engine sees of storage: plain entries below its own prefix, encrypted on the way down.

``Storage`` is the one view; the typed helpers here keep JSON out of engines.
"""

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from strongroom_server.sdk import codec
from strongroom_server.sdk.backend import Change

T = TypeVar("T")

__all__ = ["Change", "Storage", "load", "put", "remove", "save"]


class Storage(Protocol):
    """Entries below one prefix. Keys are relative to it. All raise BackendError."""

    async def get(self, key: str) -> bytes | None:
        """Return the entry, or None."""
        ...

    async def list(self, prefix: str = "") -> list[str]:
        """Return the names directly below ``prefix`` ("" or ending in a slash), sorted; folders end in a slash."""
        ...

    async def commit(self, changes: Sequence[Change]) -> None:
        """Apply all changes in one atomic, durable step."""
        ...


async def load(storage: Storage, key: str, kind: type[T]) -> T | None:
    """Return the entry at ``key`` as ``kind``, or None."""
    raw = await storage.get(key)
    return None if raw is None else codec.decode(kind, raw)


def put(key: str, value: Any) -> Change:
    """Return the change that stores ``value`` as JSON."""
    return Change(key, codec.encode(value))


def remove(key: str) -> Change:
    """Return the change that removes ``key``."""
    return Change(key, None)


async def save(storage: Storage, key: str, value: Any) -> None:
    """Store ``value`` as JSON, durably."""
    await storage.commit([put(key, value)])
