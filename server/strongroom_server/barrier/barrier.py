"""Sealed, it knows nothing; open, it encrypts what goes down to the store and decrypts what comes up.

The keyring lies in the store under the root key; whoever has the root key opens the barrier. Keys of entries are
stored as they are, values never.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from strongroom_common.clock import Clock, SystemClock
from strongroom_server.barrier.cache import ABSENT, EntryCache
from strongroom_server.barrier.cipher import KEY_SIZE, CannotDecrypt
from strongroom_server.barrier.keyring import KeyInfo, Keyring
from strongroom_server.barrier.view import View
from strongroom_server.sdk.backend import Backend, Change
from strongroom_server.sdk.errors import BackendError, Sealed, SealError

Observe = Callable[[float], None]
"""Takes how long something took, in milliseconds."""

KEYRING: Final = "core/keyring"
"""Where the keyring lies in the store."""

_COUNT_EVERY = 2**16  # encryptions between two durable counts; a crash loses at most so many of 2^32 that are allowed


@dataclass(slots=True)
class _Open:
    """What there is only while the barrier is open."""

    root_key: bytearray
    keyring: Keyring
    cache: EntryCache
    counted: int


class Barrier:
    """Encrypted storage over ``backend``. Every call but those on the keyring raises Sealed until ``unseal``.

    A value that does not decrypt raises BackendError; nothing of it is returned.
    """

    def __init__(self, backend: Backend, clock: Clock | None = None, cache: EntryCache | None = None,
                 series: Callable[[str], Observe] | None = None) -> None:  # fmt: skip
        """``series`` returns, for "vault.barrier.get" and the like, what is told how long each call of the store is."""
        self._backend = backend
        series = series or _ignoring
        self._got, self._put, self._listed = (series(f"vault.barrier.{call}") for call in ("get", "put", "list"))
        self._clock = clock or SystemClock()
        self._cache = EntryCache() if cache is None else cache  # an empty one is false
        self._open: _Open | None = None
        self._keys = asyncio.Lock()  # one change of the keyring at a time

    @property
    def sealed(self) -> bool:
        """Whether the keys are unknown."""
        return self._open is None

    async def initialized(self) -> bool:
        """Tell whether there is a keyring."""
        return await self._backend.get(KEYRING) is not None

    async def initialize(self, root_key: bytes, beside: Sequence[Change] = ()) -> None:
        """Make the keyring; ``beside`` are plain changes (the seal's own) stored in the same step. Stays sealed."""
        _check_key(root_key)
        async with self._keys:
            if await self.initialized():
                raise SealError("the barrier is already initialized")
            keyring = Keyring.create(self._clock.now())
            await self._store(keyring, root_key, beside)
            keyring.wipe()

    async def unseal(self, root_key: bytes) -> None:
        """Open the barrier; raises SealError where ``root_key`` does not open the keyring."""
        keyring = await self._load(root_key)
        if self._open is not None:
            keyring.wipe()
            return
        self._open = _Open(bytearray(root_key), keyring, self._cache.fresh(), keyring.encryptions)

    def seal(self) -> None:
        """Forget the keys and all decrypted entries. What Python copied meanwhile goes when it is collected."""
        if self._open is not None:
            self._open.keyring.wipe()
            self._open.root_key[:] = bytes(len(self._open.root_key))
        self._open = None

    async def rotate(self) -> None:
        """Install a new key for what is written from now on."""
        async with self._keys:
            current = self._now_open()
            keyring = current.keyring.rotated(self._clock.now())
            await self._store(keyring, current.root_key)
            current.keyring = keyring
            current.counted = keyring.encryptions

    async def rekey(self, new_root_key: bytes, beside: Sequence[Change] = ()) -> None:
        """Put the keyring under a new root key; ``beside`` are plain changes stored in the same step."""
        _check_key(new_root_key)
        async with self._keys:
            current = self._now_open()
            await self._store(current.keyring, new_root_key, beside)
            current.root_key[:] = new_root_key

    async def reload(self) -> None:
        """Read the keyring anew, after another server rotated it; seals and raises SealError if it no longer opens."""
        async with self._keys:
            current = self._now_open()
            try:
                current.keyring = await self._load(current.root_key)
            except SealError:
                self.seal()
                raise

    async def save_count(self) -> None:
        """Store how often the active key was used: before the server stops."""
        async with self._keys:
            current = self._now_open()
            await self._store(current.keyring, current.root_key)
            current.counted = current.keyring.encryptions

    def key_info(self) -> KeyInfo:
        """Describe the active key."""
        return self._now_open().keyring.info()

    def cache_counts(self) -> dict[str, int]:
        """Return how often decrypted entries were at hand ("hit"), were not ("miss"), and changed ("write")."""
        cache = self._now_open().cache
        return {"hit": cache.hits, "miss": cache.misses, "write": cache.writes}

    def view(self, prefix: str) -> View:
        """Return the storage below ``prefix``, which is "" or ends in a slash."""
        return View(self, prefix)

    def invalidate(self, key: str) -> None:
        """Forget a decrypted entry that another server changed; "" forgets all (see ``Watchable``)."""
        if self._open is None:
            return
        if key:
            self._open.cache.forget(key)
        else:
            self._open.cache.forget_all()

    async def get(self, key: str) -> bytes | None:
        """Return the entry, or None."""
        current = self._open
        if current is None:
            raise Sealed
        value = current.cache.look_up(key)
        if value is not ABSENT:
            return value  # type: ignore[return-value]  # the cache holds bytes and None
        return await self._read(current, key)

    async def commit(self, changes: Sequence[Change], prefix: str = "") -> None:
        """Encrypt and apply all changes, whose keys are below ``prefix``, in one atomic, durable step."""
        current = self._open
        if current is None:
            raise Sealed
        values = {prefix + change.key: change.value for change in changes}
        if KEYRING in values:
            raise BackendError(f"{KEYRING} is the barrier's own")
        sealed = current.keyring.encrypt(values)
        current.cache.begin_write(values)
        done, started = False, self._clock.now()
        try:
            await self._backend.commit(sealed)
            done = True
        finally:
            current.cache.end_write(values, done=done)
        self._put((self._clock.now() - started) * 1000)
        if current.keyring.encryptions - current.counted >= _COUNT_EVERY and not self._keys.locked():
            with contextlib.suppress(BackendError, Sealed):  # the changes are stored; the count waits for the next
                await self.save_count()

    async def list(self, prefix: str) -> list[str]:
        """Return the names directly below ``prefix``, sorted; folders end in a slash."""
        self._now_open()
        started = self._clock.now()
        names = await self._backend.list(prefix)
        self._listed((self._clock.now() - started) * 1000)
        return names

    async def _read(self, current: _Open, key: str) -> bytes | None:
        started = self._clock.now()
        reading = current.cache.begin_read(key)
        found: object = ABSENT
        try:
            entry = await self._backend.get(key)
            if self._open is not current:  # sealed meanwhile
                raise Sealed
            found = value = None if entry is None else _decrypt(current.keyring, key, entry)
        finally:
            current.cache.end_read(key, reading, found)
        self._got((self._clock.now() - started) * 1000)
        return value

    def _now_open(self) -> _Open:
        if self._open is None:
            raise Sealed
        return self._open

    async def _load(self, root_key: bytes | bytearray) -> Keyring:
        entry = await self._backend.get(KEYRING)
        if entry is None:
            raise SealError("the barrier is not initialized")
        try:
            return Keyring.opened(bytes(root_key), KEYRING, entry)
        except CannotDecrypt as error:
            raise SealError(str(error)) from None

    async def _store(self, keyring: Keyring, root_key: bytes | bytearray, beside: Sequence[Change] = ()) -> None:
        await self._backend.commit([keyring.sealed(bytes(root_key), KEYRING), *beside])


def _ignoring(name: str) -> Observe:
    del name
    return lambda milliseconds: None


def _decrypt(keyring: Keyring, key: str, entry: bytes) -> bytes:
    try:
        return keyring.decrypt(key, entry)
    except CannotDecrypt as error:
        raise BackendError(f"entry {key!r} could not be decrypted: {error}") from None


def _check_key(root_key: bytes) -> None:
    if len(root_key) != KEY_SIZE:
        raise SealError(f"the root key has {len(root_key)} bytes: expected {KEY_SIZE}")
