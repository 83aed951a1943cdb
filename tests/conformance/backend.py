"""What every store must do. Subclass ``BackendConformance`` and say how the store is opened."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from strongroom_server.sdk.backend import Backend, Change
from strongroom_server.sdk.errors import BackendError


class BackendConformance:
    """``open_at`` opens the store whose data is at ``place``; ``durable`` stores find their data again."""

    durable = True

    async def open_at(self, place: Path) -> Backend:
        raise NotImplementedError

    @pytest.fixture
    async def backend(self, tmp_path: Path):
        store = await self.open_at(tmp_path / "store")
        yield store
        await store.close()

    async def test_a_missing_key_is_none(self, backend: Backend):
        assert await backend.get("no/such") is None

    @pytest.mark.parametrize(
        "value", [b"", b"\x00", b"\xff" * 10, b"x" * 2_000_000], ids=["empty", "nul", "not_utf8", "two_megabytes"]
    )
    async def test_a_value_comes_back_as_it_went_in(self, backend: Backend, value: bytes):
        await backend.commit([Change("a/b", value)])
        assert await backend.get("a/b") == value

    @pytest.mark.parametrize(
        "key",
        ["a", "a/b/c", "with space", "ünï/cødé/🔑", "a%2Fb", "a_b%", "x" * 3000, "quote'\"", "dots/../and/./more"],
    )
    async def test_a_key_may_be_any_text(self, backend: Backend, key: str):
        await backend.commit([Change(key, b"1")])
        assert await backend.get(key) == b"1"
        folder, slash, name = key.rpartition("/")
        assert await backend.list(folder + slash) == [name]

    async def test_the_last_of_several_changes_to_a_key_wins(self, backend: Backend):
        await backend.commit([Change("k", b"1"), Change("k", None), Change("k", b"2")])
        assert await backend.get("k") == b"2"
        await backend.commit([Change("k", b"3"), Change("k", None)])
        assert await backend.get("k") is None

    async def test_removing_what_is_not_there_is_no_error(self, backend: Backend):
        await backend.commit([Change("none", None)])
        await backend.commit([])

    async def test_a_list_shows_names_and_folders_once_and_sorted(self, backend: Backend):
        keys = ["a", "a/x", "a-b", "a.b", "b/1", "b/2/3", "b/2/4", "c", "Z", "é/1"]
        await backend.commit([Change(key, b"") for key in reversed(keys)])
        assert await backend.list("") == sorted(["a", "a/", "a-b", "a.b", "b/", "c", "Z", "é/"])
        assert await backend.list("b/") == ["1", "2/"]
        assert await backend.list("b/2/") == ["3", "4"]
        assert await backend.list("nothing/") == []

    async def test_a_list_knows_no_wildcards(self, backend: Backend):
        await backend.commit([Change(key, b"") for key in ("a%/1", "ab/2", "a_/3")])
        assert await backend.list("a%/") == ["1"]
        assert await backend.list("a_/") == ["3"]

    async def test_a_folder_ends_with_its_last_key(self, backend: Backend):
        await backend.commit([Change("f/1", b""), Change("f/2", b"")])
        await backend.commit([Change("f/1", None), Change("f/2", None)])
        assert await backend.list("") == []

    async def test_a_long_list_is_complete(self, backend: Backend):
        names = [f"{number:05}" for number in range(3000)]
        await backend.commit([Change(f"long/{name}", b"") for name in names])
        assert await backend.list("long/") == names
        assert await backend.list("") == ["long/"]

    async def test_a_commit_with_an_impossible_change_changes_nothing(self, backend: Backend):
        await backend.commit([Change("a", b"old")])
        with pytest.raises(BackendError):
            await backend.commit([Change("a", b"new"), Change("b", "no bytes")])  # type: ignore[arg-type]
        assert await backend.get("a") == b"old"
        assert await backend.get("b") is None

    async def test_one_commit_that_fails_fails_alone(self, backend: Backend):
        bad = Change("bad", object())  # type: ignore[arg-type]
        commits = [backend.commit([Change(f"n/{n}", b"1"), *([bad] if n == 7 else [])]) for n in range(20)]
        outcomes = await asyncio.gather(*commits, return_exceptions=True)
        assert [n for n, outcome in enumerate(outcomes) if outcome is not None] == [7]
        assert isinstance(outcomes[7], BackendError)
        assert len(await backend.list("n/")) == 19

    async def test_what_was_acknowledged_is_read(self, backend: Backend):
        async def write_and_read(number: int) -> None:
            for step in range(20):
                await backend.commit([Change(f"own/{number}", b"%d" % step)])
                assert await backend.get(f"own/{number}") == b"%d" % step

        await asyncio.gather(*[write_and_read(number) for number in range(16)])
        assert len(await backend.list("own/")) == 16

    async def test_overlapping_commits_are_whole(self, backend: Backend):
        async def write(number: int) -> None:
            await backend.commit([Change(f"pair/{side}", b"%d" % number) for side in "lr"])

        await asyncio.gather(*[write(number) for number in range(50)])
        assert await backend.get("pair/l") == await backend.get("pair/r")

    async def test_a_cancelled_commit_is_decided_when_it_returns(self, backend: Backend):
        for number in range(50):
            task = asyncio.create_task(backend.commit([Change("c", b"%d" % number)]))
            await asyncio.sleep(0)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            found = await backend.get("c")
            await backend.commit([Change("other", b"")])
            assert await backend.get("c") == found

    async def test_a_closed_store_refuses(self, backend: Backend):
        await backend.close()
        with pytest.raises(BackendError, match="closed"):
            await backend.get("a")
        with pytest.raises(BackendError, match="closed"):
            await backend.commit([Change("a", b"1")])
        await backend.close()

    async def test_what_was_acknowledged_stays(self, tmp_path: Path):
        if not self.durable:
            pytest.skip("ends with the process")
        first = await self.open_at(tmp_path / "kept")
        await first.commit([Change("a/1", b"1"), Change("a/2", b"2")])
        await first.commit([Change("a/2", None)])
        await first.close()
        second = await self.open_at(tmp_path / "kept")
        assert await second.list("a/") == ["1"]
        assert await second.get("a/1") == b"1"
        await second.close()
