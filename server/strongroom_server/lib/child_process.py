"""A child process that answers (see ``child_program`` for its side): started, asked over anonymous pipes, ended.

None outlives its server: the end of the ``with`` kills it, and should the server itself be killed, the end of its input
tells it.

Security 1: a child is handed secrets, so it takes its modules from where they are installed, never from the folder that
the server was started in.
"""

import asyncio
import sys
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import cast

from strongroom_server.lib.child_program import SIZE

_START = 60.0  # seconds until a child must be ready
_ENDED = "the child process ended"


class ChildProcess(asyncio.SubprocessProtocol):
    """One running child. Whatever is asked meanwhile, answers come in the order of the questions."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[bytes]] = deque()
        self._received = bytearray()
        self.answers = 0
        self.ended = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the pipes."""
        self._process = cast("asyncio.SubprocessTransport", transport)
        self._input = cast("asyncio.WriteTransport", self._process.get_pipe_transport(0))

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Hand out the answers that are whole."""
        del fd
        received, begin = self._received, SIZE
        received += data
        while len(received) >= begin and len(received) >= (end := begin + _size(received, begin)):
            waiter = self._waiting.popleft()
            if not waiter.done():  # who asked may have gone
                waiter.set_result(bytes(received[begin:end]))
            self.answers += 1
            begin = end + SIZE
        del received[: begin - SIZE]

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell all who wait: it has ended and all that it said was heard."""
        del exc
        self.ended.set()
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_exception(OSError(_ENDED))

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._process.get_pid()

    def check(self) -> None:
        """Raise OSError where it has ended."""
        if self.ended.is_set():
            raise OSError(_ENDED)

    async def ask(self, question: bytes) -> bytes:
        """Return the answer; raises OSError where it ends without one."""
        self.check()
        waiter: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        self._input.write(len(question).to_bytes(SIZE) + question)
        return await waiter

    def kill(self) -> None:
        """End it."""
        self._input.close()
        with suppress(ProcessLookupError):
            self._process.kill()


def _size(received: bytearray, at: int) -> int:
    return int.from_bytes(received[at - SIZE : at])


@asynccontextmanager
async def running(module: str) -> AsyncIterator[ChildProcess]:
    """Start ``python -m module``, wait until it is ready, end it afterwards.

    Raises OSError where it does not start, or not in time.
    """
    loop = asyncio.get_running_loop()
    transport, child = await loop.subprocess_exec(
        ChildProcess,
        sys.executable,
        "-P",
        "-m",
        module,
        stderr=None,
        start_new_session=True,  # no Ctrl-C but the server's
    )
    try:
        async with asyncio.timeout(_START):
            await child.ask(b"")
        yield child
    finally:
        child.kill()
        await child.ended.wait()
        transport.close()
