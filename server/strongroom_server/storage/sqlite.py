"""The durable store of a single node: one SQLite file.

Write-ahead log with a full sync at every transaction. One thread writes: it takes all commits that wait into one
transaction, so that a hundred clients share one sync (group commit). Reads take place on the event loop's thread
from their own connection, which sees whatever has been acknowledged.
"""

import asyncio
import contextlib
import fcntl
import os
import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import apsw

from strongroom_common.clock import Clock
from strongroom_common.fields import parse
from strongroom_server.sdk.backend import Backend, Change
from strongroom_server.sdk.backend import Settings as Stanza
from strongroom_server.sdk.errors import BackendError

_GET = "SELECT v FROM kv WHERE k = ?"
_NEXT = "SELECT k FROM kv WHERE k >= ? AND k < ? ORDER BY k LIMIT 1"
_PUT = "INSERT OR REPLACE INTO kv (k, v) VALUES (?, ?)"
_REMOVE = "DELETE FROM kv WHERE k = ?"
_SCHEMA = "CREATE TABLE IF NOT EXISTS kv (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID"
_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA wal_autocheckpoint = 4000",  # pages: 16 MB of log between copies into the main file
    "PRAGMA journal_size_limit = 67108864",
)
_BATCH = 512  # commits in one transaction
_STEPS = 500  # keys listed before the event loop gets a turn
_FILES = (".db", ".sqlite", ".sqlite3")


@dataclass(frozen=True)
class Settings:
    """The stanza ``storage "sqlite" { … }``, also under the name ``file``."""

    path: Annotated[str, "Folder that holds the data, or the data file itself where it ends in .db."]


@dataclass(slots=True, eq=False)
class _Commit:
    """What waits for the writer: the keys' new values, and the future of whoever asked."""

    values: dict[bytes, bytes | None]
    done: "asyncio.Future[None]"


class SqliteStore:
    """A Backend over one file; ``lock`` is the open lock file that keeps other servers away."""

    def __init__(self, file: Path, lock: int) -> None:
        self._file = file
        self._lock = lock
        self._reader = _connect(file)
        self._writer = _Writer(_connect(file), asyncio.get_running_loop())
        self._closed = False

    async def get(self, key: str) -> bytes | None:
        """Return the value, or None."""
        self._check_open()
        value: bytes | None = self._reader.execute(_GET, (key.encode(),)).get
        return value

    async def commit(self, changes: Sequence[Change]) -> None:
        """Make all changes or none; returns when they are on disk, and when cancelled only after that is decided."""
        self._check_open()
        values = {change.key.encode(): None if change.value is None else bytes(change.value) for change in changes}
        try:
            await self._writer.enqueue(values)
        except asyncio.CancelledError:
            await self._writer.enqueue({})  # the queue is in order: behind this one, the first has been decided
            raise

    async def close(self) -> None:
        """Write what waits, then release the file."""
        if self._closed:
            return
        self._closed = True
        await asyncio.to_thread(self._writer.stop)
        self._reader.close()
        os.close(self._lock)

    async def list(self, prefix: str) -> list[str]:
        """Return what lies directly below ``prefix``. A folder costs one step however much is in it."""
        start, end = prefix.encode(), _after_folder(prefix.encode())
        names = []
        low = start
        while low < end:
            self._check_open()
            found, low = _scan(self._reader, start, low, end)
            names += found
            await asyncio.sleep(0)
        return names

    def _check_open(self) -> None:
        if self._closed:
            raise BackendError(f"{self._file} is closed")


