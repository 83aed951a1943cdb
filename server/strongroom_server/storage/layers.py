"""What is put around a store: the error boundary, and faults for tests. Each layer is a Backend."""

from collections.abc import Awaitable, Coroutine, Sequence
from typing import Any, TypeVar

from strongroom_server.sdk.backend import Backend, Change
from strongroom_server.sdk.errors import BackendError

T = TypeVar("T")
P = TypeVar("P")


class Layer:
    """Passes everything on to ``inner``; ``around`` is the one place to do something about it, and to wait."""

    def __init__(self, inner: Backend) -> None:
        self.inner = inner

    async def around(self, operation: str, call: Awaitable[T]) -> T:
        """Await ``call``; ``operation`` is "get", "list", "commit" or "close"."""
        return await call

    def get(self, key: str) -> Coroutine[Any, Any, bytes | None]:
        """Return the value, or None."""
        return self.around("get", self.inner.get(key))

    def list(self, prefix: str) -> Coroutine[Any, Any, list[str]]:
        """Return what lies directly below ``prefix``."""
        return self.around("list", self.inner.list(prefix))

    def commit(self, changes: Sequence[Change]) -> Coroutine[Any, Any, None]:
        """Make all changes or none."""
        return self.around("commit", self.inner.commit(changes))

    def close(self) -> Coroutine[Any, Any, None]:
        """Release everything."""
        return self.around("close", self.inner.close())


class Boundary(Layer):
    """Lets only BackendError out, with the cause chained."""

    async def around(self, operation: str, call: Awaitable[T]) -> T:
        """Await ``call``; raises BackendError."""
        try:
            return await call
        except BackendError:
            raise
        except Exception as error:
            raise BackendError(f"storage could not {operation}: {error}") from error


class Faults(Layer):
    """Fails the operations named in ``failing``, before or (``late``) after they took place: for tests."""

    def __init__(self, inner: Backend, *failing: str, late: bool = False) -> None:
        super().__init__(inner)
        self.failing = set(failing)
        self.late = late

    async def around(self, operation: str, call: Awaitable[T]) -> T:
        """Await ``call``; raises BackendError where it is to fail."""
        if operation in self.failing and not self.late:
            getattr(call, "close", lambda: None)()  # an unawaited coroutine would warn
            raise BackendError(f"injected fault in {operation}")
        result = await call
        if operation in self.failing:
            raise BackendError(f"injected fault after {operation}")
        return result


def power(backend: Backend, protocol: type[P]) -> P | None:
    """Return the store below the layers as ``protocol`` (Lockable, Watchable, Snapshotable), or None."""
    current: Any = backend
    while current is not None:
        if isinstance(current, protocol):
            return current
        current = getattr(current, "inner", None)
    return None
