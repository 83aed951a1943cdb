"""This server as a process of its own, for tests that come as a client would."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


def free_port() -> int:
    """Return a port of loopback that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Ours:
    """A running server, and what its clients need in the environment."""

    address: str
    home: Path
    process: "subprocess.Popen[bytes]"
    token: str = "root"
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("VAULT_", "BAO_", "STRONGROOM_"))}
        known = {"VAULT_ADDR": self.address, "BAO_ADDR": self.address, "HOME": str(self.home), "NO_COLOR": "1"}
        tokens = {"VAULT_TOKEN": self.token, "BAO_TOKEN": self.token} if self.token else {}
        return {**clean, **known, **tokens, **self.extra}

    def run(self, words: Sequence[str], stdin: str = "") -> "subprocess.CompletedProcess[str]":
        """Run a client's command against the server."""
        return subprocess.run(
            words, input=stdin, env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )


@contextlib.contextmanager
def running(home: Path, *arguments: str, port: int) -> Iterator[Ours]:
    """Start ``strongroom server`` with these arguments and wait until it answers."""
    log = home / "server.log"
    words = [sys.executable, "-m", "strongroom_server.main", *arguments]
    environment = {**os.environ, "HOME": str(home)}
    with log.open("wb") as output, subprocess.Popen(words, env=environment, stdout=output, stderr=output) as process:
        ours = Ours(f"http://127.0.0.1:{port}", home, process)
        try:
            _wait(ours, log)
            yield ours
        finally:
            process.terminate()


def _wait(ours: Ours, log: Path) -> None:
    deadline = time.monotonic() + 60
    while ours.process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"{ours.address}/v1/sys/health", timeout=5).close()
        except urllib.error.HTTPError as error:
            error.close()
            return
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(log.read_text())


@contextlib.contextmanager
def dev_server(home: Path, *arguments: Any) -> Iterator[Ours]:
    """Run a dev server with the root token ``root``."""
    port = free_port()
    flags = (
        "-dev",
        "-dev-root-token-id=root",
        "-dev-no-store-token",
        f"-dev-listen-address=127.0.0.1:{port}",
        *arguments,
    )
    with running(home, *flags, port=port) as ours:
        yield ours


@contextlib.contextmanager
def file_server(home: Path, storage: str = 'storage "inmem" {}', more: str = "") -> Iterator[Ours]:
    """Run a server from a file, not initialised."""
    port = free_port()
    file = home / "server.hcl"
    file.write_text(
        f'{storage}\nlistener "tcp" {{ address = "127.0.0.1:{port}" tls_disable = true }}\n'
        f'api_addr = "http://127.0.0.1:{port}"\ndisable_mlock = true\n{more}\n'
    )
    with running(home, f"-config={file}", port=port) as ours:
        ours.token = ""
        yield ours
