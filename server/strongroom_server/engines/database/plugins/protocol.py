"""What every kind of database can do for the engine."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol


class DatabaseError(Exception):
    """The database refused, or could not be reached. The message is public: no secret is in it."""


class Unverified(DatabaseError):
    """No connection could be made."""


class Interrupted(DatabaseError):
    """The connection broke while the database was at work: what was asked may yet come to pass."""


@dataclass(frozen=True)
class User:
    """A user with what it gets. ``expires`` is in epoch seconds; what a call does not need is left empty."""

    name: str
    password: str = field(default="", repr=False)
    public_key: str = ""
    expires: float = 0


class Database(Protocol):
    """One configured database. ``statements`` are the operator's; where there are none the kind's own are taken.

    All raise DatabaseError; connections are made when they are needed.
    """

    async def verify(self) -> None:
        """Make a connection and try it."""
        ...

    async def create(self, user: User, statements: Sequence[str]) -> None:
        """Make a user, wholly or not at all where the database can do that."""
        ...

    async def update(self, user: User, statements: Sequence[str]) -> None:
        """Give a user another password or key."""
        ...

    async def renew(self, user: User, statements: Sequence[str]) -> None:
        """Move the end of a user on."""
        ...

    async def revoke(self, name: str, statements: Sequence[str]) -> None:
        """Drop a user; one that is not there is no error."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...
