"""How fast requests may follow each other (``VAULT_RATE_LIMIT``), so that a script spares its server."""

import threading
from collections.abc import Callable
from typing import NamedTuple


class Rate(NamedTuple):
    """``each_second`` requests on average, ``burst`` of them at once."""

    each_second: float
    burst: int

    @classmethod
    def parse(cls, text: str) -> "Rate | None":
        """Read ``RATE`` or ``RATE:BURST``, None for a rate of 0 or less, which is any; raises ValueError."""
        rate, _, burst = text.partition(":")
        try:
            found = cls(float(rate), int(burst) if ":" in text else int(float(rate)))
        except (OverflowError, ValueError):
            raise ValueError("expected RATE or RATE:BURST, such as 10 or 0.5:3") from None
        return found if found.each_second > 0 else None


class Pace:
    """Has those who share it wait for their turn."""

    def __init__(self, rate: Rate, sleep: Callable[[float], object], now: Callable[[], float]) -> None:
        self._gap = 1 / rate.each_second
        self._slack = self._gap * max(rate.burst - 1, 0)
        self._sleep, self._now = sleep, now
        self._due = now() - self._slack
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Return when the next request may go."""
        with self._lock:
            now = self._now()
            due = max(self._due, now - self._slack)
            self._due = due + self._gap
        if due > now:
            self._sleep(due - now)
