"""Leaves made in a child process: keys, and the certificates for them.

Making an EC key, signing, and printing both is most of what issuing a certificate takes, and none of it needs the
server's state. So where many are issued a small child process does it, on another core where there is one: it gets
wishes and answers with finished leaves. While there is no child, or for what it could not do, the server makes the same
itself by the same functions. A child starts where a few wishes come close together, since that costs as much as a
thousand keys, and stays as long as there are more. All mounts together have no more of them than there are places.

Security 1: the issuer's key and the leaves' go through anonymous pipes and are never on disk; the child makes no core
dumps. Security 2: a child ends when an issuer has changed, at the next wish or when it is idle, so that no removed key
stays in it.
"""

import asyncio
import logging
from contextlib import suppress

import msgspec

from strongroom_server.engines.pki.issuers import Issuers
from strongroom_server.engines.pki.signer import Signer
from strongroom_server.lib.child_process import ChildProcess, running
from strongroom_server.lib.leaf_worker import Leaf, Question, Signatory, Wish
from strongroom_server.lib.signing import Signing
from strongroom_server.lib.x509 import key_der
from strongroom_server.sdk.system import Places

log = logging.getLogger("engines.pki.leaf_process")

_FEW = 16  # wishes within the time below before a child is worth its start
_IDLE = 10.0  # seconds without a wish, or without an answer to one, after which the child ends
_RETRY = 5.0  # seconds after a failure in which none is started
_ENCODER = msgspec.msgpack.Encoder()
_ANSWER: msgspec.msgpack.Decoder[Leaf | None] = msgspec.msgpack.Decoder(Leaf | None)


class _Works:
    """A child that is ready; ``age`` is that of the issuers when it began."""

    def __init__(self, process: ChildProcess, age: int) -> None:
        self.process = process
        self.age = age
        self._known: dict[tuple[str, Signing], int] = {}

    async def ask(self, wish: Wish, signer: Signer, signing: Signing) -> Leaf | None:
        """Return a leaf, or None where it cannot be made; raises OSError where the child ends."""
        number, signatory = self._known.get((signer.issuer.id, signing)), None
        if number is None:
            pattern = signer.pattern(signing)
            signatory = Signatory(pattern.algorithm, pattern.issuer, key_der(signer.key, pkcs8=True), signing)
            number = self._known[signer.issuer.id, signing] = len(self._known)
        return _ANSWER.decode(await self.process.ask(_ENCODER.encode(Question(number, wish, signatory))))


class LeafProcess:
    """The child of a mount, when there is one; to be used within one event loop."""

    def __init__(self, issuers: Issuers, places: Places, *, few: int = _FEW, idle: float = _IDLE,
                 retry: float = _RETRY) -> None:  # fmt: skip
        self._issuers = issuers
        self._places = places
        self._few = few
        self._idle = idle
        self._retry = retry
        self._misses, self._since = 0, 0.0
        self._works: _Works | None = None
        self._child: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    async def make(self, wish: Wish, signer: Signer, signing: Signing) -> Leaf | None:
        """Return a leaf, or None where there is no child that can make it."""
        works = self._works
        if works and works.age != self._issuers.changes:
            self._retire(works)
        elif works:
            with suppress(OSError):
                return await works.ask(wish, signer, signing)
            return None
        self._miss()
        return None

    def child(self) -> int:
        """Return the process id of the child, 0 while none is ready."""
        return self._works.process.pid if self._works else 0

    async def close(self) -> None:
        """End the child."""
        self._closing.set()
        if self._works:
            self._retire(self._works)
        if self._child:
            await self._child

    def _retire(self, works: _Works) -> None:
        self._works = None
        works.process.kill()

    def _miss(self) -> None:
        """Count a wish that no child gets; start one where many came lately."""
        now = asyncio.get_running_loop().time()
        if now - self._since > self._idle:
            self._misses, self._since = 0, now
        self._misses += 1
        busy = self._child is not None and not self._child.done()
        if self._misses > self._few and not busy and not self._closing.is_set() and self._places.take():
            self._child = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        try:
            async with running("strongroom_server.lib.leaf_worker") as process:
                await self._serve(process)
        except OSError:
            log.exception("the process that makes leaves failed")
            await _within(self._retry, self._closing)
        finally:
            self._places.give_back()

    async def _serve(self, process: ChildProcess) -> None:
        """Let a child work until it is idle, or hangs, or is retired; raises OSError where it ends by itself."""
        works = self._works = _Works(process, self._issuers.changes)
        seen = 0
        while seen != process.answers and not self._closing.is_set():
            seen = process.answers
            await _within(self._idle, process.ended)
        if self._works is works:
            self._works = None
            process.check()


async def _within(seconds: float, event: asyncio.Event) -> None:
    """Wait for an event, but no longer than that."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):  # the loop's own time: children live in the machine's
            await event.wait()
