"""A child process that makes keys (see ``key_worker`` for its side): started, asked over anonymous pipes, ended.

None outlives its server: the end of the ``with`` kills it, and should the server itself be killed, the end of its input
tells it.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class KeyProcess:
    """One running child."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        if process.stdin is None or process.stdout is None:
            raise OSError("no pipes")
        self._input, self._output = process.stdin, process.stdout
        self._process = process

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._process.pid

    async def ask(self, wish: str) -> bytes:
        """Send one line and return the answer; raises OSError or asyncio.IncompleteReadError where it has ended."""
        self._input.write(f"{wish}\n".encode())
        await self._input.drain()
        size = int.from_bytes(await self._output.readexactly(4))
        return await self._output.readexactly(size)

    def kill(self) -> None:
        """End it; who waits for an answer is told by an error."""
        with suppress(ProcessLookupError):
            self._process.kill()


@asynccontextmanager
async def running(module: str) -> AsyncIterator[KeyProcess]:
    """Start ``python -m module`` and end it afterwards; raises OSError where it does not start."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    child = KeyProcess(process)
    try:
        yield child
    finally:
        child.kill()
        await process.communicate()
