"""A program's log in files: a new one is begun when the old is too long or too old, and the oldest are removed.

Names and rules are those of Vault's ``log_file`` and ``log_rotate_…``
(https://developer.hashicorp.com/vault/docs/configuration#log_file).
"""

import logging
import os
from dataclasses import dataclass
from io import TextIOWrapper
from logging.handlers import BaseRotatingHandler
from pathlib import Path

_MODE = 0o640


@dataclass(frozen=True)
class LogFile:
    """``path`` is a file, or a folder if it ends in a slash. ``keep`` 0 keeps all finished files, less than 0 none.

    ``seconds`` and ``size`` (bytes) say when a file is full; 0 is never.
    """

    path: str
    seconds: int = 0
    size: int = 0
    keep: int = 0

    def handler(self, program: str) -> "RotatingFile":
        """Return what writes the file, named ``program``.log in a folder; raises OSError where it cannot be opened."""
        return RotatingFile(self, Path(self.path, f"{program}.log") if self.path.endswith("/") else Path(self.path))


class RotatingFile(BaseRotatingHandler):
    """Appends records; a record that is too many goes to a new file. Finished ones are NAME-<nanoseconds>.log."""

    def __init__(self, rules: LogFile, path: Path) -> None:
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        super().__init__(str(path), "a", encoding="utf-8", errors="replace")
        self._rules = rules
        self._begun = path.stat().st_mtime if path.stat().st_size else 0.0

    def _open(self) -> TextIOWrapper:
        return open(self.baseFilename, "a", encoding=self.encoding, errors=self.errors, opener=_private)

    def reopen(self) -> None:
        """Open the file anew with the next record, after somebody has moved it away."""
        self.close()

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802 the base class's name
        """Tell whether the file is full."""
        self._begun = self._begun or record.created
        if self._rules.seconds and record.created - self._begun >= self._rules.seconds:
            return True
        if not self._rules.size or self.stream is None:
            return False
        before = self.stream.tell()
        return before > 0 and before + len(self.format(record).encode("utf-8", "replace")) + 1 > self._rules.size

    def doRollover(self) -> None:  # noqa: N802 the base class's name
        """Set the file aside and begin another."""
        self.close()
        path = Path(self.baseFilename)
        finished = path.with_name(f"{path.stem}-{path.stat().st_mtime_ns}{path.suffix}")
        path.rename(finished)
        self._begun = 0.0
        self._prune(path)

    def _prune(self, path: Path) -> None:
        if not self._rules.keep:
            return
        finished = sorted(path.parent.glob(f"{path.stem}-*{path.suffix}"))
        for old in finished[: len(finished) - max(self._rules.keep, 0)]:
            old.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, _MODE)
