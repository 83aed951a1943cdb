"""The command line run inside the test's process, with its own home, input and environment."""

import contextlib
import io
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from strongroom_cli.__main__ import run
from strongroom_cli.session import Terminal
from strongroom_client import Client, ClientError, Settings


@contextlib.contextmanager
def our_server(folder: Path) -> Iterator[str]:
    """Run ``strongroom server -dev`` on a free port of loopback and yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    flags = ["-dev", "-dev-root-token-id=root", "-dev-no-store-token", f"-dev-listen-address={address}"]
    command = [sys.executable, "-m", "strongroom_cli", "server", *flags]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, cwd=folder, stdout=log, stderr=log) as process:
        try:
            _wait_until_ready(f"http://{address}", process)
            yield f"http://{address}"
        finally:
            process.terminate()


def _wait_until_ready(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    with Client(Settings(address=address, token="root", retries=0)) as client:
        while True:
            try:
                client.read("auth/token/lookup-self")
                return
            except ClientError:
                assert process.poll() is None, "the server ended"
                assert time.monotonic() < deadline, "the server did not start"
                time.sleep(0.05)


class Ran(NamedTuple):
    """What one run gave."""

    code: int
    out: str
    err: str


def ran(words: list[str], environ: Mapping[str, str], stdin: str = "", program: str = "strongroom") -> Ran:
    """Run the command line as ``program words`` and return its exit code and both outputs."""
    out, err = io.StringIO(), io.StringIO()
    code = run(program, words, Terminal(io.StringIO(stdin), out, err, environ))
    return Ran(code, out.getvalue(), err.getvalue())


MASKS = (
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| \+0000 UTC)", "TIME"),
    (r"\b(hv)?[sb]\.[\w-]{20,}", "TOKEN"),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "UUID"),
    (r"\b(auth_)?(kv|transit|userpass|approle|token|cubbyhole|identity|system)_[0-9a-f]{8}\b", "MOUNT_ACCESSOR"),
    (r"\bh[0-9a-f]{64}\b", "LEASE"),
    (r"(?<=accessor)(\W+)[A-Za-z0-9]{24}\b", r"\1ACCESSOR"),
    (r"\d+ \w{3} \d\d \d\d:\d\d UTC", "SHORT_TIME"),
    (r"\bttl(\W+)\d+h?(\d+m)?(\d+s)?\b", r"ttl\1TTL"),
    (r"creation_time(\W+)\d{10}", r"creation_time\1SECONDS"),
    (r"Waiting for terminal status .*\n", ""),
    (r"(?i)encryption(s\W+| Count +)\d+", "ENCRYPTIONS"),
    (r"(?<=\nid)( +)[A-Za-z0-9]{6}\b", r"\1NAMESPACE"),
    (r"127\.0\.0\.1:\d+", "ADDRESS"),
)


def masked(text: str) -> str:
    """Replace what differs from run to run: times, tokens, ids, ports."""
    for pattern, mask in MASKS:
        text = re.sub(pattern, mask, text)
    return text
