"""sys/monitor: the server's log as it is written."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from strongroom_common.fields import Given
from strongroom_common.logs import LEVELS, Form
from strongroom_server.core.log_taps import LogTaps
from strongroom_server.core.sys.area import Area
from strongroom_server.sdk.engine import read
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.request import Raw, Response
from strongroom_server.sdk.storage import Storage
from strongroom_server.sdk.system import System

_FORMS: dict[str, Form] = {"": "standard", "standard": "standard", "json": "json"}
_LOOK = 0.5  # seconds between two looks whether the server was sealed or stops
_BEAT = 20  # looks without a line after which an empty one tells whether the watcher is still there


@dataclass(frozen=True)
class Watch:
    """Which lines, and how."""

    log_level: Annotated[str, "Lowest level: trace, debug, info, warn or error."] = "info"
    log_format: Annotated[str, '"standard" or "json".'] = "standard"


class Monitor(Area):
    """The log, streamed."""

    def __init__(self, storage: Storage, system: System) -> None:
        super().__init__(storage, system)
        self._taps = LogTaps()

    @read("monitor", sudo=True)
    async def watch(self, query: Given[Watch]) -> Response:
        """Stream the server's log until the client has seen enough; an empty line now and then means nothing."""
        level, form = query.value.log_level.lower(), query.value.log_format.lower()
        if level not in LEVELS:
            raise InvalidRequest("unknown log level: expected trace, debug, info, warn or error")
        if form not in _FORMS:
            raise InvalidRequest("unknown log format: expected standard or json")
        return Response(raw=Raw(self._lines(level, _FORMS[form]), "text/plain; charset=utf-8"))

    async def _lines(self, level: str, form: Form) -> AsyncIterator[bytes]:
        tap, quiet = self._taps.open(level, form), 0
        try:
            while not (self.server.sealed or self.server.stopping):  # Security 1: a sealed server tells nothing
                line = await tap.next_line(_LOOK)
                quiet = 0 if line else quiet + 1
                if line:
                    yield line
                elif quiet % _BEAT == 0:
                    yield b"\n"
        finally:
            self._taps.close(tap)
