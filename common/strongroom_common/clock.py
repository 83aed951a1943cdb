"""Time as a parameter: production passes ``SystemClock``, tests pass ``FakeClock`` and move it by hand."""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol


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

    def now(self) -> float:
        """Return seconds since the epoch."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


@dataclass
class FakeClock:
    """A clock that stands still until it is told to move (``advance``)."""

    time: float = 1_700_000_000.0
    _sleepers: list[tuple[float, "asyncio.Future[None]"]] = field(default_factory=list)

    def now(self) -> float:
        """Return seconds since the epoch."""
        return self.time

    async def sleep(self, seconds: float) -> None:
        """Wait for ``advance`` to pass the moment."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.time + seconds, waiter))
        await waiter

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
    for _ in range(20):  # enough turns of the loop for what was woken to reach its next wait
        await asyncio.sleep(0)


def rfc3339(moment: float) -> str:
    """Print an epoch time as Vault does in most answers: UTC, to the microsecond, with a Z (RFC 3339)."""
    text = datetime.fromtimestamp(moment, UTC).isoformat(timespec="microseconds")
    return text.replace("+00:00", "Z")
