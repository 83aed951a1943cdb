"""Start and end the cluster's processes: each has a log, and a pid file that can never name a stranger."""

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from tools.cluster.layout import LOGS, NAMESPACE, RUN
from tools.cluster.steps import StepFailed, last_lines, say

IN_NAMESPACE = ("nsenter", f"--net=/run/netns/{NAMESPACE}")  # `ip netns exec` would hide the cgroups from the kubelet


def start(name: str, argv: Sequence[str | Path], folder: Path = Path("/")) -> None:
    """Start a program inside the cluster's network; its output goes to its log. It outlives its starter."""
    LOGS.mkdir(parents=True, exist_ok=True)
    RUN.mkdir(parents=True, exist_ok=True)
    command = [*IN_NAMESPACE, f"--wd={folder}", *map(str, argv)]
    streams = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log_of(name)), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=streams, setsid=True)
    _pid_file(name).write_text(f"{pid} {_started(pid)}")


def log_of(name: str) -> Path:
    """Name the log file of one process."""
    return LOGS / f"{name}.log"


def is_running(name: str) -> bool:
    """Whether the process that the pid file names is still that one."""
    return _pid(name) is not None


def check_running(name: str) -> None:
    """Raise StepFailed, with the end of its log, if the process has ended."""
    if not is_running(name):
        log = log_of(name)
        raise StepFailed(f"{name} ended; {log} ends with:\n{last_lines(log.read_text(errors='replace'))}")


def stop(name: str, grace: float = 10) -> None:
    """End a process by its pid: politely first."""
    pid = _pid(name)
    if pid is not None:
        end([pid], grace)
    _pid_file(name).unlink(missing_ok=True)


def end(pids: Sequence[int], grace: float = 5) -> None:
    """Ask the processes to end; kill those that still run after `grace` seconds."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in pids:
            _signal(pid, number)
        deadline = time.monotonic() + grace
        while time.monotonic() < deadline:
            if not any(_started(pid) for pid in pids):
                return
            time.sleep(0.05)
    say(f"  processes that will not end: {[pid for pid in pids if _started(pid)]}")


def names() -> list[str]:
    """Every process that has a pid file."""
    return sorted(file.stem for file in RUN.glob("*.pid"))


def _pid_file(name: str) -> Path:
    return RUN / f"{name}.pid"


def _pid(name: str) -> int | None:
    try:
        pid, started = _pid_file(name).read_text().split()
    except (FileNotFoundError, ValueError):
        return None
    return int(pid) if started and _started(int(pid)) == started else None


def _started(pid: int) -> str:
    """When the kernel started this process, in its own ticks; "" if it is gone. With the pid this names one process."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if state == "Z" else fields[18]


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
