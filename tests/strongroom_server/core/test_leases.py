"""Leases: ended in time, tried again until it is done, found again after a restart."""

from dataclasses import dataclass, field

import pytest

from strongroom_common.clock import FakeClock
from strongroom_server.core.leases import ATTEMPTS, LeaseEntry, LeaseStore
from strongroom_server.core.tokens import TokenStore
from tests.strongroom_server.fakes import PlainStore


@dataclass
class Source:
    """Where secrets are taken back; refuses as often as it is told to."""

    refusals: int = 0
    taken: list[str] = field(default_factory=list)
    asked: int = 0

    async def __call__(self, entry: LeaseEntry) -> None:
        self.asked += 1
        if self.refusals > 0:
            self.refusals -= 1
            raise ConnectionError("the database is away")
        self.taken.append(entry.id)


def _leases(storage: PlainStore, clock: FakeClock, source: Source) -> LeaseStore:
    async def forget(hashed: str) -> None:
        raise AssertionError(hashed)

    return LeaseStore(storage, clock, source, TokenStore(PlainStore(), clock, forget))


def entry(name: str, clock: FakeClock, ttl: int = 60, token: str = "") -> LeaseEntry:
    now = clock.now()
    return LeaseEntry(f"db/creds/{name}", "db/", "db/creds", "creds", now, now + ttl, True, ttl, token=token)


async def test_a_lease_ends_in_time() -> None:
    clock, source = FakeClock(), Source()
    store = _leases(PlainStore(), clock, source)
    store.start()
    await store.add(entry("a", clock, 60))
    await store.add(entry("b", clock, 30))
    await clock.advance(31)
    assert source.taken == ["db/creds/b"]
    await clock.advance(30)
    assert source.taken == ["db/creds/b", "db/creds/a"]
    assert store.count() == 0
    await store.close()


async def test_a_refused_revocation_is_tried_again_until_it_is_done() -> None:
    clock, source = FakeClock(), Source(refusals=3)
    store = _leases(PlainStore(), clock, source)
    store.start()
    await store.add(entry("a", clock, 1))
    await clock.advance(600)
    assert source.taken == ["db/creds/a"]
    assert source.asked == 4
    await store.close()


async def test_what_cannot_be_revoked_is_listed_and_can_be_forced_out() -> None:
    clock, source = FakeClock(), Source(refusals=1000)
    store = _leases(PlainStore(), clock, source)
    store.start()
    await store.add(entry("a", clock, 1))
    await clock.advance(3600 * 24)
    assert source.asked == ATTEMPTS
    assert list(store.irrevocable()) == ["db/creds/a"]
    with pytest.raises(ConnectionError):
        await store.revoke("db/creds/a")
    await store.revoke("db/creds/a", force=True)
    assert store.irrevocable() == {}
    assert await store.find("db/creds/a") is None
    await store.close()


async def test_leases_are_found_again_after_a_restart() -> None:
    clock, source, storage = FakeClock(), Source(), PlainStore()
    first = _leases(storage, clock, source)
    await first.add(entry("a", clock, 60))
    await first.add(entry("overdue", clock, 5))
    await first.close()
    clock.time += 10
    second = _leases(storage, clock, source)
    second.start()
    await clock.advance(1)
    assert source.taken == ["db/creds/overdue"]
    assert await second.ids("db/") == ["db/creds/a"]
    await clock.advance(60)
    assert source.taken == ["db/creds/overdue", "db/creds/a"]
    await second.close()


async def test_the_leases_of_a_token_are_known() -> None:
    clock = FakeClock()
    store = _leases(PlainStore(), clock, Source())
    await store.add(entry("a", clock, token="h1"))
    await store.add(entry("b", clock, token="h1"))
    await store.add(entry("c", clock, token="h2"))
    assert sorted(await store.of_token("h1")) == ["db/creds/a", "db/creds/b"]
    await store.revoke("db/creds/a")
    assert await store.of_token("h1") == ["db/creds/b"]


async def test_many_leases_end_together() -> None:
    clock, source = FakeClock(), Source()
    store = _leases(PlainStore(), clock, source)
    store.start()
    for number in range(300):
        await store.add(entry(str(number), clock))
    await store.revoke_many(await store.ids("db/creds/"))
    assert len(source.taken) == 300
    assert store.count() == 0
    await store.close()
