"""Decrypted entries in memory, the most recently used ones, absent keys too.

Entries come in when they are read: what is written and never read again (tokens, leases) takes no room from them.

What makes a cache wrong is overlap: a read that was under way while a commit changed its key, or two commits of one
key whose order in the store nobody here knows. Both are noticed, and then nothing is kept.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Final

ABSENT: Final = object()
"""What ``look_up`` returns for a key that is not in the cache."""

ENTRIES = 20_000
"""How many entries are kept unless the server file says otherwise."""

_OVERHEAD = 250  # bytes of Python's objects around one entry, roughly


class EntryCache:
    """Keeps at most ``max_entries`` entries of together at most ``max_bytes``; 0 entries keep nothing."""

    def __init__(self, max_bytes: int = 32 * 2**20, max_entries: int = ENTRIES) -> None:
        self._max_bytes = max_bytes
        self._max_entries = max_entries
        self._entries: OrderedDict[str, object] = OrderedDict()
        self._bytes = 0
        self._reading: dict[str, object] = {}
        self._writing: dict[str, int] = {}
        self._contended: set[str] = set()
        self.hits = self.misses = self.writes = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size(self) -> int:
        """What the entries take, roughly, in bytes."""
        return self._bytes

    def fresh(self) -> "EntryCache":
        """Return an empty cache of the same size."""
        return EntryCache(self._max_bytes, self._max_entries)

    def look_up(self, key: str) -> object:
        """Return the entry (bytes, or None where the store has none), or ABSENT."""
        value = self._entries.get(key, ABSENT)
        if value is not ABSENT:
            self._entries.move_to_end(key)
            self.hits += 1
        return value

    def begin_read(self, key: str) -> object:
        """Note that ``key`` is being read; the result goes to ``end_read``."""
        self.misses += 1
        reading = self._reading[key] = object()
        return reading

    def end_read(self, key: str, reading: object, value: object) -> None:
        """Keep what was read (ABSENT: the read failed), unless the key was changed or read again since."""
        if self._reading.get(key) is reading:
            del self._reading[key]
            if value is not ABSENT:
                self._keep(key, value)

    def begin_write(self, keys: Iterable[str]) -> None:
        """Note that ``keys`` are being changed."""
        for key in keys:
            self.writes += 1
            others = self._writing.get(key, 0)
            self._writing[key] = others + 1
            if others:
                self._contended.add(key)

    def end_write(self, values: Mapping[str, bytes | None], *, done: bool) -> None:
        """Keep new values of keys that were read; forget the keys where it is not known what the store has."""
        for key, value in values.items():
            wanted = self._reading.pop(key, None) is not None or key in self._entries
            others = self._writing.pop(key) - 1
            if others:
                self._writing[key] = others
            if wanted:
                if done and key not in self._contended:
                    self._keep(key, value)
                else:
                    self.forget(key)
            if not others:
                self._contended.discard(key)

    def forget(self, key: str) -> None:
        """Drop ``key``: somebody else changed it, or it is not known whether we did."""
        self._reading.pop(key, None)
        value = self._entries.pop(key, ABSENT)
        if value is not ABSENT:
            self._bytes -= _size(key, value)

    def forget_all(self) -> None:
        """Drop everything."""
        self._reading.clear()
        self._entries.clear()
        self._bytes = 0

    def _keep(self, key: str, value: object) -> None:
        self.forget(key)
        size = _size(key, value)
        if size > self._max_bytes // 8:  # one large entry should not push out thousands
            return
        self._entries[key] = value
        self._bytes += size
        while self._bytes > self._max_bytes or len(self._entries) > self._max_entries:
            oldest, dropped = self._entries.popitem(last=False)
            self._bytes -= _size(oldest, dropped)


def _size(key: str, value: object) -> int:
    return _OVERHEAD + len(key) + (len(value) if isinstance(value, bytes) else 0)
