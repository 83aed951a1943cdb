"""For ``operator migrate``: copies a store, as it is, into another one. Entries stay encrypted: no key is needed.

The destination holds a mark until all is copied. A server does not start on half a store, and a copy that was broken
off may be begun again; what a store held before is never mixed with another's.
"""

import asyncio
import os
from collections.abc import AsyncIterator

from strongroom_common.clock import SystemClock
from strongroom_server.config import Stanza
from strongroom_server.config_files import read_paths
from strongroom_server.config_reader import load_migration
from strongroom_server.sdk.backend import Backend, Change
from strongroom_server.sdk.errors import BackendError
from strongroom_server.storage import open_backend

MARK = "core/migration"
LEFT = frozenset({MARK, "core/lock"})
"""What is not copied: it is about a store and its servers, not about what is in it."""
_BATCH = 256


class MigrationError(Exception):
    """The copy cannot be made; the message says why."""


def migrate(path: str, start: str = "") -> int:
    """Copy all keys from ``start`` on and return how many; raises SettingsError, BackendError, MigrationError."""
    source, destination = load_migration(read_paths([path])[0])
    if _place(source) == _place(destination):
        raise MigrationError("storage_source and storage_destination are the same store")
    return asyncio.run(_migrate(source, destination, start))


def reset(path: str) -> None:
    """Take the mark of a copy that was broken off out of the destination; raises as ``migrate``."""
    _, destination = load_migration(read_paths([path])[0])
    asyncio.run(_reset(destination))


def _place(stanza: Stanza) -> tuple[str, str]:
    """Return what tells stores apart that lie in files; "file" is another name of "sqlite"."""
    return "sqlite" if stanza.kind == "file" else stanza.kind, os.path.realpath(str(stanza.settings.get("path", "")))


async def _migrate(source: Stanza, destination: Stanza, start: str) -> int:
    clock = SystemClock()
    old = await open_backend(source.kind, source.settings, clock)
    try:
        new = await open_backend(destination.kind, destination.settings, clock)
        try:
            return await copy(old, new, start)
        finally:
            await new.close()
    finally:
        await old.close()


async def _reset(destination: Stanza) -> None:
    store = await open_backend(destination.kind, destination.settings, SystemClock())
    try:
        await store.commit([Change(MARK, None)])
    finally:
        await store.close()


async def copy(old: Backend, new: Backend, start: str = "") -> int:
    """Copy entry by entry, in order; raises MigrationError where ``new`` holds what no copy has put there."""
    if await new.get(MARK) is None and await new.list(""):
        raise MigrationError("the storage_destination is not empty")
    if await old.get(MARK) is not None:
        raise MigrationError("the storage_source is itself an unfinished copy")
    if not await old.list(""):
        raise MigrationError("the storage_source is empty")
    await new.commit([Change(MARK, b"{}")])
    batch: list[Change] = []
    copied = 0
    async for key in _keys(old, ""):
        if key < start or key in LEFT:
            continue
        batch.append(Change(key, await old.get(key)))
        copied += 1
        if len(batch) == _BATCH:
            await new.commit(batch)
            batch = []
    await new.commit([*batch, Change(MARK, None)])
    return copied


async def check_finished(store: Backend) -> None:
    """Raise BackendError for a store that is but half a copy."""
    if await store.get(MARK) is not None:
        raise BackendError(
            "this store is an unfinished copy: end it with operator migrate, or give it up with operator migrate -reset"
        )


async def _keys(store: Backend, prefix: str) -> AsyncIterator[str]:
    for name in await store.list(prefix):
        if name.endswith("/"):
            async for key in _keys(store, prefix + name):
                yield key
        else:
            yield prefix + name
