"""Random bytes of the system, drawn in bulk: a call of the kernel costs more than the bytes it brings."""

import os
import weakref

_AT_ONCE = 64


class Randomness:
    """Pieces of ``size`` bytes from ``os.urandom``, each handed out once and then forgotten here.

    Security 1: no two callers get the same piece, in whatever threads they are (taking one off a list is one step), and
    a child of a fork draws its own: what it inherits is what its parent hands out too.
    """

    __slots__ = ("__weakref__", "_pieces", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._pieces: list[bytes] = []
        forget = weakref.WeakMethod(self._forget)  # what is registered stays for the life of the process
        os.register_at_fork(after_in_child=lambda: (known := forget()) and known())

    def piece(self) -> bytes:
        """Return ``size`` fresh random bytes."""
        while True:
            try:
                return self._pieces.pop()
            except IndexError:
                drawn = os.urandom(self._size * _AT_ONCE)
                self._pieces += [drawn[at : at + self._size] for at in range(0, len(drawn), self._size)]

    def _forget(self) -> None:
        self._pieces.clear()
