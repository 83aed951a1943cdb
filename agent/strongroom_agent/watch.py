"""Keeps the values that templates depend on: fetched once, renewed or read again at their time, retried on failure."""

import logging
from collections.abc import Callable, Hashable, Iterable
from typing import Any

from strongroom_agent.config import Rendering
from strongroom_agent.fetch import Dependency, Fetched, Fetcher, file_changed
from strongroom_agent.functions.dependencies import Certificate, File
from strongroom_agent.loop import BackOff, Loop, Outcome, Timer
from strongroom_client import PermissionDenied

log = logging.getLogger("agent.template")
_FIRST_RETRY, _LONGEST_RETRY = 0.25, 60.0
_FILE_INTERVAL = 2.0
_SPREAD = 0.1  # of a lease's life: agents started together do not all come back together


class Entry:
    """One dependency: its value, its lease, and what is planned for it."""

    def __init__(self, back_off: BackOff) -> None:
        self.back_off = back_off
        self.fetched: Fetched | None = None
        self.timer: Timer | None = None
        self.busy = False
        self.seen = 0.0  # a file's time of change


class Watcher:
    """All dependencies of all templates. ``changed`` is called with each that has a new value.

    ``failed`` is called when a dependency's tries are used up (``retries`` after the first); it is tried on at the
    longest interval all the same, unless the agent stops. ``denied`` is called when the server refuses: the token
    may have gone. ``trouble`` hears of each failure.
    """

    def __init__(self, loop: Loop, fetcher: Fetcher, rendering: Rendering, retries: int,
                 random: Callable[[], float]) -> None:  # fmt: skip
        self._loop, self._fetcher, self._rendering, self._retries = loop, fetcher, rendering, retries
        self._random = random
        self._entries: dict[Dependency, Entry] = {}
        self.changed: Callable[[Dependency], None] = lambda _: None
        self.failed: Callable[[Dependency, Exception], None] = lambda _, __: None
        self.denied: Callable[[], object] = lambda: None
        self.trouble: Callable[[str], object] = lambda _: None

    def value(self, dependency: Hashable) -> Any:
        """Return a value, None while there is none."""
        entry = self._entries.get(dependency)  # type: ignore[call-overload]  # templates know it as a key alone
        return entry.fetched.value if entry and entry.fetched else None

    def need(self, dependencies: Iterable[Dependency]) -> None:
        """Begin to fetch what is not known yet."""
        for dependency in dependencies:
            if dependency not in self._entries:
                self._entries[dependency] = Entry(BackOff(_FIRST_RETRY, _LONGEST_RETRY, self._random))
                self._fetch(dependency)

    def keep_only(self, dependencies: set[Dependency]) -> None:
        """Forget what no template asks for any more."""
        for dependency in set(self._entries) - dependencies:
            entry = self._entries.pop(dependency)
            if entry.timer:
                entry.timer.cancel()

    def refresh(self, dependencies: Iterable[Dependency]) -> None:
        """Fetch again now, whatever was planned."""
        for dependency in dependencies:
            entry = self._entries.get(dependency)
            if entry and not entry.busy:
                self._fetch(dependency)

    def token_changed(self) -> None:
        """Fetch everything again: leases end with the token that they were taken with."""
        for entry in self._entries.values():
            entry.back_off.reset()
        self.refresh([d for d in self._entries if not isinstance(d, File | Certificate) or self.value(d) is None])

    def _plan(self, dependency: Dependency, seconds: float, action: Callable[[Dependency], None]) -> None:
        entry = self._entries[dependency]
        if entry.timer:
            entry.timer.cancel()
        entry.timer = self._loop.after(seconds, lambda: action(dependency))

    def _fetch(self, dependency: Dependency) -> None:
        self._run(dependency, lambda: self._fetcher.fetch(dependency), self._arrived)

    def _run(self, dependency: Dependency, work: Callable[[], Fetched],
             then: Callable[[Dependency, Entry, Fetched], None]) -> None:  # fmt: skip
        entry = self._entries[dependency]
        if entry.timer:
            entry.timer.cancel()
        entry.busy = True
        self._loop.start(work, lambda outcome: self._done(dependency, entry, outcome, then))

    def _done(self, dependency: Dependency, entry: Entry, outcome: Outcome,
              then: Callable[[Dependency, Entry, Fetched], None]) -> None:  # fmt: skip
        entry.busy = False
        if self._entries.get(dependency) is not entry:
            return  # forgotten meanwhile
        if outcome.error:
            self._retry(dependency, entry, outcome.error)
            return
        entry.back_off.reset()
        then(dependency, entry, outcome.get())

    def _arrived(self, dependency: Dependency, entry: Entry, fetched: Fetched) -> None:
        entry.fetched = fetched
        self._schedule(dependency, entry)
        self.changed(dependency)

    def _retry(self, dependency: Dependency, entry: Entry, error: Exception) -> None:
        tries = entry.back_off.tries + 1
        pause = entry.back_off.next()
        self.trouble(f"{dependency}: {error}")
        if isinstance(error, PermissionDenied):
            self.denied()
        if self._retries < tries:
            log.error("%s: %s (giving up after %d tries)", dependency, error, tries)
            self.failed(dependency, error)
            pause = _LONGEST_RETRY
        else:
            log.warning("%s: %s (retry attempt %d after %.2fs)", dependency, error, tries, pause)
        if not self._loop.stopping:
            self._plan(dependency, pause, self._fetch)

    # what comes after a value has arrived

    def _schedule(self, dependency: Dependency, entry: Entry) -> None:
        fetched = entry.fetched
        if isinstance(dependency, File):
            entry.seen = file_changed(dependency.path, 0)
            self._plan(dependency, _FILE_INTERVAL, self._look_at_file)
        elif fetched and fetched.lease_id and fetched.renewable and fetched.seconds:
            self._plan(dependency, fetched.seconds * 2 / 3 * self._spread(), self._renew)
        elif fetched:
            pause = seconds_until_next(fetched, self._rendering, self._loop.clock.now(), self._random())
            self._plan(dependency, pause, self._fetch)

    def _spread(self) -> float:
        return spread(self._random())

    def _look_at_file(self, dependency: Dependency) -> None:
        entry = self._entries[dependency]
        if isinstance(dependency, File) and file_changed(dependency.path, entry.seen):
            self._fetch(dependency)
        else:
            self._plan(dependency, _FILE_INTERVAL, self._look_at_file)

    def _renew(self, dependency: Dependency) -> None:
        entry = self._entries[dependency]
        lease_id = entry.fetched.lease_id if entry.fetched else ""
        entry.busy = True
        self._loop.start(
            lambda: self._fetcher.renew(lease_id), lambda outcome: self._renewed(dependency, entry, outcome)
        )

    def _renewed(self, dependency: Dependency, entry: Entry, outcome: Outcome) -> None:
        entry.busy = False
        old = entry.fetched
        if self._entries.get(dependency) is not entry or old is None:
            return
        if outcome.error:
            log.warning("%s: lease not renewed, reading it again: %s", dependency, outcome.error)
            self._fetch(dependency)
            return
        renewed: Fetched = outcome.get()
        if renewed.renewable and renewed.seconds > old.seconds / 2:
            self._plan(dependency, renewed.seconds * 2 / 3 * self._spread(), self._renew)
        else:  # its longest life is near: a new one before the old one ends
            self._plan(dependency, renewed.seconds * self._rendering.threshold * self._spread(), self._fetch)


def spread(random: float) -> float:
    """Return a factor from 0.9 to 1 for a random number from 0 to 1."""
    return 1 - _SPREAD * random


def seconds_until_next(fetched: Fetched, rendering: Rendering, now: float, random: float) -> float:
    """Return when to fetch a value again that nobody can renew.

    A certificate, or a lease, after its threshold's share of life; a password that the server rotates, right after
    that; anything else at the polling interval. All but the rotation are spread by ``random`` (0 to 1).
    """
    if fetched.rotates:
        return fetched.seconds + 1
    if fetched.expires:
        return max((fetched.expires - now) * rendering.threshold * spread(random), 1)
    life = fetched.seconds * rendering.threshold if fetched.seconds else rendering.interval
    return life * spread(random)
