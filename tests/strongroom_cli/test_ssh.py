"""The command ssh, with a program in the place of OpenSSH's that writes down how it was started."""

import json
import sys

import pytest

from tests.strongroom_cli.running import our_server, ran
from tests.strongroom_server.engines.ssh.keygen import make_key

RECORDER = f"""#!{sys.executable}
import json, os, sys
files = [word.partition("=")[2] for word in sys.argv if word.startswith(("CertificateFile=", "UserKnownHostsFile="))]
texts = [open(file).read() for file in files]
json.dump([sys.argv[1:], texts, os.environ.get("SSHPASS", "")], open(os.environ["RECORD"], "w"))
sys.exit(7)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    with our_server(folder) as address:
        environ = {"VAULT_ADDR": address, "VAULT_TOKEN": "root", "HOME": str(folder)}
        for line in (
            "secrets enable ssh", "write ssh/config/ca key_type=ed25519",
            "write ssh/roles/ca key_type=ca allow_user_certificates=true allowed_users=* allowed_extensions=*",
            "write ssh/roles/otp key_type=otp default_user=u allowed_users=* cidr_list=127.0.0.0/8",
        ):  # fmt: skip
            assert ran(line.split(), environ).code == 0
        (folder / ".ssh").mkdir()
        public, private = make_key("ed25519")
        (folder / ".ssh" / "id_ed25519.pub").write_text(public)
        (folder / ".ssh" / "id_ed25519").write_text(private)
        yield environ


@pytest.fixture
def recorded(server, tmp_path, monkeypatch):
    """Return a function that runs ssh and tells what OpenSSH's would have got."""
    program = tmp_path / "recorder"
    program.write_text(RECORDER)
    program.chmod(0o755)
    monkeypatch.setenv("RECORD", str(tmp_path / "record"))

    def run(line):
        done = ran(["ssh", f"-ssh-executable={program}", *line.split()], server)
        assert done.code == 7, done.err
        return [*json.loads((tmp_path / "record").read_text()), done.out]

    return run


def test_ssh_gets_a_certificate_for_the_users_key(recorded, server):
    words, (certificate,), *_ = recorded("-mode=ca -role=ca me@127.0.0.1 -p 2222 uptime")
    assert words[1].startswith("CertificateFile=")
    assert words[2:4] == ["-o", f"IdentityFile={server['HOME']}/.ssh/id_ed25519"]
    assert words[4:] == ["me@127.0.0.1", "-p", "2222", "uptime"]
    assert certificate.startswith("ssh-ed25519-cert-v01@openssh.com ")


def test_hosts_are_checked_by_the_engine_that_signs_their_keys(recorded):
    words, (_, known), *_ = recorded("-mode=ca -role=ca -host-key-mount-point=ssh/ -host-key-hostnames=*.a,b me@b.a")
    assert known.startswith("@cert-authority *.a,b ssh-ed25519 ")
    assert "StrictHostKeyChecking=yes" in words


def test_a_password_is_told_where_nothing_can_type_it(recorded, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    words, _, typed, out = recorded("-mode=otp -role=otp -strict-host-key-checking=no me@127.0.0.1")
    assert words == ["-o", "StrictHostKeyChecking=no", "me@127.0.0.1"]
    assert typed == ""
    assert out.startswith("OTP for the session is: ")


def test_a_password_is_typed_by_sshpass_and_is_in_no_command_line(recorded, monkeypatch, tmp_path):
    (tmp_path / "sshpass").write_text('#!/bin/sh\nshift\nexec "$@"\n')
    (tmp_path / "sshpass").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    words, _, typed, out = recorded("-mode=otp -role=otp me@127.0.0.1")
    assert len(typed) == 36
    assert typed not in str(words)
    assert out == ""


@pytest.mark.parametrize(
    ("line", "begins"),
    [
        pytest.param("-mode=ca -role=ca me@h", "Key              Value\n", id="certificate"),
        pytest.param("-mode=otp -role=otp me@127.0.0.1", "Key                Value\n", id="password"),
    ],
)
def test_what_the_engine_gives_is_printed_if_wanted(server, line, begins):
    done = ran(["ssh", "-no-exec", *line.split()], server)
    assert done.code == 0
    assert done.out.startswith(begins)


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        pytest.param("me@h", 1, "Missing -mode", id="no_mode"),
        pytest.param("-mode=x -role=r me@h", 1, "Unknown SSH mode: x", id="another_mode"),
        pytest.param("-mode=ca me@h", 1, "Missing -role", id="no_role"),
        pytest.param("-mode=ca -role=ca", 1, "Not enough arguments", id="no_host"),
        pytest.param("-mode=ca -role=ca -public-key-path=/none me@h", 1, "Could not find an SSH public", id="no_key"),
        pytest.param("-mode=ca -role=none me@h", 2, "Unknown role: none", id="no_such_role"),
        pytest.param("-mode=otp -role=otp me@10.0.0.1", 2, "IP does not belong to role", id="another_network"),
        pytest.param("-mode=ca -role=ca -ssh-executable=/none me@h", 1, "failed to run ssh", id="no_program"),
    ],
)
def test_what_cannot_be(server, line, code, message):
    done = ran(["ssh", *line.split()], server)
    assert done.code == code
    assert message in done.err
