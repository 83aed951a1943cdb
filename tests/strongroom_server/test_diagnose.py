"""What a look at a server file finds, without a server."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom_server.diagnose import diagnose, exit_code, validate
from tests.strongroom_cli.running import ran

GOOD = """storage "inmem" {}
listener "unix" { address = "/tmp/never-bound.sock" }
"""


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def written(folder: Path, text: str) -> list[str]:
    file = folder / "server.hcl"
    file.write_text(text)
    return [str(file)]


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        pytest.param(GOOD, 0, "[ success ] Validate Config", id="nothing_is_wrong"),
        pytest.param(GOOD + "foo = 1\n", 2, ":3: unknown or unsupported field foo", id="a_field_without_use"),
        pytest.param('storage "x', 1, "literal not terminated", id="no_hcl"),
    ],
)
def test_files_are_validated(text: str, code: int, told: str, tmp_path: Path) -> None:
    found = validate(written(tmp_path, text))
    assert exit_code(found) == code
    assert told in str(found[0])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(GOOD, "[ success ] Check Storage: inmem", id="storage_that_opens"),
        pytest.param(GOOD, "[ skipped ] Check Seal: the holders of the keys unseal it", id="keys_with_people"),
        pytest.param(GOOD, "[ success ] Check Listener Address /tmp/never-bound.sock", id="a_socket"),
        pytest.param("", "[ failure ] Check Storage: no storage block", id="no_storage"),
        pytest.param("", "[ failure ] Check Listener: no listener block", id="no_listener"),
        pytest.param('storage "nosuch" {}', "[ failure ] Check Storage: ", id="storage_of_no_type"),
        pytest.param(GOOD + 'seal "static" { current_key_id = "a" current_key = "YWJj" }', "[ failure ] Check Seal: ",
                     id="a_seal_without_a_key"),
        pytest.param('listener "tcp" { address = "127.0.0.1:PORT" tls_disable = true }',
                     "[ warning ] Check Listener TLS 127.0.0.1:PORT: TLS is disabled", id="plain_http"),
        pytest.param('listener "tcp" { address = "127.0.0.1:PORT" tls_disable = true }',
                     "[ failure ] Check Listener Address 127.0.0.1:PORT: ", id="an_address_that_is_taken"),
        pytest.param('listener "tcp" { address = "127.0.0.1:PORT" tls_cert_file = "/none" tls_key_file = "/none" }',
                     "[ failure ] Check Listener TLS 127.0.0.1:PORT: ", id="no_certificate"),
    ],
)  # fmt: skip
def test_what_a_file_names_is_looked_at(text: str, told: str, taken: int, tmp_path: Path) -> None:
    found = [str(one) for one in diagnose(written(tmp_path, text.replace("PORT", str(taken))))]
    assert any(line.startswith(told.replace("PORT", str(taken))) for line in found), found


def test_checks_can_be_left_out(tmp_path: Path) -> None:
    found = [str(one) for one in diagnose(written(tmp_path, ""), ["storage", "listener", "autounseal"])]
    assert found[-3:] == ["[ skipped ] Check Storage", "[ skipped ] Check Seal", "[ skipped ] Check Listener"]


def test_the_command_line_tells_it(tmp_path: Path) -> None:
    [path] = written(tmp_path, GOOD + "foo = 1\n")
    done = ran(["operator", "validate-config", f"-config={path}"], {})
    assert (done.code, done.out) == (2, f"[ warning ] Validate Config: {path}:3: unknown or unsupported field foo\n")
    done = ran(["operator", "diagnose", f"-config={path}", "-skip=storage,listener", "-format=json"], {})
    assert (done.code, '"name": "Check Storage"' in done.out) == (2, True)
    done = ran(["operator", "diagnose"], {})
    assert (done.code, done.err) == (3, "Must specify a configuration file using -config.\n")
