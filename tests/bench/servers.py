"""Starting this server and the peer alike: the same kind of file, a free port, unsealed, KV v2 at secret/."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bao import program

_OURS = [sys.executable, "-m", "strongroom_server.main"]


@dataclass
class Running:
    """A server under test. ``started`` is how long it took to its first answer, in seconds."""

    name: str
    address: str
    pid: int
    token: str = "root"
    started: float = 0.0

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Ask once; returns the parsed body."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"X-Vault-Token": self.token}
        request = urllib.request.Request(f"{self.address}/v1/{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            raw = answer.read()
        return json.loads(raw) if raw else None

    def resident(self) -> float:
        """Return the resident memory in MB."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise RuntimeError("no VmRSS")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _command(name: str) -> list[str]:
    return _OURS if name == "strongroom" else [program()]


@contextlib.contextmanager
def _process(name: str, arguments: list[str], port: int, home: Path) -> Iterator[Running]:
    words = _command(name) + (["server"] if name == "openbao" else []) + arguments
    running = Running(name, f"http://127.0.0.1:{port}", 0)
    begin = time.perf_counter()
    env = {**os.environ, "HOME": str(home)}
    with (home / f"{name}.log").open("wb") as log, subprocess.Popen(words, stdout=log, stderr=log, env=env) as process:
        running.pid = process.pid
        try:
            _wait(port, process)
            running.started = time.perf_counter() - begin
            yield running
        finally:
            process.terminate()


def _wait(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.perf_counter() + 30
    while time.perf_counter() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/sys/health", timeout=5).close()
        except urllib.error.HTTPError:
            return  # sealed or not initialised is an answer too
        except OSError:
            time.sleep(0.005)
        else:
            return
    raise RuntimeError(f"the server did not start (exit status {process.poll()})")


@contextlib.contextmanager
def start_dev(name: str, folder: Path) -> Iterator[Running]:
    """Run a server in dev mode."""
    port = _free_port()
    arguments = ["-dev", "-dev-root-token-id=root", f"-dev-listen-address=127.0.0.1:{port}", "-dev-no-store-token"]
    with _process(name, arguments, port, folder) as running:
        time.sleep(1)
        yield running


@contextlib.contextmanager
def start_durable(name: str, folder: Path) -> Iterator[Running]:
    """Run a server on its durable single-node store: ours on sqlite, OpenBao on raft."""
    port, cluster = _free_port(), _free_port()
    data = folder / f"{name}-data"
    data.mkdir()
    storage = f'storage "sqlite" {{ path = "{data}" }}' if name == "strongroom" else (
        f'storage "raft" {{ path = "{data}" node_id = "a" }}'
    )  # fmt: skip
    file = folder / f"{name}.hcl"
    file.write_text(
        f"{storage}\n"
        f'listener "tcp" {{ address = "127.0.0.1:{port}" tls_disable = true }}\n'
        f'api_addr = "http://127.0.0.1:{port}"\ncluster_addr = "http://127.0.0.1:{cluster}"\n'
        'disable_mlock = true\nlog_level = "warn"\n'
    )
    with _process(name, [f"-config={file}"], port, folder) as running:
        answer = running.call("POST", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        running.token = answer["root_token"]
        running.call("POST", "sys/unseal", {"key": answer["keys"][0]})
        _mount_kv(running)
        yield running


def _mount_kv(running: Running) -> None:
    deadline = time.perf_counter() + 30
    while True:  # the peer elects a leader first, then upgrades the mount
        try:
            running.call("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})
            break
        except urllib.error.HTTPError:
            if time.perf_counter() > deadline:
                raise
            time.sleep(0.3)
    time.sleep(2)
