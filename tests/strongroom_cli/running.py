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

from strongroom_cli.dispatch import run
from strongroom_cli.session import Terminal
from strongroom_client import Client, ClientError, Settings

_FILE = """
storage "inmem" {{}}
listener "tcp" {{
  address     = "{address}"
  tls_disable = true
  {listener}
}}
{top}
"""
_PEER_LISTENER = "disable_unauthed_generate_root_endpoints = false\n  disable_unauthed_rekey_endpoints = false"
_PEER_TOP = "unsafe_allow_api_audit_creation = true"
OUR_COMMAND = (sys.executable, "-m", "strongroom_cli")


@contextlib.contextmanager
def our_server(folder: Path) -> Iterator[str]:
    """Run ``strongroom server -dev`` on a free port of loopback and yield its address."""
    address = _free_address()
    flags = ["-dev", "-dev-root-token-id=root", "-dev-no-store-token", f"-dev-listen-address={address}"]
    with _running([*OUR_COMMAND, "server", *flags], folder, address, "auth/token/lookup-self") as url:
        yield url


@contextlib.contextmanager
def sealed_server(folder: Path, peer: str = "") -> Iterator[str]:
    """Run a server that is not initialized, ours or the program ``peer``, and yield its address."""
    address = _free_address()
    listener, top = (_PEER_LISTENER, _PEER_TOP) if peer else ("", "")
    (folder / "server.hcl").write_text(_FILE.format(address=address, listener=listener, top=top))
    command = [*((peer,) if peer else OUR_COMMAND), "server", f"-config={folder}/server.hcl"]
    with _running(command, folder, address, "sys/seal-status") as url:
        yield url


def _free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"127.0.0.1:{probe.getsockname()[1]}"


@contextlib.contextmanager
def _running(command: list[str], folder: Path, address: str, ready: str) -> Iterator[str]:
    with (folder / "log").open("wb") as log, subprocess.Popen(command, cwd=folder, stdout=log, stderr=log) as process:
        try:
            _wait_until_ready(f"http://{address}", ready, process)
            yield f"http://{address}"
        finally:
            process.terminate()


def _wait_until_ready(address: str, path: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    with Client(Settings(address=address, token="root", retries=0)) as client:
        while True:
            try:
                client.read(path)
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
    (r"\bttl(\W+)[\dhms]+\b", r"ttl\1TTL"),
    (r"creation_time(\W+)\d{10}", r"creation_time\1SECONDS"),
    (r"Waiting for terminal status .*\n", ""),
    (r"(?i)encryption(s\W+| Count +)\d+", "ENCRYPTIONS"),
    (r"(?<=\nid)( +)[A-Za-z0-9]{6}\b", r"\1NAMESPACE"),
    (r"127\.0\.0\.1:\d+", "ADDRESS"),
    (r"Commit Date( +)", r"Build Date \1"),
    (r"(?m)^(Build Date +)\S+", r"\1X"),
    (r"(?m)^((?:Version|Cluster Name|OTP|OTP Length) {2,})\S+", r"\1X"),
    (r"\b[A-Za-z0-9+/]{43}=?(?![A-Za-z0-9+/=])|\b[A-Za-z0-9+/]{44}\b", "KEY"),
)


def masked(text: str) -> str:
    """Replace what differs from run to run: times, tokens, ids, ports."""
    for pattern, mask in MASKS:
        text = re.sub(pattern, mask, text)
    return text
