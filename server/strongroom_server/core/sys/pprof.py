"""sys/pprof: what the process is doing and what fills its memory, as text.

The paths are those of Go's profiler, which Vault's users know; what a Python process can say there is said.
"""

import gc
import resource
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from strongroom_common.fields import Given
from strongroom_server.core import stacks
from strongroom_server.core.sys.area import Area
from strongroom_server.sdk.engine import read
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.request import Raw, Request, Response

_LONGEST = 60
_TYPES = 100
_SECRET_FLAGS = ("-dev-root-token-id",)


@dataclass(frozen=True)
class Span:
    """How long to look."""

    seconds: Annotated[int | None, "How long to look, 60 at most; 30 for a profile, 1 for a trace."] = None
    debug: Annotated[int, "Has no effect: the answer is text."] = 0
    gc: Annotated[int, "Has no effect on the counts: collect garbage first."] = 0


class Pprof(Area):
    """What the process is doing."""

    @read("pprof", sudo=True)
    async def index(self) -> Response:
        """List the profiles there are."""
        rows = "".join(f'<li><a href="{name}">{name}</a></li>\n' for name in PROFILES)
        page = f"<html><head><title>/debug/pprof/</title></head><body><ul>\n{rows}</ul></body></html>\n"
        return Response(raw=Raw(page.encode(), "text/html; charset=utf-8"))

    @read("pprof/profile", sudo=True)
    async def profile(self, query: Given[Span]) -> Response:
        """Sample where the time goes; each line is a stack and how often it was seen."""
        return _text(stacks.folded(await self._sampled(query.value, 30)))

    @read("pprof/trace", sudo=True)
    async def trace(self, query: Given[Span]) -> Response:
        """Sample what happens one after the other; each line is a moment in seconds and a stack."""
        samples = await self._sampled(query.value, 1)
        return _text("".join(f"{moment:.3f} {';'.join(reversed(stack))}\n" for moment, stack in samples))

    async def _sampled(self, asked: Span, usual: int) -> list[tuple[float, stacks.Stack]]:
        seconds = usual if asked.seconds is None else asked.seconds
        if not 1 <= seconds <= _LONGEST:
            raise InvalidRequest(f"seconds: expected 1 to {_LONGEST}")
        found: list[tuple[float, stacks.Stack]] = await self.system.run_blocking(
            stacks.sample, threading.get_ident(), seconds
        )
        return found

    @read("pprof/allocs", sudo=True)
    @read("pprof/block", sudo=True)
    @read("pprof/cmdline", sudo=True)
    @read("pprof/goroutine", sudo=True)
    @read("pprof/heap", sudo=True)
    @read("pprof/mutex", sudo=True)
    @read("pprof/symbol", sudo=True)
    @read("pprof/threadcreate", sudo=True)
    async def snapshot(self, query: Given[Span], request: Request) -> Response:
        """Show one profile: tasks, objects, allocations, threads, what waits, or the command line."""
        if query.value.gc:
            gc.collect()
        return _text(_SNAPSHOTS[request.path.strip("/").rpartition("/")[2]]())


def _text(text: str) -> Response:
    return Response(raw=Raw(text.encode(), "text/plain; charset=utf-8"), headers={"X-Content-Type-Options": "nosniff"})


def _tasks() -> str:
    found = stacks.task_stacks()
    blocks = [f"{count} tasks:\n{_indented(stack)}" for stack, count in found.most_common()]
    return f"tasks: total {found.total()}\n\n" + "\n".join(blocks) + "\n" + _threads()


def _threads() -> str:
    found = stacks.thread_stacks()
    return f"threads: total {len(found)}\n\n" + "\n".join(f"{n}:\n{_indented(stack)}" for n, stack in found.items())


def _waiting() -> str:
    """Return where tasks wait: the event loop never blocks on a lock, so that is what there is to tell."""
    found = Counter(stack[0] for stack in stacks.task_stacks().elements() if stack)
    return f"tasks that wait: {found.total()}\n" + "".join(f"{count} {where}\n" for where, count in found.most_common())


def _heap() -> str:
    kinds = Counter(f"{type(one).__module__}.{type(one).__qualname__}" for one in gc.get_objects())
    return (
        f"resident: {_resident()} bytes\nobjects that are collected: {kinds.total()}\n\n"
        + "".join(f"{count} {kind}\n" for kind, count in kinds.most_common(_TYPES))
    )  # fmt: skip


def _allocations() -> str:
    rows = "".join(f"generation {n}: {stats}\n" for n, stats in enumerate(gc.get_stats()))
    return f"allocated blocks: {sys.getallocatedblocks()}\n{rows}\n{_heap()}"


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _command() -> str:
    """Return the words of the command line. Security 1: a token among them is not told."""
    shown = [f"{w.partition('=')[0]}=***" if w.startswith(_SECRET_FLAGS) and "=" in w else w for w in sys.argv]
    return "\0".join(shown)


def _symbols() -> str:
    return "num_symbols: 0\n"


def _indented(stack: stacks.Stack) -> str:
    return "".join(f"    {line}\n" for line in stack)


_SNAPSHOTS: Mapping[str, Callable[[], str]] = {
    "allocs": _allocations, "block": _waiting, "cmdline": _command, "goroutine": _tasks, "heap": _heap,
    "mutex": _waiting, "symbol": _symbols, "threadcreate": _threads,
}  # fmt: skip
PROFILES = (*sorted(_SNAPSHOTS), "profile", "trace")
