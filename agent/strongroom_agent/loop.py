"""One thread that decides, short-lived threads that wait for others.

All state of the agent belongs to the thread in ``run``. Whatever may block (a request, a command) runs as a job in a
thread of its own and hands its outcome back. So nothing is locked, and an idle agent is a single thread.
"""

import heapq
import itertools
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from strongroom_common.clock import Clock

T = TypeVar("T")
Action = Callable[[], object]


class Outcome:
    """What became of a job: ``get()`` returns its value or raises its error."""

    def __init__(self, value: Any = None, error: Exception | None = None) -> None:
        self._value, self.error = value, error

    def get(self) -> Any:
        """Return the value or raise the error."""
        if self.error:
            raise self.error
        return self._value


class Timer:
    """An action to come; ``cancel`` keeps it from running."""

    def __init__(self, action: Action) -> None:
        self.action: Action | None = action

    def cancel(self) -> None:
        """Do nothing when the time comes."""
        self.action = None


class Loop:
    """Runs actions one after another: those posted, and those whose time has come.

    ``post`` may be called from any thread and from signal handlers (``SimpleQueue`` is reentrant).
    """

    def __init__(self, clock: Clock, jobs: int = 10) -> None:
        self.clock = clock
        self._queue: SimpleQueue[Action] = SimpleQueue()
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._waiting: list[tuple[Action, Callable[[Outcome], object]]] = []
        self._free = jobs
        self._threads: set[threading.Thread] = set()
        self._code: int | None = None

    def post(self, action: Action) -> None:
        """Run ``action`` soon."""
        self._queue.put(action)

    def after(self, seconds: float, action: Action) -> Timer:
        """Run ``action`` in so many seconds."""
        timer = Timer(action)
        heapq.heappush(self._timers, (self.clock.now() + seconds, next(self._order), timer))
        return timer

    def start(self, work: Callable[[], T], then: Callable[[Outcome], object]) -> None:
        """Do ``work`` in a thread, then call ``then`` with its outcome here. Beyond the limit jobs wait in line."""
        self._waiting.append((work, then))
        self._launch()

    def stop(self, code: int) -> None:
        """Make ``run`` return ``code``; the first one counts."""
        if self._code is None:
            self._code = code

    @property
    def stopping(self) -> bool:
        """Whether ``stop`` was called."""
        return self._code is not None

    def run(self) -> int:
        """Run until ``stop``; returns its code."""
        while self._code is None:
            self._due()
            if self._code is None:
                self._next()
        self._wind_up()
        return self._code

    def _wind_up(self) -> None:
        """Give jobs a moment to end: a thread that writes a log while the interpreter goes down makes it abort."""
        for thread in self._threads:
            thread.join(0.3)
            if thread.is_alive():
                return  # it waits for a server or a command; it dies in that wait

    def _next(self) -> None:
        try:
            self._queue.get(timeout=self._pause())()
        except Empty:
            return

    def _pause(self) -> float | None:
        if not self._timers:
            return None
        # no longer than a minute: the wall clock may be set while we wait
        return min(max(self._timers[0][0] - self.clock.now(), 0), 60)

    def _due(self) -> None:
        while self._timers and self._timers[0][0] <= self.clock.now() and self._code is None:
            timer = heapq.heappop(self._timers)[2]
            if timer.action:
                timer.action()

    def _launch(self) -> None:
        while self._waiting and self._free:
            work, then = self._waiting.pop(0)
            self._free -= 1
            thread = threading.Thread(target=self._work, args=(work, then), daemon=True)
            self._threads.add(thread)
            thread.start()

    def _work(self, work: Action, then: Callable[[Outcome], object]) -> None:
        try:
            outcome = Outcome(work())
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is raised where the outcome is taken
            outcome = Outcome(error=error)
        thread = threading.current_thread()
        self.post(lambda: self._done(thread, outcome, then))

    def _done(self, thread: threading.Thread, outcome: Outcome, then: Callable[[Outcome], object]) -> None:
        self._threads.discard(thread)
        self._free += 1
        self._launch()
        then(outcome)


class BackOff:
    """Growing pauses between tries: doubled each time up to a limit, each shortened by up to a quarter at random."""

    def __init__(self, first: float, limit: float, random: Callable[[], float]) -> None:
        self.first, self.limit, self.random = first, limit, random
        self.tries = 0

    def next(self) -> float:
        """Return the seconds to wait before the next try."""
        pause = min(self.first * 2.0 ** min(self.tries, 30), self.limit)
        self.tries += 1
        return pause * (1 - self.random() / 4)

    def reset(self) -> None:
        """Begin again with the first pause."""
        self.tries = 0
