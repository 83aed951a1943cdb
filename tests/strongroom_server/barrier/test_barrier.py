import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from strongroom_common.clock import FakeClock
from strongroom_server.barrier import KEYRING, Barrier, new_root_key
from strongroom_server.sdk.backend import Backend, Change
from strongroom_server.sdk.errors import BackendError, Sealed, SealError
from strongroom_server.sdk.storage import Storage
from strongroom_server.storage import open_backend
from strongroom_server.storage.layers import Faults
from strongroom_server.storage.memory import MemoryStore
from tests.conformance.storage import StorageConformance

ROOT = bytes(range(32))


async def opened(backend: Backend, root_key: bytes = ROOT) -> Barrier:
    barrier = Barrier(backend, clock=FakeClock())
    if not await barrier.initialized():
        await barrier.initialize(root_key)
    await barrier.unseal(root_key)
    return barrier


class TestViewInMemory(StorageConformance):
    @pytest.fixture
    async def storage(self) -> Storage:
        return (await opened(MemoryStore())).view("logical/one/")


class TestViewOnDisk(StorageConformance):
    @pytest.fixture
    async def storage(self, tmp_path: Path):
        store = await open_backend("sqlite", {"path": str(tmp_path)})
        yield (await opened(store)).view("logical/one/")
        await store.close()


class Slow(MemoryStore):
    """A store across a network: reads and commits take a turn of the loop, or as long as ``hold`` is not set."""

    def __init__(self) -> None:
        super().__init__()
        self.hold = asyncio.Event()
        self.hold.set()
        self.reads = 0

    async def get(self, key: str) -> bytes | None:
        self.reads += 1
        value = await super().get(key)
        await asyncio.sleep(0)
        await self.hold.wait()
        return value

    async def commit(self, changes: Sequence[Change]) -> None:
        await asyncio.sleep(0)
        await super().commit(changes)
        await asyncio.sleep(0)


class TestViewOnASlowStore(StorageConformance):
    @pytest.fixture
    async def storage(self) -> Storage:
        return (await opened(Slow())).view("logical/one/")


async def test_the_life_of_a_barrier():
    barrier = Barrier(MemoryStore())
    assert barrier.sealed
    assert not await barrier.initialized()
    with pytest.raises(SealError, match="not initialized"):
        await barrier.unseal(ROOT)
    await barrier.initialize(ROOT)
    assert await barrier.initialized()
    assert barrier.sealed
    with pytest.raises(SealError, match="already initialized"):
        await barrier.initialize(new_root_key())
    await barrier.unseal(ROOT)
    assert not barrier.sealed
    await barrier.unseal(ROOT)
    barrier.seal()
    barrier.seal()
    assert barrier.sealed


@pytest.mark.parametrize("wrong", [b"\x00" * 32, b"", b"short", b"x" * 33], ids=["other", "empty", "short", "long"])
async def test_a_wrong_root_key_opens_nothing(wrong: bytes):
    barrier = Barrier(MemoryStore())
    await barrier.initialize(ROOT)
    with pytest.raises(SealError):
        await barrier.unseal(wrong)
    assert barrier.sealed
    await barrier.unseal(ROOT)
    with pytest.raises(SealError):
        await barrier.unseal(wrong)
    assert not barrier.sealed


async def test_a_root_key_of_a_wrong_length_is_refused():
    barrier = Barrier(MemoryStore())
    with pytest.raises(SealError, match="has 16 bytes: expected 32"):
        await barrier.initialize(b"x" * 16)
    assert not await barrier.initialized()
    with pytest.raises(SealError, match="has 5 bytes"):
        await (await opened(MemoryStore())).rekey(b"short")


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda b: b.get("a"), id="get"),
        pytest.param(lambda b: b.list(""), id="list"),
        pytest.param(lambda b: b.commit([Change("a", b"1")]), id="commit"),
        pytest.param(lambda b: b.view("x/").get("a"), id="view_get"),
        pytest.param(lambda b: b.view("x/").list(), id="view_list"),
        pytest.param(lambda b: b.view("x/").commit([]), id="view_commit"),
        pytest.param(lambda b: b.rotate(), id="rotate"),
        pytest.param(lambda b: b.rekey(new_root_key()), id="rekey"),
        pytest.param(lambda b: b.reload(), id="reload"),
        pytest.param(lambda b: b.save_count(), id="save_count"),
    ],
)
async def test_a_sealed_barrier_refuses_every_call(call):
    barrier = await opened(MemoryStore())
    await barrier.commit([Change("a", b"1"), Change("x/a", b"1")])
    await barrier.get("a")
    barrier.seal()
    with pytest.raises(Sealed):
        await call(barrier)
    with pytest.raises(Sealed):
        barrier.key_info()


