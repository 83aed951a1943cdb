"""Leases: every secret and token with an end, and the work of ending it.

A secret's lease is stored below ``sys/expire/id/<lease id>`` in the same step as what it is for; ``token/<token hash>/
<hash of the lease id>`` finds the leases of a token. A token's own lease is told from the token's record, and stored
only once ending it has failed. Ends are kept in a heap; one task waits for the next. Revocation is tried again with
back-off and jitter until it is done; after ``ATTEMPTS`` the lease is listed as irrevocable, for people.
"""

import asyncio
import hashlib
import heapq
import logging
import random
import secrets
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from strongroom_common.clock import Clock, rfc3339
from strongroom_server.core.tokens import Token, TokenStore, random_text
from strongroom_server.sdk.errors import BackendError, InvalidRequest
from strongroom_server.sdk.storage import Change, Storage, load, put, remove

log = logging.getLogger("core.leases")

ATTEMPTS = 6
PARALLEL = 32
_BACKOFF = 10.0  # seconds before the second try, doubled each time
TOKEN = "token"  # noqa: S105 - the kind of a token's own lease


@dataclass(frozen=True, slots=True)
class LeaseEntry:
    """A stored lease. ``kind`` is the engine's lease kind, or "token". Times are epoch seconds."""

    id: str
    mount: str
    path: str
    kind: str
    issued: float
    expires: float
    renewable: bool
    ttl: int
    max_ttl: int = 0
    token: str = ""
    renewed: float = 0
    internal: dict[str, Any] = field(default_factory=dict)
    attempts: int = 0
    error: str = ""
    latest: float = 0
    """When it ends for good, whatever is asked for: with the batch token that holds it; 0 is not said."""

    @property
    def irrevocable(self) -> bool:
        """Whether revoking it was given up."""
        return self.attempts >= ATTEMPTS

    def facts(self, now: float) -> dict[str, Any]:
        """Return what a lookup shows."""
        return {
            "id": self.id,
            "issue_time": rfc3339(self.issued),
            "expire_time": rfc3339(self.expires) if self.expires else None,
            "last_renewal": rfc3339(self.renewed) if self.renewed else None,
            "renewable": self.renewable,
            "ttl": max(int(self.expires - now), 0),
        }


Revoke = Callable[[LeaseEntry], Awaitable[None]]


