"""An engine's own part of the barrier: everything below one prefix, and nothing else."""

from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from strongroom_server.sdk.backend import Change

if TYPE_CHECKING:
    from strongroom_server.barrier.barrier import Barrier


class View:
    """The sdk's Storage over a Barrier. ``prefix`` is "" or ends in a slash.

    Its methods hand out the barrier's coroutines: nothing waits here.
    """

    __slots__ = ("_barrier", "_prefix")

    def __init__(self, barrier: "Barrier", prefix: str) -> None:
        if prefix and not prefix.endswith("/"):
            raise ValueError(f"prefix {prefix!r} does not end in a slash")
        self._barrier = barrier
        self._prefix = prefix

    def get(self, key: str) -> Coroutine[Any, Any, bytes | None]:
        """Return the entry, or None; raises BackendError, Sealed."""
        return self._barrier.get(self._prefix + key)

    def list(self, prefix: str = "") -> Coroutine[Any, Any, list[str]]:
        """Return the names directly below ``prefix``, sorted; folders end in a slash."""
        return self._barrier.list(self._prefix + prefix)

    def commit(self, changes: Sequence[Change]) -> Coroutine[Any, Any, None]:
        """Apply all changes in one atomic, durable step."""
        return self._barrier.commit(changes, self._prefix)

    def view(self, prefix: str) -> "View":
        """Return the part of this view below ``prefix``."""
        return View(self._barrier, self._prefix + prefix)