async def test_nothing_plain_reaches_the_store():
    store = MemoryStore()
    barrier = await opened(store)
    await barrier.commit([Change("logical/a", b"plain text")])
    raw = await store.get("logical/a") or b""
    assert b"plain" not in raw
    assert raw[:5] == b"\x00\x00\x00\x01\x02"  # term 1, format 2
    assert len(raw) == 4 + 1 + 12 + len("plain text") + 16
    await barrier.commit([Change("logical/a", b"plain text")])
    assert await store.get("logical/a") != raw  # a fresh nonce


@pytest.mark.parametrize("position", [0, 3, 4, 5, 16, 17, -1], ids=str)
async def test_a_damaged_entry_never_opens(position: int):
    store = MemoryStore()
    await (await opened(store)).commit([Change("a", b"value")])
    raw = bytearray(await store.get("a") or b"")
    raw[position] ^= 1
    await store.commit([Change("a", bytes(raw))])
    with pytest.raises(BackendError, match="'a' could not be decrypted"):
        await (await opened(store)).get("a")


@pytest.mark.parametrize("entry", [b"", b"plain", b"\x00\x00\x00\x01\x02" + b"x" * 12, b"\xff" * 64], ids=repr)
async def test_what_is_no_entry_never_opens(entry: bytes):
    store = MemoryStore()
    barrier = await opened(store)
    await store.commit([Change("a", entry)])
    with pytest.raises(BackendError, match="could not be decrypted"):
        await barrier.get("a")


async def test_a_moved_entry_does_not_open():
    store = MemoryStore()
    barrier = await opened(store)
    await barrier.commit([Change("a", b"1")])
    await store.commit([Change("b", await store.get("a"))])
    with pytest.raises(BackendError, match="could not be decrypted"):
        await barrier.get("b")


async def test_the_keyring_cannot_be_reached_as_an_entry():
    barrier = await opened(MemoryStore())
    with pytest.raises(BackendError):
        await barrier.get(KEYRING)
    with pytest.raises(BackendError):
        await barrier.view("core/").commit([Change("keyring", b"")])
    barrier.seal()
    await barrier.unseal(ROOT)


async def test_rotation_keeps_old_entries_readable():
    store, clock = MemoryStore(), FakeClock()
    barrier = Barrier(store, clock=clock)
    await barrier.initialize(ROOT)
    await barrier.unseal(ROOT)
    await barrier.commit([Change("old", b"1")])
    clock.time += 100
    await barrier.rotate()
    await barrier.commit([Change("new", b"2")])
    assert (await store.get("new") or b"")[:4] == b"\x00\x00\x00\x02"
    assert barrier.key_info().term == 2
    assert barrier.key_info().installed == clock.time
    barrier.seal()
    await barrier.unseal(ROOT)
    assert [await barrier.get("old"), await barrier.get("new")] == [b"1", b"2"]
    assert barrier.key_info().term == 2


async def test_a_rotation_that_cannot_be_stored_changes_nothing():
    faults = Faults(MemoryStore())
    barrier = await opened(faults)
    faults.failing = {"commit"}
    with pytest.raises(BackendError):
        await barrier.rotate()
    with pytest.raises(BackendError):
        await barrier.rekey(new_root_key())
    faults.failing = set()
    assert barrier.key_info().term == 1
    await barrier.commit([Change("a", b"1")])
    barrier.seal()
    await barrier.unseal(ROOT)
    assert await barrier.get("a") == b"1"


async def test_rekey_changes_the_root_key_and_what_belongs_to_it_in_one_step():
    store = MemoryStore()
    barrier = await opened(store)
    await barrier.commit([Change("a", b"1")])
    other = new_root_key()
    await barrier.rekey(other, [Change("core/seal-config", b"{}")])
    assert await store.get("core/seal-config") == b"{}"
    await barrier.rotate()
    barrier.seal()
    with pytest.raises(SealError):
        await barrier.unseal(ROOT)
    await barrier.unseal(other)
    assert await barrier.get("a") == b"1"


