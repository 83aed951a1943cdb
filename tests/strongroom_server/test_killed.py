"""The server killed without warning during writes: every acknowledged write is there after the restart."""

import asyncio
import json
import random
import signal
import socket
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

KILLS = 20
WRITERS = 8


def call(port: int, method: str, path: str, body: Any = None, token: str = "") -> Any:
    data = None if body is None else json.dumps(body).encode()
    url, headers = f"http://127.0.0.1:{port}/v1/{path}", {"X-Vault-Token": token}
    request = urllib.request.Request(url, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        raw = answer.read()
    return json.loads(raw) if raw else None


async def started(file: Path, port: int, log: Path) -> "asyncio.subprocess.Process":
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "strongroom_server.main", f"-config={file}", stdout=output, stderr=output
        )
    for _ in range(400):
        try:
            await asyncio.to_thread(call, port, "GET", "sys/seal-status")
        except OSError:
            assert process.returncode is None, log.read_text()
            await asyncio.sleep(0.05)
        else:
            return process
    raise AssertionError(log.read_text())


async def write(port: int, token: str, writer: int, counter: list[int], acknowledged: dict[str, int]) -> None:
    while True:
        counter[0] += 1
        name, value = f"w{writer}-{counter[0] % 7}", counter[0]
        try:
            await asyncio.to_thread(call, port, "POST", f"secret/data/{name}", {"data": {"n": value}}, token)
        except OSError:
            return
        acknowledged[name] = value


@pytest.mark.slow
async def test_what_was_acknowledged_survives_twenty_kills(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    file = tmp_path / "server.hcl"
    file.write_text(
        f'storage "sqlite" {{ path = "{tmp_path}/data" }}\ndisable_mlock = true\nlog_level = "error"\n'
        f'listener "tcp" {{ address = "127.0.0.1:{port}" tls_disable = true }}\n'
    )
    log = tmp_path / "log"
    process = await started(file, port, log)
    answer = call(port, "POST", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
    key, token = answer["keys"][0], answer["root_token"]
    call(port, "POST", "sys/unseal", {"key": key})
    call(port, "POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}}, token)
    acknowledged: dict[str, int] = {}
    counter = [0]
    for _ in range(KILLS):
        writers = [asyncio.ensure_future(write(port, token, n, counter, acknowledged)) for n in range(WRITERS)]
        await asyncio.sleep(random.uniform(0.05, 0.4))
        process.send_signal(signal.SIGKILL)
        await process.wait()
        await asyncio.gather(*writers)
        process = await started(file, port, log)
        call(port, "POST", "sys/unseal", {"key": key})
        for name, value in acknowledged.items():
            found = call(port, "GET", f"secret/data/{name}", token=token)["data"]["data"]["n"]
            assert found >= value, f"{name}: {value} was acknowledged, {found} is there"
    process.terminate()
    assert await process.wait() == 0
    assert len(acknowledged) > WRITERS
