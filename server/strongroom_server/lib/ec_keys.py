"""EC keys made ahead, already printed, in a process of their own.

Making and printing an EC key is quick, yet it is a large part of issuing a certificate. So a small child process makes
them at lower priority, a batch at a time, on another core where there is one; who finds none ready makes one. A pool
for a size is filled once a few keys of that size have been asked for, and again when a quarter of it is used. The child
stays as long as it is called now and then, since starting one costs as much as a thousand keys.

Security 1: keys come through an anonymous pipe and are never on disk. Security 2: the child makes no core dumps.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from strongroom_server.lib.ec_worker import IDENTIFIER, SIZES
from strongroom_server.lib.key_process import KeyProcess, running
from strongroom_server.lib.x509 import PublicPart

log = logging.getLogger("lib.ec_keys")

READY: Mapping[int, int] = {256: 512, 384: 64}
"""How many keys are kept ready, by size; there are none of other sizes."""
_FEW = 16  # keys of a size that are asked for before a child is worth its start
_IDLE = 10.0  # seconds without a call after which the child ends
_RETRY = 5.0  # seconds after a failure in which none is started


class EcKey(NamedTuple):
    """A private key as SEC 1 PEM without the last newline (as ``x509.key_pem``), and its public part."""

    pem: str
    public: PublicPart

    @property
    def private(self) -> EllipticCurvePrivateKey:
        """Return the key itself."""
        key = load_pem_private_key(self.pem.encode("ascii"), None)
        if not isinstance(key, EllipticCurvePrivateKey):
            raise ValueError("expected an EC key")
        return key

    def __repr__(self) -> str:
        return "EcKey(...)"


class EcKeys:
    """Pools of ready keys; to be used within one event loop."""

    def __init__(self, ready: Mapping[int, int] = READY, *, few: int = _FEW, idle: float = _IDLE,
                 retry: float = _RETRY) -> None:  # fmt: skip
        self._wanted = ready
        self._missing = dict.fromkeys(ready, few)
        self._batch = {bits: max(count // 4, 1) for bits, count in ready.items()}
        self._low = {bits: count * 3 // 4 for bits, count in ready.items()}
        self._idle = idle
        self._retry = retry
        self._ready: dict[int, deque[EcKey]] = {}
        self._called = asyncio.Event()
        self._closing = asyncio.Event()
        self._work: asyncio.Task[None] | None = None
        self._process: KeyProcess | None = None
        self._failed = False

    def take(self, bits: int) -> EcKey | None:
        """Return a key that nobody else has, at once, or None where none is ready."""
        ready = self._ready.get(bits)
        if ready:
            key = ready.popleft()
            if len(ready) < self._low[bits]:
                self._called.set()
            return key
        if bits in self._wanted and not self._closing.is_set():
            self._miss(bits)
        return None

    def ready(self, bits: int) -> int:
        """Return how many keys of a size are ready."""
        return len(self._ready.get(bits, ()))

    def child(self) -> int:
        """Return the process id of the child, 0 while there is none."""
        return self._process.pid if self._process else 0

    async def close(self) -> None:
        """End the child and forget all keys."""
        self._closing.set()
        self._called.set()
        if self._process:
            self._process.kill()
        if self._work:
            await asyncio.gather(self._work, return_exceptions=True)
        self._ready.clear()

    def _miss(self, bits: int) -> None:
        if self._missing[bits]:
            self._missing[bits] -= 1
            return
        self._ready.setdefault(bits, deque())
        self._called.set()
        if self._work is None:
            self._work = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        """Run a child whenever keys are called for, one after the other."""
        await self._called.wait()
        while not self._closing.is_set():
            try:
                await self._child()
            except (OSError, asyncio.IncompleteReadError):
                self._complain()
                await _within(self._retry, self._closing)
            await self._called.wait()

    async def _child(self) -> None:
        try:
            async with running("strongroom_server.lib.ec_worker") as self._process:
                while await _within(self._idle, self._called) and not self._closing.is_set():
                    await self._fill(self._process)
        finally:
            self._process = None

    async def _fill(self, process: KeyProcess) -> None:
        """Add a batch to the emptiest pool; where none has room for one, all is done until the next call."""
        short = [(len(keys) / self._wanted[bits], bits) for bits, keys in self._ready.items()
                 if len(keys) + self._batch[bits] <= self._wanted[bits]]  # fmt: skip
        if not short:
            self._called.clear()
            return
        bits = min(short)[1]
        self._ready[bits].extend(_unpacked(await process.ask(f"{bits} {self._batch[bits]}")))
        self._failed = False

    def _complain(self) -> None:
        """Say that a child failed, once until one works again."""
        if not self._failed and not self._closing.is_set():
            log.exception("the process that makes EC keys failed")
        self._failed = True


def _unpacked(batch: bytes) -> Iterator[EcKey]:
    start, sizes = 0, SIZES
    while start < len(batch):
        pem, spki = sizes.unpack_from(batch, start)
        start += sizes.size
        middle, end = start + pem, start + pem + spki
        text, public = batch[start:middle].decode("ascii"), batch[middle:end]
        start = end + IDENTIFIER
        yield EcKey(text, PublicPart(public, batch[end:start]))


async def _within(seconds: float, event: asyncio.Event) -> bool:
    """Wait for an event for a while; return whether it came."""
    try:
        async with asyncio.timeout(seconds):  # the loop's own time: children live in the machine's
            await event.wait()
    except TimeoutError:
        return False
    return True
