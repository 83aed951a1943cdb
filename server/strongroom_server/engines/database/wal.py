"""Write-ahead entries: a user is on record before it is made, until its lease is.

The entry goes in the very commit that stores the lease (``Lease.beside``). One that is still there when its run of the
engine is over, or after ``LONGEST``, is of a user without a lease: the user is dropped at once, and again until the
entry is as old as that, for a database may finish what it was asked after we have gone.
"""

import secrets
from dataclasses import dataclass

from strongroom_common.clock import Clock
from strongroom_server.sdk.storage import Change, Storage, load, put, remove

LONGEST = 300.0  # seconds that making a user and storing its lease may take

_FOLDER = "wal/"


@dataclass(frozen=True)
class Entry:
    """A user that is about to be made. ``run`` names the run of the engine that makes it."""

    db_name: str
    username: str
    statements: tuple[str, ...]
    created: float
    run: str


class WriteAheadLog:
    """The entries of one mount."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock
        self._run = secrets.token_hex(8)

    async def begin(self, db_name: str, username: str, statements: tuple[str, ...]) -> tuple[str, Entry]:
        """Put a user on record, durably; return the entry with its key."""
        key = f"{_FOLDER}{secrets.token_hex(16)}"
        entry = Entry(db_name, username, statements, self._clock.now(), self._run)
        await self._storage.commit([put(key, entry)])
        return key, entry

    def end(self, key: str) -> Change:
        """Return the change that takes an entry off the record."""
        return remove(key)

    async def stale(self, *, last: bool = False) -> list[tuple[str, Entry]]:
        """Return the entries of users whose lease will not be stored any more, with their keys: at ``last`` all."""
        found = []
        for name in await self._storage.list(_FOLDER):
            entry = await load(self._storage, _FOLDER + name, Entry)
            if entry is not None and (last or entry.run != self._run or self.over(entry)):
                found.append((_FOLDER + name, entry))
        return found

    def over(self, entry: Entry) -> bool:
        """Tell whether nothing that belongs to an entry can be under way any more."""
        return entry.created < self._clock.now() - LONGEST

    async def drop(self, key: str) -> None:
        """Take an entry off the record."""
        await self._storage.commit([remove(key)])
