"""Waiting for what happens in other processes, or behind a socket."""

import asyncio
from collections.abc import Callable
from pathlib import Path

_PATIENCE = 60  # seconds: only a bound, for a machine that has much else to do


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is true; raises TimeoutError after a minute."""
    async with asyncio.timeout(_PATIENCE):
        while not true():  # noqa: ASYNC110 - what is waited for happens elsewhere
            await asyncio.sleep(0.01)


def gone(pid: int) -> bool:
    """Tell whether a process has ended, whoever may still have to be told of it."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in {"Z", "X"}