class LeaseStore:
    """All leases. ``revoke`` takes one secret or token back at its source and raises where it could not."""

    def __init__(self, storage: Storage, clock: Clock, revoke: Revoke, tokens: TokenStore, suffix: str = "") -> None:
        """In a namespace ``suffix`` (".<id>") ends the ids."""
        self._storage = storage
        self._tokens = tokens
        self._suffix = suffix
        self._clock = clock
        self._take_back = revoke
        self._ends: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []
        self._wake = asyncio.Event()
        self._irrevocable: dict[str, str] = {}
        self._slots = asyncio.Semaphore(PARALLEL)
        self._tasks: set[asyncio.Task[None]] = set()
        self._under_way: dict[str, asyncio.Lock] = {}
        self.loaded = asyncio.Event()

    # -- life ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Load in the background (requests need not wait for it) and end what is due."""
        self._spawn(self._load())
        self._spawn(self._expire())

    async def close(self) -> None:
        """Stop; what is half done is done again after the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for waiting in (self.loaded, self._tokens.loaded):  # whoever waits goes on, and is told that all is sealed
            waiting.set()

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _load(self) -> None:
        while True:
            try:
                await self._load_all()
                break
            except BackendError:
                log.exception("leases could not be loaded; trying again")
                await self._clock.sleep(_BACKOFF)
        self.loaded.set()

    async def _load_all(self) -> None:
        async for lease_id in self._walk(""):
            if lease_id in self._ends:
                continue
            entry = await self.find(lease_id)
            if entry is not None and entry.irrevocable:
                self._irrevocable[lease_id] = entry.error
            elif entry is not None:
                self._schedule(lease_id, entry.expires)
            await asyncio.sleep(0)
        async for token in self._tokens.walk():
            if token.expires and token.lease_id not in self._ends and token.lease_id not in self._irrevocable:
                self._schedule(token.lease_id, token.expires)
            await asyncio.sleep(0)

    async def _walk(self, prefix: str) -> Any:
        for name in await self._storage.list(f"id/{prefix}"):
            if name.endswith("/"):
                async for lease_id in self._walk(prefix + name):
                    yield lease_id
            else:
                yield prefix + name

    def _schedule(self, lease_id: str, when: float) -> None:
        self._ends[lease_id] = when
        heapq.heappush(self._heap, (when, lease_id))
        if self._heap[0][1] == lease_id:
            self._wake.set()

    async def _expire(self) -> None:
        while True:
            self._wake.clear()
            while self._heap and self._heap[0][0] <= self._clock.now():
                when, lease_id = heapq.heappop(self._heap)
                if self._ends.get(lease_id) == when:  # else it was renewed or is gone
                    self._spawn(self._end(lease_id))
            wait = self._heap[0][0] - self._clock.now() if self._heap else 3600.0
            sleeper = asyncio.ensure_future(self._clock.sleep(max(wait, 0.0)))
            waker = asyncio.ensure_future(self._wake.wait())
            try:
                await asyncio.wait({sleeper, waker}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                sleeper.cancel()
                waker.cancel()

    async def _end(self, lease_id: str) -> None:
        async with self._slots:
            await self.revoke_or_retry(lease_id)

    async def _failed(self, lease_id: str, error: Exception) -> None:
        entry = await self.find(lease_id)
        if entry is None:
            return
        entry = replace(entry, attempts=entry.attempts + 1, error=str(error) or type(error).__name__)
        log.warning("revoking failed", extra={"fields": {"lease_id": lease_id, "attempt": entry.attempts}})
        await self._storage.commit([put(f"id/{lease_id}", entry)])
        if entry.irrevocable:
            self._irrevocable[lease_id] = entry.error
            self._ends.pop(lease_id, None)
            return
        pause = _BACKOFF * 2 ** (entry.attempts - 1) * random.uniform(0.8, 1.2)  # noqa: S311 - jitter, not a key
        self._schedule(lease_id, self._clock.now() + pause)

    # -- one lease ----------------------------------------------------------------------------------------------

    def new_id(self, path: str) -> str:
        """Return a fresh lease id for a secret read at ``path``."""
        return f"{path.rstrip('/')}/{random_text(24)}{self._suffix}"

    def changes(self, entry: LeaseEntry) -> list[Change]:
        """Return what stores a lease (keys relative to this store)."""
        changes = [put(f"id/{entry.id}", entry)]
        if entry.token:
            changes.append(Change(f"token/{entry.token}/{_short(entry.id)}", entry.id.encode()))
        return changes

    def track(self, lease_id: str, expires: float) -> None:
        """Watch the end of a lease that has just been stored."""
        self._irrevocable.pop(lease_id, None)
        if expires:
            self._schedule(lease_id, expires)

    async def add(self, entry: LeaseEntry) -> None:
        """Store and watch a lease."""
        await self._storage.commit(self.changes(entry))
        self.track(entry.id, entry.expires)

    async def find(self, lease_id: str) -> LeaseEntry | None:
        """Return the lease of a secret or of a token."""
        if not lease_id or lease_id.endswith("/"):
            return None
        entry = await load(self._storage, f"id/{lease_id}", LeaseEntry)
        if entry is not None:
            return entry
        token = await self._tokens.by_lease(lease_id)
        return None if token is None else _lease_of(token)

    async def get(self, lease_id: str) -> LeaseEntry:
        """Return the lease; raises InvalidRequest where there is none."""
        entry = await self.find(lease_id)
        if entry is None:
            raise InvalidRequest("invalid lease")
        return entry

    async def revoke(self, lease_id: str, *, force: bool = False) -> None:
        """End a lease now; with ``force`` it goes even where its source refuses. Unknown ids are fine.

        Two callers at once take it back once: the second waits and finds it gone.
        """
        lock = self._under_way.setdefault(lease_id, asyncio.Lock())
        try:
            async with lock:
                entry = await self.find(lease_id)
                if entry is None:
                    self._forget(lease_id)
                    return
                try:
                    await self._take_back(entry)
                except Exception:
                    if not force:
                        raise
                    log.warning("forced out", extra={"fields": {"lease_id": lease_id}})
                await self._drop(entry)
        finally:
            if not lock.locked():
                self._under_way.pop(lease_id, None)

    async def _drop(self, entry: LeaseEntry) -> None:
        changes = [remove(f"id/{entry.id}")]
        if entry.kind == TOKEN and not entry.attempts:
            changes = []  # it is not stored
        elif entry.token and entry.kind != TOKEN:
            changes.append(remove(f"token/{entry.token}/{_short(entry.id)}"))
        if changes:
            await self._storage.commit(changes)
        self._forget(entry.id)

    def _forget(self, lease_id: str) -> None:
        self._ends.pop(lease_id, None)
        self._irrevocable.pop(lease_id, None)

    async def revoke_or_retry(self, lease_id: str) -> None:
        """End a lease now, or leave it to be tried again until it is done."""
        try:
            await self.revoke(lease_id)
        except Exception as error:  # noqa: BLE001 - whatever an engine raises, the lease is kept and tried again
            await self._failed(lease_id, error)

    async def drop(self, lease_id: str) -> None:
        """Remove the record of a lease that has already been taken back."""
        entry = await load(self._storage, f"id/{lease_id}", LeaseEntry)
        if entry is not None:
            await self._drop(entry)
        self._forget(lease_id)

    # -- many leases --------------------------------------------------------------------------------------------

    async def ids(self, prefix: str) -> list[str]:
        """Return all lease ids below a prefix, sorted."""
        await self.loaded.wait()
        folder = prefix if not prefix or prefix.endswith("/") else prefix.rpartition("/")[0] + "/"
        found = {lease_id async for lease_id in self._walk(folder.lstrip("/")) if lease_id.startswith(prefix)}
        return sorted(found | self._watched(prefix))

    async def names(self, prefix: str) -> list[str]:
        """Return the names directly below a prefix, sorted; folders end in a slash."""
        await self.loaded.wait()
        found = set(await self._storage.list(f"id/{prefix}"))
        for lease_id in self._watched(prefix):
            name, slash, _ = lease_id[len(prefix) :].partition("/")
            found.add(name + slash)
        return sorted(found)

    def _watched(self, prefix: str) -> set[str]:
        return {lease_id for lease_id in self._ends if lease_id.startswith(prefix)}

    async def of_token(self, hashed: str) -> list[str]:
        """Return the ids of the leases that a token holds."""
        found = []
        for name in await self._storage.list(f"token/{hashed}/"):
            raw = await self._storage.get(f"token/{hashed}/{name}")
            if raw is not None:
                found.append(raw.decode())
        return found

    async def revoke_many(self, lease_ids: Iterable[str], *, force: bool = False) -> None:
        """End many leases, a bounded number at a time; raises the first failure after trying all."""
        slots = asyncio.Semaphore(PARALLEL)  # its own: a token's end, which holds a slot already, comes here too

        async def one(lease_id: str) -> None:
            async with slots:
                await self.revoke(lease_id, force=force)

        results = await asyncio.gather(*(one(lease_id) for lease_id in lease_ids), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    def count(self) -> int:
        """Return how many leases are watched."""
        return len(self._ends)

    def ending(self) -> dict[str, float]:
        """Return the end of each watched lease."""
        return self._ends

    def irrevocable(self) -> dict[str, str]:
        """Return the leases whose revocation was given up, with the last error."""
        return self._irrevocable


def _short(lease_id: str) -> str:
    return hashlib.sha256(lease_id.encode()).hexdigest()


def _lease_of(token: Token) -> LeaseEntry:
    return LeaseEntry(
        token.lease_id, "", token.path, TOKEN, token.created, token.expires, token.renewable, token.ttl,
        token=token.hash, renewed=token.renewed,
    )  # fmt: skip


def fresh_nonce() -> str:
    """Return a random UUID-like text."""
    raw = secrets.token_hex(16)
    return "-".join((raw[:8], raw[8:12], raw[12:16], raw[16:20], raw[20:]))
