"""What waits some minutes for whoever comes for it: codes of the OpenID provider, logins without their second factor.

In memory alone: where the server stops meanwhile, the user begins again.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

from strongroom_common.clock import Clock

T = TypeVar("T")

LIFETIME = 300
"""Seconds."""


class Fleeting(Generic[T]):
    """Values by a text that ``fresh`` makes up, ``most`` of them at a time: the oldest go where there are more."""

    def __init__(self, clock: Clock, most: int, fresh: Callable[[], str]) -> None:
        self._clock = clock
        self._most = most
        self._fresh = fresh
        self._kept: dict[str, tuple[float, T]] = {}

    def keep(self, value: T) -> str:
        """Return the text that the value can be fetched by."""
        now = self._clock.now()
        while self._kept:  # they lie in the order of their ends
            oldest, (end, _) = next(iter(self._kept.items()))
            if end > now and len(self._kept) < self._most:
                break
            del self._kept[oldest]
        text = self._fresh()
        self._kept[text] = now + LIFETIME, value
        return text

    def find(self, text: str) -> T | None:
        """Return a value that waits still, or None."""
        end, value = self._kept.get(text, (0.0, None))
        return value if end > self._clock.now() else None

    def take(self, text: str) -> T | None:
        """As ``find``, and it waits no more. Security 1: of two who come for it at once, one gets it."""
        value = self.find(text)
        self._kept.pop(text, None)
        return value
