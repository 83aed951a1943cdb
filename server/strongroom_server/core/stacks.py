"""Where the process is at work: stacks of its tasks and threads, sampled or as they are. Names and lines, no values."""

import asyncio
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable
from types import FrameType

Stack = tuple[str, ...]
_PAUSE = 0.01  # seconds between two samples


def task_stacks() -> Counter[Stack]:
    """Return the stacks of all tasks, the innermost call first, and how many tasks share each."""
    return Counter(_of(reversed(task.get_stack())) for task in asyncio.all_tasks())


def thread_stacks() -> dict[str, Stack]:
    """Return the stack of each thread by its name, the innermost call first."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    return {names.get(ident, str(ident)): _of(_outwards(frame)) for ident, frame in sys._current_frames().items()}


def sample(ident: int, seconds: float) -> list[tuple[float, Stack]]:
    """Look at the thread ``ident`` for so long, every 10 ms; returns the times since the start and the stacks."""
    found: list[tuple[float, Stack]] = []
    started = time.monotonic()
    while (passed := time.monotonic() - started) < seconds:
        frame = sys._current_frames().get(ident)
        found.append((passed, _of(_outwards(frame))))
        time.sleep(_PAUSE)
    return found


def folded(samples: Iterable[tuple[float, Stack]]) -> str:
    """Print samples as lines of "outer;inner COUNT", which programs that draw flame graphs read."""
    counts = Counter(";".join(reversed(stack)) for _, stack in samples)
    return "".join(f"{stack} {count}\n" for stack, count in counts.most_common())


def _outwards(frame: FrameType | None) -> Iterable[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _of(frames: Iterable[FrameType]) -> Stack:
    return tuple(
        f"{frame.f_globals.get('__name__', '?')}.{frame.f_code.co_qualname}:{frame.f_lineno}" for frame in frames
    )