async def test_another_servers_rotation_is_taken_over_and_its_rekey_seals():
    store = MemoryStore()
    active, standby = await opened(store), await opened(store)
    await active.rotate()
    await active.commit([Change("a", b"1")])
    with pytest.raises(BackendError):
        await standby.get("a")
    await standby.reload()
    assert await standby.get("a") == b"1"
    await active.commit([Change("a", b"2")])
    standby.invalidate("a")
    assert await standby.get("a") == b"2"
    await active.commit([Change("a", b"3")])
    standby.invalidate("")
    assert await standby.get("a") == b"3"
    await active.rekey(new_root_key())
    with pytest.raises(SealError):
        await standby.reload()
    assert standby.sealed
    standby.invalidate("a")


async def test_encryptions_are_counted_and_kept():
    barrier = await opened(MemoryStore())
    await barrier.commit([Change(f"k{n}", b"") for n in range(10)])
    assert barrier.key_info().encryptions == 10
    await barrier.save_count()
    barrier.seal()
    await barrier.unseal(ROOT)
    assert barrier.key_info().encryptions == 10


async def test_the_count_is_stored_now_and_then_by_itself():
    barrier = await opened(MemoryStore())
    await barrier.commit([Change(f"k{n}", b"") for n in range(2**16)])
    barrier.seal()
    await barrier.unseal(ROOT)
    assert barrier.key_info().encryptions == 2**16


async def test_a_second_read_does_not_ask_the_store():
    store = Slow()
    barrier = await opened(store)
    await barrier.commit([Change("written", b"1")])
    before = store.reads
    for _ in range(3):
        assert await barrier.get("written") == b"1"
        assert await barrier.get("absent") is None
    assert store.reads == before + 2


async def test_a_read_that_a_commit_overtakes_is_not_kept():
    store = Slow()
    barrier = await opened(store)
    await store.commit([])
    store.hold.clear()
    read = asyncio.create_task(barrier.get("a"))
    await asyncio.sleep(0)
    await barrier.commit([Change("a", b"new")])
    store.hold.set()
    assert await read is None  # what was there when it asked
    assert await barrier.get("a") == b"new"


async def test_a_read_under_way_while_the_barrier_is_sealed_gives_nothing():
    store = Slow()
    barrier = await opened(store)
    await barrier.commit([Change("a", b"1")])
    barrier.invalidate("")
    store.hold.clear()
    read = asyncio.create_task(barrier.get("a"))
    await asyncio.sleep(0)
    barrier.seal()
    store.hold.set()
    with pytest.raises(Sealed):
        await read


async def test_a_commit_whose_outcome_is_unknown_is_read_from_the_store():
    faults = Faults(MemoryStore())
    barrier = await opened(faults)
    await barrier.commit([Change("a", b"old")])
    faults.failing, faults.late = {"commit"}, True
    with pytest.raises(BackendError):
        await barrier.commit([Change("a", b"new")])
    assert await barrier.get("a") == b"new"


async def test_commits_of_one_key_in_an_unknown_order_are_read_from_the_store():
    class Reordering(MemoryStore):
        async def commit(self, changes: Sequence[Change]) -> None:
            if len(changes) == 2:  # the first commit takes effect last, and both return in order of call
                await asyncio.sleep(0)
            await super().commit(changes)
            for _ in range(3 - len(changes)):
                await asyncio.sleep(0)
                await asyncio.sleep(0)

    barrier = await opened(Reordering())
    await asyncio.gather(
        barrier.commit([Change("a", b"first"), Change("b", b"")]),
        barrier.commit([Change("a", b"second")]),
    )
    assert await barrier.get("a") == b"first"


def test_a_view_needs_a_whole_folder():
    with pytest.raises(ValueError, match="slash"):
        Barrier(MemoryStore()).view("half")


async def test_views_do_not_meet():
    barrier = await opened(MemoryStore())
    one, two = barrier.view("m/1/"), barrier.view("m/2/")
    await one.commit([Change("k", b"1")])
    assert await two.get("k") is None
    assert await two.list() == []
    assert await barrier.view("m/").view("1/").get("k") == b"1"
    assert await barrier.view("").list("m/") == ["1/"]


async def test_keys_are_not_shown():
    barrier = await opened(MemoryStore())
    ring = barrier._open.keyring  # type: ignore[union-attr]
    assert bytes(ring._terms[0].key).hex()[:8] not in repr(ring._terms)
    assert "key" not in repr(ring._terms[0])
    key = ring._terms[0].key
    barrier.seal()
    assert key == bytes(32)
