import asyncio
import random
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import apsw
import pytest

from strongroom_server.sdk.backend import Backend, Change
from strongroom_server.sdk.errors import BackendError
from strongroom_server.storage import open_backend
from strongroom_server.storage.layers import power
from strongroom_server.storage.sqlite import SqliteStore
from tests.conformance.backend import BackendConformance


class TestSqlite(BackendConformance):
    async def open_at(self, place: Path) -> Backend:
        return await open_backend("sqlite", {"path": str(place)})


class TestFile(BackendConformance):
    async def open_at(self, place: Path) -> Backend:
        return await open_backend("file", {"path": f"{place}.db"})


async def test_two_servers_on_one_path_are_refused(tmp_path: Path):
    first = await open_backend("file", {"path": str(tmp_path)})
    with pytest.raises(BackendError, match="in use by another server"):
        await open_backend("sqlite", {"path": str(tmp_path)})
    await first.close()
    await (await open_backend("sqlite", {"path": str(tmp_path)})).close()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({}, "missing required field 'path'", id="no_path"),
        pytest.param({"path": ""}, "path is empty", id="empty_path"),
        pytest.param({"path": "/dev/null/x"}, "Not a directory", id="path_below_a_file"),
    ],
)
async def test_a_wrong_setting_is_named(settings: dict[str, str], message: str):
    with pytest.raises(BackendError, match=message):
        await open_backend("sqlite", settings)


async def test_a_file_that_is_no_database_is_refused_and_can_be_locked_again(tmp_path: Path):
    (tmp_path / "x.db").write_bytes(b"something else entirely" * 100)
    for _ in range(2):
        with pytest.raises(BackendError, match="could not be opened"):
            await open_backend("sqlite", {"path": str(tmp_path / "x.db")})


async def test_only_the_server_may_read_the_data(tmp_path: Path):
    store = await open_backend("sqlite", {"path": str(tmp_path / "deep" / "data")})
    await store.commit([Change("a", b"1")])
    folder = tmp_path / "deep" / "data"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    await store.close()


async def test_every_transaction_is_synced(tmp_path: Path):
    store = await open_backend("sqlite", {"path": str(tmp_path)})
    writer = store.inner._writer._connection  # type: ignore[attr-defined]  # the setting can be seen on this connection only
    assert writer.execute("PRAGMA synchronous").get == 2
    assert writer.execute("PRAGMA journal_mode").get == "wal"
    await store.close()


async def test_a_failing_commit_of_a_batch_fails_alone(tmp_path: Path):
    """Too big for SQLite is found out by the writer, in the middle of a transaction."""
    store = await open_backend("sqlite", {"path": str(tmp_path)})
    store.inner._writer._connection.limit(apsw.SQLITE_LIMIT_LENGTH, 1000)  # type: ignore[attr-defined]
    commits = [store.commit([Change(f"k/{n}", b"x" * (2000 if n == 3 else 10))]) for n in range(8)]
    outcomes = await asyncio.gather(*commits, return_exceptions=True)
    assert [n for n, outcome in enumerate(outcomes) if isinstance(outcome, BackendError)] == [3]
    assert len(await store.list("k/")) == 7
    await store.close()


async def test_a_folder_costs_one_step_in_a_list(tmp_path: Path):
    store = await open_backend("sqlite", {"path": str(tmp_path)})
    await store.commit([Change(f"big/{n:06}", b"") for n in range(100_000)] + [Change("small", b"")])
    took = []
    for _ in range(5):
        start = time.process_time()
        assert await store.list("") == ["big/", "small"]
        took.append(time.process_time() - start)
    assert min(took) < 0.02  # 100,000 steps take 0.2 s
    await store.close()


async def test_waiting_commits_share_a_transaction(tmp_path: Path):
    store = await open_backend("sqlite", {"path": str(tmp_path)})

    transactions = 0
    inner = power(store, SqliteStore)
    assert inner is not None
    write = inner._writer._write

    def counted(batch: Any) -> Any:
        nonlocal transactions
        transactions += 1
        return write(batch)

    inner._writer._write = counted  # type: ignore[method-assign]

    async def client(number: int) -> None:
        for step in range(50):
            await store.commit([Change(f"{number}/{step}", b"x" * 300)])

    await asyncio.gather(*[client(number) for number in range(16)])
    assert transactions <= 400  # of 800 commits: all 16 wait while one transaction is written
    await store.close()


WRITER = """
import asyncio, sys
from strongroom_server.sdk.backend import Change
from strongroom_server.storage import open_backend

async def client(store, number, start):
    step = start
    while True:
        await store.commit([Change(f"{number}/{step}/{half}", b"%d" % step) for half in "ab"])
        sys.stdout.write(f"{number}/{step}\\n")
        sys.stdout.flush()
        step += 1

async def main():
    store = await open_backend("sqlite", {"path": sys.argv[1]})
    await asyncio.gather(*[client(store, number, int(sys.argv[2])) for number in range(8)])

asyncio.run(main())
"""


@pytest.mark.slow
async def test_every_acknowledged_write_survives_twenty_kills(tmp_path: Path):
    acknowledged: list[str] = []
    chance = random.Random(2)
    for round_ in range(20):
        program = [sys.executable, "-c", WRITER, str(tmp_path), str(round_ * 1_000_000)]
        with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:  # noqa: ASYNC220
            assert process.stdout is not None
            acknowledged.append(process.stdout.readline().strip())
            await asyncio.sleep(chance.uniform(0, 0.12))
            process.send_signal(signal.SIGKILL)
            acknowledged += [line.strip() for line in process.stdout if line.endswith("\n")]
    store = await open_backend("sqlite", {"path": str(tmp_path)})
    assert len(acknowledged) > 1000
    for name in acknowledged:
        value = name.partition("/")[2].encode()
        assert [await store.get(f"{name}/{half}") for half in "ab"] == [value, value]
    for number in await store.list(""):
        for step in await store.list(number):
            assert await store.list(f"{number}{step}") == ["a", "b"]
    await store.close()
