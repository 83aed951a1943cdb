"""What SIGHUP has a running server read anew, and what dev mode takes from a server file."""

import json
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.ours import Ours, dev_server, free_port, running

_DECLARED = 'audit "file" "{name}" {{ options {{ file_path = "{folder}/{name}.log" }} }}\n'


def ask(server: Ours, path: str) -> Any:
    request = urllib.request.Request(f"{server.address}/v1/{path}", headers={"X-Vault-Token": "root"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def wait_for(fact: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not fact():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_settings_devices_and_log_are_followed(tmp_path: Path) -> None:
    file, log = tmp_path / "server.hcl", tmp_path / "server-log.txt"
    start = f'log_file = "{log}"\n' + _DECLARED.format(name="first", folder=tmp_path)
    file.write_text(start)
    with dev_server(tmp_path, f"-config={file}") as server:
        assert set(ask(server, "sys/audit")["data"]) == {"first/"}
        log.rename(tmp_path / "old")
        file.write_text(start.replace("first", "second"))
        server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: log.exists() and "reloaded" in log.read_text())
        assert set(ask(server, "sys/audit")["data"]) == {"second/"}
        file.write_text("nonsense = = 1")
        server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "the old settings stay" in log.read_text())
        assert set(ask(server, "sys/audit")["data"]) == {"second/"}


def test_dev_mode_takes_listeners_and_settings_of_a_file(tmp_path: Path) -> None:
    socket, file = tmp_path / "s.sock", tmp_path / "server.hcl"
    file.write_text(f'listener "unix" {{ address = "{socket}" socket_mode = "600" }}\nmax_lease_ttl = "10h"\n')
    with dev_server(tmp_path, f"-config={file}") as server:
        assert socket.stat().st_mode & 0o777 == 0o600
        assert ask(server, "sys/mounts/secret/tune")["data"]["max_lease_ttl"] == 36000


def test_a_log_file_of_the_command_line_is_written_beside_standard_error(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "strongroom.log"
    with dev_server(tmp_path, f"-log-file={log.parent}/", "-log-rotate-max-files=2") as server:
        assert server.process.poll() is None
        wait_for(lambda: log.exists() and "unsealed" in log.read_text())


def test_finished_requests_are_logged_where_asked(tmp_path: Path) -> None:
    file = tmp_path / "server.hcl"
    file.write_text('log_requests_level = "info"\n')
    with dev_server(tmp_path, f"-config={file}") as server:
        ask(server, "sys/mounts?secret=no")
    log = (tmp_path / "server.log").read_text()
    assert "completed_request" in log
    assert "status_code=200 request_path=/v1/sys/mounts request_method=GET" in log


def test_two_seals_need_one_to_be_left(tmp_path: Path) -> None:
    file = tmp_path / "server.hcl"
    file.write_text('storage "inmem" {}\nlistener "unix" { address = "' + str(tmp_path / "s") + '" }\n'
                    'seal "shamir" {}\nseal "static" {}\n')  # fmt: skip
    command = [sys.executable, "-m", "strongroom_server.main", f"-config={file}"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 1
    assert "two seals, shamir and static: set disabled = true in the one to leave" in ended.stderr


@pytest.mark.parametrize(
    ("flags", "kept"),
    [
        pytest.param([], "hvs.kept", id="as_login_does"),
        pytest.param(["-dev-no-store-token"], "old", id="unless_told_not_to"),
    ],
)
def test_dev_mode_keeps_its_root_token_for_the_command_line(tmp_path: Path, flags: list[str], kept: str) -> None:
    file, port = tmp_path / ".vault-token", free_port()
    file.write_text("old")
    words = ["-dev", "-dev-root-token-id=hvs.kept", f"-dev-listen-address=127.0.0.1:{port}", *flags]
    with running(tmp_path, *words, port=port) as server:
        wait_for(lambda: "Root Token: hvs.kept" in (tmp_path / "server.log").read_text())
        assert file.read_text() == kept
    assert server.process.wait(30) == 0
    assert file.read_text() == kept


def test_dev_mode_serves_where_the_token_cannot_be_kept(tmp_path: Path) -> None:
    (tmp_path / ".vault-token").mkdir()
    port = free_port()
    words = ["-dev", "-dev-root-token-id=root", f"-dev-listen-address=127.0.0.1:{port}"]
    with running(tmp_path, *words, port=port) as server:
        assert ask(server, "sys/mounts")["data"]
        wait_for(lambda: "the root token is not kept" in (tmp_path / "server.log").read_text())


def test_dev_mode_speaks_tls_where_asked(tmp_path: Path) -> None:
    folder, address = tmp_path / "tls", f"127.0.0.1:{free_port()}"
    folder.mkdir()
    flags = ["-dev-tls", f"-dev-tls-cert-dir={folder}", "-dev-tls-san=vault.test", f"-dev-listen-address={address}"]
    command = [sys.executable, "-m", "strongroom_server.main", *flags, "-dev-no-store-token", "-dev-root-token-id=root"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            lines = iter(process.stdout.readline, "")
            assert any(f"VAULT_CACERT='{folder}/vault-ca.pem'" in line for line in lines)
            trust = ssl.create_default_context(cafile=str(folder / "vault-ca.pem"))
            with urllib.request.urlopen(f"https://{address}/v1/sys/health", context=trust, timeout=30) as answer:
                assert json.load(answer)["sealed"] is False
            host, _, port = address.partition(":")
            with socket.create_connection((host, int(port))) as plain:
                trust.wrap_socket(plain, server_hostname="vault.test").close()
        finally:
            process.terminate()
    assert (folder / "vault-key.pem").stat().st_mode & 0o077 == 0
