"""How often codes were tried, and which have been used. In memory alone."""

from strongroom_common.clock import Clock

Holder = tuple[str, str]
"""A method's and an entity's id."""


class Tries:
    """Security 1: a code is good once (RFC 6238, 5.2), and guesses are few in each period."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._used: dict[tuple[Holder, int], float] = {}
        self._tried: dict[Holder, tuple[float, int]] = {}

    def now(self) -> float:
        """Return the time."""
        return self._clock.now()

    def count(self, holder: Holder, period: int) -> tuple[int, float]:
        """Count a try; returns how many there were within one period, and the seconds until that is over."""
        now = self._clock.now()
        until, number = self._tried.get(holder, (0.0, 0))
        if until <= now:
            self._tried = {key: value for key, value in self._tried.items() if value[0] > now}
            until, number = now + period, 0
        self._tried[holder] = until, number + 1
        return number + 1, until - now

    def use(self, holder: Holder, step: int, until: float) -> bool:
        """Say whether the code of ``step`` is used for the first time, and remember it until then."""
        now = self._clock.now()
        self._used = {key: end for key, end in self._used.items() if end > now}
        if (holder, step) in self._used:
            return False
        self._used[holder, step] = until
        self._tried.pop(holder, None)
        return True
