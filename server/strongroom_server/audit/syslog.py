"""The audit device that hands entries to the machine's syslog over its local socket, in RFC 3164's form."""

import asyncio
import logging.handlers
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from strongroom_common.fields import parse
from strongroom_server.sdk.audit import Device
from strongroom_server.sdk.errors import AuditError

_FACILITIES = logging.handlers.SysLogHandler.facility_names
_INFO = 6
_BUFFER = 2**20  # bytes: an entry is one datagram, and larger ones than the default are common


@dataclass(frozen=True)
class Options:
    """Options of ``audit enable syslog``. ``path`` is ours: where the local socket is."""

    facility: Annotated[str, "Facility, such as AUTH or LOCAL0."] = "AUTH"
    tag: Annotated[str, "Name of the program in the log."] = "strongroom"
    path: Annotated[str, "The system log's socket."] = "/dev/log"


class SyslogDevice:
    """Sends each entry as one datagram; connects anew once if that fails, as the log may have been restarted."""

    def __init__(self, path: str, facility: int, tag: str) -> None:
        self._path = path
        self._start = f"<{facility * 8 + _INFO}>{tag}[{os.getpid()}]: ".encode()
        self._socket: socket.socket | None = None
        self._turn = asyncio.Lock()

    async def write(self, line: bytes) -> None:
        """Send one entry; raises AuditError where the log does not take it."""
        async with self._turn:
            try:
                try:
                    await self._send(line)
                except (ConnectionError, FileNotFoundError):
                    self._drop()
                    await self._send(line)
            except OSError as error:
                self._drop()
                raise AuditError(f"syslog at {self._path}: {error.strerror or error}") from error

    async def reopen(self) -> None:
        """Connect anew with the next entry."""
        async with self._turn:
            self._drop()

    async def close(self) -> None:
        """Release the socket."""
        self._drop()

    async def _send(self, line: bytes) -> None:
        if self._socket is None:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
            connection.setblocking(False)
            self._socket = connection
            connection.connect(self._path)
        await asyncio.get_running_loop().sock_sendall(self._socket, self._start + line)

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None


async def open_device(options: Mapping[str, str]) -> Device:
    """Open the device; raises AuditError for an unknown facility."""
    given = parse(Options, options).value
    facility = _FACILITIES.get(given.facility.lower())
    if facility is None:
        raise AuditError(f"facility {given.facility!r}: expected one such as AUTH, DAEMON or LOCAL0")
    return SyslogDevice(given.path, facility, given.tag)
