"""A physical store: bytes under keys, untrusted. It never sees a plain secret.

``Backend`` is the whole seam; more power is one of the optional protocols below. A backend is a module of
``strongroom_server.storage`` whose name is its type, with ``async def open_backend(settings, clock) -> Backend``
where ``settings`` is the stanza's plain mapping. Keys are slash-separated UTF-8 without a leading slash. The
conformance suite is ``tests/conformance/backend.py``.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, runtime_checkable

import msgspec


class Change(msgspec.Struct, frozen=True, gc=False):
    """One step of a commit: store ``value`` under ``key``, or remove the key where it is None."""

    key: str
    value: bytes | None


class Backend(Protocol):
    """What every store does. All raise BackendError where the store fails, and only that."""

    async def get(self, key: str) -> bytes | None:
        """Return the value, or None where there is none."""
        ...

    async def list(self, prefix: str) -> list[str]:
        """Return what lies directly below ``prefix`` ("" or ending in a slash), sorted; folders end in a slash."""
        ...

    async def commit(self, changes: Sequence[Change]) -> None:
        """Make all changes or none; durable when it returns. Removing what is not there is no error.

        A cancelled commit ends only when it is decided, so that no cache runs ahead of the store.
        """
        ...

    async def close(self) -> None:
        """Release everything; what was acknowledged stays."""
        ...


class Lock(Protocol):
    """A held leadership lock; ``lost`` returns when it is no longer held."""

    async def lost(self) -> None:
        """Wait until the lock is lost."""
        ...

    async def release(self) -> None:
        """Give it up."""
        ...


@runtime_checkable
class Lockable(Protocol):
    """A store that can say which of several servers is the active one."""

    async def acquire(self, key: str, value: bytes) -> Lock:
        """Wait until this server holds the lock; ``value`` tells the others who it is."""
        ...

    async def holder(self, key: str) -> bytes | None:
        """Return the value of the present holder."""
        ...


@runtime_checkable
class Watchable(Protocol):
    """A store that tells of others' changes, so that caches stay true."""

    def watch(self, prefix: str) -> AsyncIterator[str]:
        """Yield changed keys; the empty key means that some were missed and all must be dropped."""
        ...


@runtime_checkable
class Snapshotable(Protocol):
    """A store that can be saved and restored as one file."""

    def snapshot(self) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Stream one consistent state."""
        ...

    async def restore(self, chunks: AsyncIterator[bytes]) -> None:
        """Replace everything by a snapshot."""
        ...


Settings = Mapping[str, Any]
