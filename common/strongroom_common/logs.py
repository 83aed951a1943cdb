"""One way to log for every program: structured lines on standard error, as JSON or as text.

Fields go into ``extra={"fields": {...}}``; nothing secret belongs in them (see ``Secret``).
"""

import json
import logging
import sys
from typing import Literal, TextIO

from strongroom_common.clock import rfc3339

LEVELS = {"trace": 5, "debug": 10, "info": 20, "notice": 20, "warn": 30, "warning": 30, "err": 40, "error": 40}
_WORDS = {5: "TRACE", 10: "DEBUG", 20: "INFO", 30: "WARN", 40: "ERROR", 50: "ERROR"}


def _one_line(text: str) -> str:
    """Escape what could end the line or steer a terminal: part of it may come from a client."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _field(value: object) -> str:
    text = _one_line(str(value))
    return json.dumps(text, ensure_ascii=False) if " " in text or '"' in text or not text else text


Form = Literal["standard", "json"]


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "@timestamp": rfc3339(record.created),
            "@level": _WORDS.get(record.levelno, record.levelname).lower(),
            "@module": record.name,
            "@message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {key}={_field(value)}" for key, value in getattr(record, "fields", {}).items())
        level = f"[{_WORDS.get(record.levelno, record.levelname)}]"
        text = f"{rfc3339(record.created)} {level:<7} {record.name}: {_one_line(record.getMessage())}{fields}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def formatter(form: Form) -> logging.Formatter:
    """Return what makes lines of records."""
    return _Json() if form == "json" else _Text()


def configure(
    level: str = "info",
    form: Literal["standard", "json"] = "standard",
    stream: TextIO | None = None,
    file: logging.Handler | None = None,
) -> None:
    """Send the process's logs to ``stream`` (standard error) and ``file``; raises ValueError for an unknown level."""
    set_level(level)
    handlers = [logging.StreamHandler(stream or sys.stderr), *([file] if file else [])]
    for handler in handlers:
        handler.setFormatter(formatter(form))
    logging.addLevelName(5, "TRACE")
    logging.getLogger().handlers[:] = handlers


def set_level(level: str) -> None:
    """Log from this level on; raises ValueError for an unknown one."""
    if level.lower() not in LEVELS:
        raise ValueError(f"unknown log level {level!r}; expected one of {', '.join(LEVELS)}")
    logging.getLogger().setLevel(LEVELS[level.lower()])
