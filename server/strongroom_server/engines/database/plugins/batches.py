"""Doing together what waits together: whoever comes while a batch is under way is in the next one."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from strongroom_server.engines.database.plugins.protocol import DatabaseError, Interrupted, Unverified


class Batches:
    """Hands items to ``run``, up to ``most`` at a time; where a batch is refused each of its items is tried alone."""

    def __init__(self, run: Callable[[Sequence[str]], Awaitable[None]], most: int) -> None:
        self._run = run
        self._most = most
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []
        self._turn = asyncio.Lock()

    async def add(self, item: str) -> None:
        """Wait until the item is done; raises what ``run`` raised for it."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, done))
        async with self._turn:
            if not done.done():  # else somebody took it along
                batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                await self._do(batch)
        await done

    async def _do(self, batch: Sequence[tuple[str, "asyncio.Future[None]"]]) -> None:
        outcome: DatabaseError | None = DatabaseError("interrupted")  # what holds when the one whose turn it is ends
        try:
            await self._run([item for item, _ in batch])
            outcome = None
        except DatabaseError as error:
            outcome = error
            alone = len(batch) == 1 or isinstance(error, Interrupted | Unverified)  # a database that is away stays away
            for one in () if alone else batch:
                await self._do([one])
        finally:
            for _, done in batch:
                _settle(done, outcome)


def _settle(done: "asyncio.Future[None]", error: DatabaseError | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)
