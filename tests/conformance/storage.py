"""What an engine may rely on of its Storage. Subclass ``StorageConformance`` and give a ``storage`` fixture."""

import asyncio

import pytest

from strongroom_server.sdk.storage import Change, Storage, load, put, remove, save


class StorageConformance:
    @pytest.fixture
    async def storage(self) -> Storage:
        raise NotImplementedError

    async def test_an_absent_entry_is_none_again_and_again(self, storage: Storage):
        assert [await storage.get("a") for _ in range(3)] == [None, None, None]

    async def test_what_was_written_is_read(self, storage: Storage):
        await storage.get("a")
        for value in (b"1", b"", b"2"):
            await storage.commit([Change("a", value)])
            assert await storage.get("a") == value
        await storage.commit([Change("a", None)])
        assert await storage.get("a") is None

    async def test_names_are_relative_to_the_prefix(self, storage: Storage):
        await storage.commit([Change("x/1", b""), Change("x/y/2", b""), Change("z", b"")])
        assert await storage.list() == ["x/", "z"]
        assert await storage.list("x/") == ["1", "y/"]

    async def test_typed_entries_come_back(self, storage: Storage):
        await save(storage, "typed", {"n": 2**60, "list": [1, "a"]})
        assert await load(storage, "typed", dict) == {"n": 2**60, "list": [1, "a"]}
        await storage.commit([remove("typed"), put("other", [1])])
        assert await load(storage, "typed", dict) is None
        assert await load(storage, "other", list) == [1]

    async def test_readers_and_writers_at_once_end_with_the_last_value(self, storage: Storage):
        async def write(key: str) -> None:
            for step in range(30):
                await storage.commit([Change(key, b"%d" % step)])
                assert await storage.get(key) == b"%d" % step

        async def read(key: str) -> None:
            for _ in range(100):
                await storage.get(key)
                await asyncio.sleep(0)

        keys = ["a", "b", "c"]
        await asyncio.gather(*[work(key) for key in keys for work in (write, read, read)])
        assert [await storage.get(key) for key in keys] == [b"29"] * 3
