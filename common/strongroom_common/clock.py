"""Time as a parameter: production passes ``SystemClock``, tests pass ``FakeClock`` and move it by hand.

``asyncio`` is imported by those who sleep: the agent has no event loop and does not pay for one.
"""

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> float:
        """Return seconds since the epoch."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait until ``now()`` has moved on by ``seconds``."""
        ...


class SystemClock:
    """The machine's own time."""

    now = staticmethod(time.time)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        import asyncio

        await asyncio.sleep(seconds)


class FakeClock:
    """A clock that stands still until it is told to move (``advance``)."""

    def __init__(self, time: float = 1_700_000_000.0) -> None:
        self.time = time
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> float:
        """Return seconds since the epoch."""
        return self.time

    async def sleep(self, seconds: float) -> None:
        """Wait for ``advance`` to pass the moment."""
        import asyncio

        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.time + seconds, waiter))
        await waiter

    def wakes_within(self, seconds: float) -> bool:
        """Say whether somebody sleeps who wakes if the clock goes on by that much."""
        return any(moment <= self.time + seconds for moment, _ in self._sleepers)

    async def advance(self, seconds: float) -> None:
        """Move time on, waking sleepers in order and letting each run before the next."""
        end = self.time + seconds
        await _settle()
        while due := sorted((s for s in self._sleepers if s[0] <= end), key=lambda s: s[0]):
            moment, waiter = due[0]
            self._sleepers.remove(due[0])
            self.time = max(self.time, moment)
            if not waiter.done():
                waiter.set_result(None)
            await _settle()
        self.time = end
        await _settle()


async def _settle() -> None:
    import asyncio

    for _ in range(20):  # enough turns of the loop for what was woken to reach its next wait
        await asyncio.sleep(0)


def rfc3339(moment: float) -> str:
    """Print an epoch time as Vault does in most answers: UTC, to the microsecond, with a Z (RFC 3339)."""
    text = datetime.fromtimestamp(moment, UTC).isoformat(timespec="microseconds")
    return text.replace("+00:00", "Z")
