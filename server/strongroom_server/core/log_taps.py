"""Lines of the log for those who watch them (sys/monitor), at a level of their own."""

import asyncio
import logging

from strongroom_common.logs import LEVELS, Form, formatter

_KEPT = 512  # lines that wait for a slow watcher; what comes then is dropped


class Tap(logging.Handler):
    """Keeps formatted lines for one watcher, who takes them by ``next_line``."""

    def __init__(self, level: int, form: Form) -> None:
        super().__init__(level)
        self.setFormatter(formatter(form))
        self._lines: asyncio.Queue[bytes] = asyncio.Queue(_KEPT)
        self._loop = asyncio.get_running_loop()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record's line; any thread may log."""
        self._loop.call_soon_threadsafe(self._keep, self.format(record).encode() + b"\n")

    def _keep(self, line: bytes) -> None:
        if not self._lines.full():
            self._lines.put_nowait(line)

    async def next_line(self, seconds: float) -> bytes | None:
        """Return the next line, or None where none came in time."""
        try:
            async with asyncio.timeout(seconds):
                return await self._lines.get()
        except TimeoutError:
            return None


class LogTaps:
    """The taps that are open. While one wants more than the log itself tells, the log's own handlers keep to less."""

    def __init__(self) -> None:
        self._taps: list[Tap] = []
        self._own: dict[logging.Handler, int] = {}
        self._level = logging.NOTSET

    def open(self, level: str, form: Form) -> Tap:
        """Return a new tap; raises KeyError for an unknown level."""
        root = logging.getLogger()
        tap = Tap(LEVELS[level], form)
        if not self._taps:
            self._level = root.level
            self._own = {handler: handler.level for handler in root.handlers}
            for handler, own in self._own.items():
                handler.setLevel(max(own, root.level))
        self._taps.append(tap)
        root.addHandler(tap)
        root.setLevel(min(root.level, tap.level))
        return tap

    def close(self, tap: Tap) -> None:
        """Open no more; with the last one the log is as before."""
        root = logging.getLogger()
        root.removeHandler(tap)
        self._taps.remove(tap)
        if not self._taps:
            root.setLevel(self._level)
            for handler, own in self._own.items():
                handler.setLevel(own)
            self._own = {}
