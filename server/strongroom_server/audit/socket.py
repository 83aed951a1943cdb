"""The audit device that sends entries, a line each, to a socket: TCP, UDP or Unix.

A TCP connection that was cut swallows what is sent first, as Vault's documentation warns; that the other side has
closed is noticed before each entry, and then a new connection is made. A second device beside it is wise.
"""

import asyncio
import contextlib
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from strongroom_common.durations import parse_duration
from strongroom_common.fields import parse
from strongroom_server.sdk.audit import Device
from strongroom_server.sdk.errors import AuditError


@dataclass(frozen=True)
class Options:
    """Options of ``audit enable socket``."""

    address: Annotated[str, "host:port, or the path of a Unix socket."] = ""
    socket_type: Annotated[Literal["tcp", "udp", "unix"], "Kind of socket."] = "tcp"
    write_timeout: Annotated[str, "How long one entry may take."] = "2s"


class SocketDevice:
    """Keeps one connection; an entry that fails is sent once more over a new one."""

    def __init__(self, address: str, kind: str, timeout: float) -> None:
        self._address = address
        self._kind = kind
        self._timeout = timeout
        self._socket: socket.socket | None = None
        self._turn = asyncio.Lock()

    async def write(self, line: bytes) -> None:
        """Send one line; raises AuditError where it could not be handed to the system within the time allowed."""
        async with self._turn:
            try:
                async with asyncio.timeout(self._timeout):
                    await self._send_or_retry(line + b"\n")
            except TimeoutError:
                self._drop()  # half a line may be out
                raise AuditError(f"socket {self._address}: timed out after {self._timeout:g} s") from None
            except OSError as error:
                self._drop()
                raise AuditError(f"socket {self._address}: {error.strerror or error}") from error

    async def connect(self) -> None:
        """Connect now; raises AuditError."""
        async with self._turn:
            try:
                async with asyncio.timeout(self._timeout):
                    await self._connect()
            except OSError as error:  # TimeoutError is one
                self._drop()
                raise AuditError(f"socket {self._address}: {error.strerror or error or 'timed out'}") from error

    async def reopen(self) -> None:
        """Connect anew."""
        self._drop()
        await self.connect()

    async def close(self) -> None:
        """Release the connection."""
        self._drop()

    async def _send_or_retry(self, data: bytes) -> None:
        try:
            if self._gone():
                await self._connect()
            await self._send(data)
        except OSError:
            await self._connect()
            await self._send(data)

    async def _send(self, data: bytes) -> None:
        if self._socket is None:
            raise ConnectionError("not connected")
        await asyncio.get_running_loop().sock_sendall(self._socket, data)

    def _gone(self) -> bool:
        """Tell whether the other side has closed; what it sends is of no interest."""
        if self._socket is None:
            return True
        with contextlib.suppress(BlockingIOError):
            return self._kind != "udp" and self._socket.recv(4096) == b""
        return False

    async def _connect(self) -> None:
        self._drop()
        loop = asyncio.get_running_loop()
        if self._kind == "unix":
            family, type_, target = socket.AF_UNIX, socket.SOCK_STREAM, self._address
            self._socket = _new(family, type_)
            await loop.sock_connect(self._socket, target)
            return
        host, _, port = self._address.rpartition(":")
        type_ = socket.SOCK_DGRAM if self._kind == "udp" else socket.SOCK_STREAM
        found = await loop.getaddrinfo(host.strip("[]"), port, type=type_)
        self._socket = _new(found[0][0], type_)
        await loop.sock_connect(self._socket, found[0][4])

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None


def _new(family: socket.AddressFamily, kind: socket.SocketKind) -> socket.socket:
    connection = socket.socket(family, kind)
    connection.setblocking(False)
    return connection


async def open_device(options: Mapping[str, str]) -> Device:
    """Connect; raises AuditError that names the wrong option or says why there is no connection."""
    given = parse(Options, options).value
    if not given.address:
        raise AuditError("address is required")
    if given.socket_type != "unix" and not given.address.rpartition(":")[0]:
        raise AuditError(f"address {given.address!r}: expected host:port")
    device = SocketDevice(given.address, given.socket_type, parse_duration(given.write_timeout))
    await device.connect()
    return device
