"""One lock a key, for read-modify-write where a store has single entries and no transactions over reads."""

import asyncio
from weakref import WeakValueDictionary


class KeyedLocks:
    """``async with locks.of(key)``: waits for others with the same key only. A lock lives while somebody holds it."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, key: str) -> asyncio.Lock:
        """Return the lock of ``key``."""
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        return lock
