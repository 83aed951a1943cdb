"""A real agent process, for what only a process shows: exit codes, signals, files, memory."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.strongroom_agent.vault import Vault

COMMAND = [sys.executable, "-m", "strongroom_agent"]


def configuration(vault: Vault, folder: Path, **more: Any) -> dict[str, Any]:
    """Return an agent file that logs in with the root token in a file."""
    (folder / "token").write_text("root")
    method = {"type": "token_file", "config": {"token_file_path": str(folder / "token")}}
    return {"vault": {"address": vault.address}, "auto_auth": {"method": [method]}, **more}


def template(folder: Path, contents: str, name: str = "out", **more: Any) -> dict[str, Any]:
    return {"contents": contents, "destination": str(folder / name), **more}


def environment(**more: str) -> dict[str, str]:
    """Return the environment without what speaks of servers."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("VAULT_", "BAO_", "STRONGROOM_"))} | more


def run(config: dict[str, Any], folder: Path, *flags: str, timeout: float = 20) -> subprocess.CompletedProcess[str]:
    """Run an agent to its end."""
    path = folder / "agent.json"
    path.write_text(json.dumps(config))
    command = [*COMMAND, f"-config={path}", *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=environment(), check=False)


@contextlib.contextmanager
def running(config: dict[str, Any], folder: Path, *flags: str) -> Iterator[subprocess.Popen[str]]:
    """Run an agent beside the test; its log is in ``agent.log``."""
    path = folder / "agent.json"
    path.write_text(json.dumps(config))
    with (folder / "agent.log").open("w") as log:
        process = subprocess.Popen(
            [*COMMAND, f"-config={path}", *flags], stdout=log, stderr=log, text=True, env=environment()
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def until(condition: Callable[[], Any], seconds: float = 60) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)


def content(path: Path) -> str | None:
    """Return a file's text, None while there is none."""
    try:
        return path.read_text()
    except FileNotFoundError:
        return None