class _Writer:
    """The one thread that writes, and the queue before it. ``enqueue`` is called from the loop, ``stop`` anywhere."""

    def __init__(self, connection: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._connection = connection
        self._loop = loop
        self._waiting: queue.SimpleQueue[_Commit | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="sqlite-writer", daemon=True)
        self._thread.start()

    def enqueue(self, values: dict[bytes, bytes | None]) -> "asyncio.Future[None]":
        """Return a future that is done when ``values`` are on disk, or has the BackendError why they are not."""
        if not self._thread.is_alive():
            raise BackendError("the store is closed")
        waiting = _Commit(values, self._loop.create_future())
        self._waiting.put(waiting)
        return waiting.done

    def stop(self) -> None:
        """Write what waits, then end the thread and close the connection."""
        self._waiting.put(None)
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        stopping = False
        while not stopping:
            batch = self._take()
            stopping = batch[-1] is None
            outcomes = self._write_batch([commit for commit in batch if commit is not None])
            with contextlib.suppress(RuntimeError):  # the loop is gone, and with it whoever waited
                self._loop.call_soon_threadsafe(_settle, outcomes)

    def _take(self) -> list[_Commit | None]:
        """Wait for a commit and return all that wait with it, up to a None, which means to stop."""
        batch = [self._waiting.get()]
        with contextlib.suppress(queue.Empty):
            while batch[-1] is not None and len(batch) < _BATCH:
                batch.append(self._waiting.get_nowait())
        return batch

    def _write_batch(self, batch: list[_Commit]) -> list[tuple[_Commit, Exception | None]]:
        """Write all in one transaction; if that fails, each in its own, so that only the culprit fails."""
        error = self._write(batch)
        if error is None or len(batch) == 1:
            return [(commit, error) for commit in batch]
        return [(commit, self._write([commit])) for commit in batch]

    def _write(self, batch: list[_Commit]) -> Exception | None:
        values: dict[bytes, bytes | None] = {}
        for commit in batch:
            values.update(commit.values)
        if not values:
            return None
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(_PUT, [(key, value) for key, value in values.items() if value is not None])
            self._connection.executemany(_REMOVE, [(key,) for key, value in values.items() if value is None])
            self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - handed to whoever waits for the commit
            with contextlib.suppress(apsw.Error):  # SQLite may have rolled back by itself
                self._connection.execute("ROLLBACK")
            return error
        return None


def _settle(outcomes: list[tuple[_Commit, Exception | None]]) -> None:
    for commit, error in outcomes:
        if commit.done.done():  # cancelled
            continue
        if error is None:
            commit.done.set_result(None)
        else:
            commit.done.set_exception(BackendError(f"could not write: {error}"))


def _scan(reader: Any, start: bytes, low: bytes, end: bytes) -> tuple[list[str], bytes]:
    """Return some names below ``start`` from the key ``low`` on, and the key to go on from (``end``: that was all).

    Each step is a statement of its own: an open one would pin its connection to old data.
    """
    names: list[str] = []
    for _ in range(_STEPS):
        key: bytes | None = reader.execute(_NEXT, (low, end)).get
        if key is None:
            return names, end
        name, slash, _rest = key[len(start) :].partition(b"/")
        low = _after_folder(start + name + slash) if slash else key + b"\0"
        if name or slash:
            names.append((name + slash).decode())
    return names, low


def _after_folder(folder: bytes) -> bytes:
    """Return the least key above everything in ``folder``, which ends in a slash, or is empty for all."""
    return folder[:-1] + b"0" if folder else b"\xff"  # "0" follows "/"; no UTF-8 text begins with 0xff


def _connect(file: Path) -> Any:
    connection = apsw.Connection(str(file))
    connection.set_busy_timeout(5000)
    for pragma in _PRAGMAS:
        connection.execute(pragma).fetchall()
    connection.execute(_SCHEMA)
    return connection


def _data_file(path: Path) -> Path:
    return path if path.is_file() or (path.suffix in _FILES and not path.is_dir()) else path / "strongroom.db"


def _take_lock(file: Path) -> int:
    """Lock the folder's lock file for as long as the process lives; raises BackendError if another one has it."""
    lock = os.open(f"{file}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise BackendError(f"{file} is in use by another server") from None
    return lock


def _create(file: Path) -> None:
    """Make folder and file readable by the server alone, and make their names durable."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    os.fsync(folder)
    os.close(folder)


async def open_backend(settings: Stanza, clock: Clock) -> Backend:
    """Open the store at ``path``; raises BackendError where another server has it, FieldError without a path."""
    path = parse(Settings, settings).value.path
    if not path:
        raise BackendError("path is empty: expected a folder or a file")
    file = _data_file(Path(path))
    _create(file)
    lock = _take_lock(file)
    try:
        return SqliteStore(file, lock)
    except apsw.Error as error:
        os.close(lock)
        raise BackendError(f"{file} could not be opened: {error}") from error
