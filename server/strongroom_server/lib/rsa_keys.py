"""RSA keys made ahead, in processes of their own.

Making an RSA key takes a core for 50 ms and more, and the library holds the interpreter meanwhile: in a thread it
would stop the whole server. So small child processes make them, at low priority, while the server goes on; a pool for
each size is filled once a key of that size has been asked for, and again when a quarter of it is used. A child ends
when all pools are full.

Security 1: keys come through an anonymous pipe and are never on disk. Security 2: the child makes no core dumps.
"""

import asyncio
import logging
import os
from collections import deque
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from strongroom_server.lib.child_process import ChildProcess, running
from strongroom_server.lib.x509 import trusted_rsa_key
from strongroom_server.sdk.errors import Unavailable

log = logging.getLogger("lib.rsa_keys")

READY: Mapping[int, int] = {2048: 128, 3072: 32, 4096: 16}
"""How many keys are kept ready, by size; other sizes are made when they are asked for."""
_NONE = "RSA keys cannot be made now"


class RsaKeys:
    """Keys of any size; ``take`` returns a ready one or waits until one is made."""

    def __init__(self, ready: Mapping[int, int] = READY, children: int = 0) -> None:
        self._wanted = ready
        self._most = children or min(os.cpu_count() or 1, 4)
        self._ready: dict[int, deque[RSAPrivateKey]] = {}
        self._waiting: deque[tuple[int, asyncio.Future[RSAPrivateKey]]] = deque()
        self._children: set[asyncio.Task[None]] = set()
        self._processes: set[ChildProcess] = set()
        self._closing = False

    async def take(self, bits: int, *, ahead: bool = True) -> RSAPrivateKey:
        """Return a key that nobody else has; with ``ahead`` more of that size are made for those who come next.

        Raises Unavailable where none can be made (any more).
        """
        if self._closing:
            raise Unavailable(_NONE)
        ready = self._ready.setdefault(bits, deque()) if ahead else self._ready.get(bits)
        if ready:
            key = ready.popleft()
            self._call()
            return key
        waiter: asyncio.Future[RSAPrivateKey] = asyncio.get_running_loop().create_future()
        self._waiting.append((bits, waiter))
        self._call()
        return await waiter

    def ready(self, bits: int) -> int:
        """Return how many keys of a size are ready."""
        return len(self._ready.get(bits, ()))

    async def close(self) -> None:
        """End the children and forget all keys."""
        self._closing = True
        for process in self._processes:
            process.kill()
        await asyncio.gather(*self._children, return_exceptions=True)
        self._give_up()
        self._ready.clear()

    def _call(self) -> None:
        """Start as many children as there is work for, unless this is closing."""
        missing = {bits: self._wanted.get(bits, 0) - len(keys) for bits, keys in self._ready.items()}
        low = sum(count for bits, count in missing.items() if count > self._wanted.get(bits, 0) / 4)
        while not self._closing and len(self._children) < min(self._most, len(self._waiting) + low):
            task = asyncio.ensure_future(self._child())
            self._children.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, child: "asyncio.Task[None]") -> None:
        self._children.discard(child)
        if self._waiting:  # who came while it was ending: it did not serve any more and yet counted as a child
            self._call()

    def _next(self) -> int:
        """Return the size to make next: those waited for first, then the emptiest pool; 0 for nothing."""
        if self._closing:
            return 0
        while self._waiting and self._waiting[0][1].cancelled():
            self._waiting.popleft()
        if self._waiting:
            return self._waiting[0][0]
        short = [(len(keys) / self._wanted[bits], bits) for bits, keys in self._ready.items()
                 if len(keys) < self._wanted.get(bits, 0)]  # fmt: skip
        return min(short)[1] if short else 0

    async def _child(self) -> None:
        try:
            async with running("strongroom_server.lib.rsa_worker") as process:
                await self._serve(process)
        except OSError:
            if not self._closing:
                log.exception("the process that makes RSA keys failed")
            self._give_up()

    def _give_up(self) -> None:
        for _, waiter in self._waiting:
            if not waiter.done():
                waiter.set_exception(Unavailable(_NONE))
        self._waiting.clear()

    async def _serve(self, process: ChildProcess) -> None:
        self._processes.add(process)
        try:
            while bits := self._next():
                await self._make(bits, process)
        finally:
            self._processes.discard(process)

    async def _make(self, bits: int, process: ChildProcess) -> None:
        waiter = self._claim(bits)
        try:
            key = trusted_rsa_key(await process.ask(b"%d" % bits))
        except BaseException:
            if waiter is not None:
                self._waiting.appendleft((bits, waiter))
            raise
        self._deliver(bits, key, waiter)

    def _claim(self, bits: int) -> "asyncio.Future[RSAPrivateKey] | None":
        """Take the wish that is served next, so that two children do not serve the same."""
        if self._waiting and self._waiting[0][0] == bits:
            return self._waiting.popleft()[1]
        return None

    def _deliver(self, bits: int, key: RSAPrivateKey, waiter: "asyncio.Future[RSAPrivateKey] | None") -> None:
        if waiter is not None and not waiter.done():
            waiter.set_result(key)
            return
        for index, (size, other) in enumerate(self._waiting):
            if size == bits and not other.done():
                del self._waiting[index]
                other.set_result(key)
                return
        self._ready.setdefault(bits, deque()).append(key)
