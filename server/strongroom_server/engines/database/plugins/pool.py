"""A few connections kept open, for drivers whose own pool waits or retries where an answer is wanted at once.

A database that is down must say so within seconds, in its own words (psycopg_pool tries again behind one's back and
reports that it had no connection). A connection that broke is never used again, nor one that is older than allowed.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from strongroom_common.clock import Clock

C = TypeVar("C")


@dataclass(frozen=True)
class Driver(Generic[C]):
    """How connections are made, seen to be at rest when they come back and alive when they are lent, and closed."""

    connect: Callable[[], Awaitable[C]]
    at_rest: Callable[[C], bool]
    alive: Callable[[C], bool]
    close: Callable[[C], Awaitable[None]]


class Pool(Generic[C]):
    """At most ``size`` connections at a time, of which ``idle`` are kept; each lives for ``lifetime`` seconds."""

    def __init__(self, driver: Driver[C], clock: Clock, *, size: int, idle: int, lifetime: float = 0) -> None:
        self._driver = driver
        self._clock = clock
        self._slots = asyncio.Semaphore(size)
        self._most_idle = idle
        self._lifetime = lifetime
        self._idle: list[tuple[float, C]] = []
        self._closed = False

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[C]:
        """Lend a connection; raises what the driver's ``connect`` does."""
        async with self._slots:
            born, connection = await self._take()
            try:
                yield connection
            finally:
                await self._give_back(born, connection)

    async def _take(self) -> tuple[float, C]:
        while self._idle:
            born, connection = self._idle.pop()
            if self._fresh(born) and self._driver.alive(connection):
                return born, connection
            await self._driver.close(connection)
        return self._clock.now(), await self._driver.connect()

    async def _give_back(self, born: float, connection: C) -> None:
        keep = not self._closed and len(self._idle) < self._most_idle and self._fresh(born)
        if keep and self._driver.at_rest(connection):
            self._idle.append((born, connection))
        else:
            await self._driver.close(connection)

    def _fresh(self, born: float) -> bool:
        return not self._lifetime or self._clock.now() - born < self._lifetime

    async def close(self) -> None:
        """Close what is idle; what is lent is closed when it comes back."""
        self._closed = True
        while self._idle:
            await self._driver.close(self._idle.pop()[1])
