"""A login with a second factor: asked for at a terminal, told about elsewhere, or given along."""

import os
import pty
import select
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO
from urllib.parse import parse_qsl, urlsplit

import pytest

from strongroom_client import Client, Settings
from strongroom_common.secret import Secret
from strongroom_server.engines.totp.codes import code, step
from strongroom_server.engines.totp.keys import Key
from tests.strongroom_cli.running import OUR_COMMAND, our_server

WORDS = ("login", "-method=userpass", "-field=token_policies", "username=ann", "password=pw")


class Person:
    """Ann, whose logins need a code from her phone."""

    def __init__(self, address: str, home: Path) -> None:
        self.environ = {"HOME": str(home), "VAULT_ADDR": address, "PATH": "/usr/bin:/bin"}
        self.client = client = Client(Settings(address=address, token="root"))
        client.write("sys/auth/userpass", {"type": "userpass"})
        client.write("auth/userpass/users/ann", {"password": "pw"})
        auth = client.write("auth/userpass/login/ann", {"password": "pw"}).auth
        assert auth is not None
        self.method_id = client.write("identity/mfa/method/totp", {"issuer": "here"}).data["method_id"]
        both = {"method_id": self.method_id, "entity_id": auth["entity_id"]}
        url = client.write("identity/mfa/method/totp/admin-generate", both).data["url"]
        self.key = Secret(dict(parse_qsl(urlsplit(url).query))["secret"])
        subject = {"mfa_method_ids": [self.method_id], "auth_method_types": ["userpass"]}
        client.write("identity/mfa/login-enforcement/all", subject)
        client.close()
        self.later = iter(range(2))

    def code(self) -> str:
        """Return a code that was not used yet: that of now, then the next one, each still good one period later."""
        key = Key("", "SHA1", 6, "", 30, 1, self.key)  # type: ignore[arg-type]
        return code(key, step(key, time.time()) + next(self.later))

    def types(self, *words: str) -> "subprocess.CompletedProcess[str]":
        command = [*OUR_COMMAND, *words]
        return subprocess.run(
            command, env=self.environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
        )


@pytest.fixture(scope="module")
def ann(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    home = tmp_path_factory.mktemp("server")
    with our_server(home) as address:
        yield Person(address, home)


def _until(stream: IO[bytes], word: bytes) -> bytes:
    """Read until a word comes; a terminal's input is thrown away before it asks."""
    seen, deadline = b"", time.monotonic() + 60
    while word not in seen:
        ready, _, _ = select.select([stream], [], [], max(deadline - time.monotonic(), 0))
        more = os.read(stream.fileno(), 1000) if ready else b""
        assert more, seen
        seen += more
    return seen


def test_a_person_is_asked(ann: Person) -> None:
    person, terminal = pty.openpty()
    command = [*OUR_COMMAND, *WORDS]
    with subprocess.Popen(
        command, env=ann.environ, stdin=terminal, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        assert b"Initiating Interactive MFA Validation" in _until(process.stderr, b'of type "totp": ')
        os.write(person, ann.code().encode() + b"\n")
        output, errors = process.communicate(timeout=60)
    os.close(person)
    os.close(terminal)
    assert (process.returncode, output) == (0, b"[default]"), errors
    assert ann.types("token", "lookup", "-field=path").stdout == "auth/userpass/login/ann"  # it is kept


def test_a_script_is_told_what_to_do(ann: Person) -> None:
    ran = ann.types("login", "-method=userpass", "username=ann", "password=pw")
    assert ran.returncode == 0
    assert "sys/mfa/validate endpoint" in ran.stderr
    lines = [line.split() for line in ran.stdout.splitlines()]
    wanted = ["mfa_constraint_all_totp_id", "mfa_constraint_all_totp_uses_passcode"]
    assert lines[3:5] == [[wanted[0], ann.method_id], [wanted[1], "true"]]


def test_a_code_can_come_along(ann: Person) -> None:
    ran = ann.types(WORDS[0], f"-mfa={ann.method_id}:{ann.code()}", *WORDS[1:])
    assert (ran.returncode, ran.stdout) == (0, "[default]"), ran.stderr
    wrong = ann.types(WORDS[0], f"-mfa={ann.method_id}:000000", *WORDS[1:])
    assert (wrong.returncode, "permission denied" in wrong.stderr) == (2, True)
