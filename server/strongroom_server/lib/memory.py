"""Keeping secrets out of swap and core dumps, as far as the system lets us.

Python copies strings freely, so nothing here makes a secret vanish; it keeps the whole process's memory off the disk.
"""

import ctypes
import resource

_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4
_PR_SET_DUMPABLE = 4


def forbid_dumps() -> None:
    """Make no core dumps, and let no other process of the user read this one's memory (prctl(2), core(5))."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def lock() -> None:
    """Keep all memory from being swapped out (mlockall(2)); raises OSError where that is not allowed."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT):
        number = ctypes.get_errno()
        raise OSError(number, "mlockall failed: grant IPC_LOCK, raise the memlock limit, or set disable_mlock = true")
