"""sys/loggers: how much each part of the server logs, until it starts anew."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from strongroom_common.fields import Given
from strongroom_common.logs import LEVELS
from strongroom_server.core.sys.area import Area
from strongroom_server.sdk.engine import delete, read, write
from strongroom_server.sdk.errors import InvalidRequest

Name = Annotated[str, "Name of the part, such as core.leases."]
_PARTS = ("agent", "audit", "auth", "barrier", "core", "engines", "http", "lib", "seals", "server", "storage")


_WORDS = ("trace", "debug", "info", "warn", "error")


@dataclass(frozen=True)
class Level:
    """How much to log."""

    level: Annotated[str, "trace, debug, info, warn or error."] = ""


class Loggers(Area):
    """The levels of the server's log."""

    @read("loggers")
    async def read_levels(self) -> dict[str, Any]:
        """Tell how much each part logs."""
        return {logger.name: _word(logger.getEffectiveLevel()) for logger in _loggers()}

    @write("loggers")
    async def write_levels(self, body: Given[Level]) -> None:
        """Set how much every part logs."""
        level = _level(body.value.level)
        for logger in _loggers():
            logger.setLevel(level)

    @delete("loggers")
    async def reset_levels(self) -> None:
        """Let every part log as much as the server file says."""
        for logger in _loggers():
            logger.setLevel(logging.NOTSET)

    @read("loggers/{name}")
    async def read_level(self, name: Name) -> dict[str, Any]:
        """Tell how much a part logs."""
        return {logger.name: _word(logger.getEffectiveLevel()) for logger in _loggers() if logger.name == name}

    @write("loggers/{name}")
    async def write_level(self, name: Name, body: Given[Level]) -> None:
        """Set how much a part logs."""
        _found(name).setLevel(_level(body.value.level))

    @delete("loggers/{name}")
    async def reset_level(self, name: Name) -> None:
        """Let a part log as much as the server file says."""
        _found(name).setLevel(logging.NOTSET)


def _loggers() -> Iterator[logging.Logger]:
    """Yield the server's own loggers, by name; libraries' are not shown."""
    for name, logger in sorted(logging.root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger) and name.partition(".")[0] in _PARTS:
            yield logger


def _found(name: str) -> logging.Logger:
    for logger in _loggers():
        if logger.name == name:
            return logger
    raise InvalidRequest(f'logger "{name}" not found')


def _level(word: str) -> int:
    if not word:
        raise InvalidRequest("level is required")
    if word.lower() not in LEVELS:
        raise InvalidRequest(f"invalid level provided: unknown log level: expected one of {', '.join(LEVELS)}")
    return LEVELS[word.lower()]


def _word(level: int) -> str:
    return next((word for word in _WORDS if LEVELS[word] >= level), "error")
