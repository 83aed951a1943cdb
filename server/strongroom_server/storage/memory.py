"""The store of dev mode and of tests: a dictionary that ends with the process."""

from collections.abc import Sequence

from strongroom_common.clock import Clock
from strongroom_server.sdk.backend import Backend, Change, Settings
from strongroom_server.sdk.errors import BackendError


class MemoryStore:
    """Keys and values in memory. Listing walks all keys: dev mode has few."""

    def __init__(self) -> None:
        self._entries: dict[str, bytes] = {}
        self._closed = False

    async def get(self, key: str) -> bytes | None:
        """Return the value, or None."""
        return self._open().get(key)

    async def list(self, prefix: str) -> list[str]:
        """Return what lies directly below ``prefix``, sorted; folders end in a slash."""
        start = len(prefix)
        names = set()
        for key in self._open():
            if key.startswith(prefix):
                name, slash, _ = key[start:].partition("/")
                names.add(name + slash)
        return sorted(names - {""})

    async def commit(self, changes: Sequence[Change]) -> None:
        """Make all changes."""
        entries = self._open()
        stored = {change.key: None if change.value is None else bytes(change.value) for change in changes}
        for key, value in stored.items():
            if value is None:
                entries.pop(key, None)
            else:
                entries[key] = value

    async def close(self) -> None:
        """Forget everything."""
        self._entries = {}
        self._closed = True

    def _open(self) -> dict[str, bytes]:
        if self._closed:
            raise BackendError("the store is closed")
        return self._entries


async def open_backend(settings: Settings, clock: Clock) -> Backend:
    """Return an empty store; it has no settings."""
    return MemoryStore()
