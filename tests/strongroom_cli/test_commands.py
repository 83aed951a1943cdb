"""The table of commands, help, completion, and what concerns the program as a whole."""

import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import strongroom_cli.commands
from strongroom_cli import helptext, table
from strongroom_cli.__main__ import start
from strongroom_cli.command import all_flags
from strongroom_cli.completion import words
from strongroom_client.exchange import API_VERSION
from strongroom_server.sdk.version import VERSION
from tests.strongroom_cli.running import ran
from tests.strongroom_client.listener import closed_port, json_answer, listening

_MOUNT = json_answer('{"data":{"path":"secret/","options":{"version":"2"}}}')
_SECRET = json_answer('{"data":{"data":{"a":"b"},"metadata":{"version":1}}}')


def _spec(name):
    return import_module(f"strongroom_cli.commands.{table.COMMANDS[name][0]}").COMMANDS[name]


def test_the_table_and_the_modules_agree():
    folder = Path(strongroom_cli.commands.__file__).parent
    found = {}
    for path in folder.glob("[a-z]*.py"):
        for name in import_module(f"strongroom_cli.commands.{path.stem}").COMMANDS:
            found[name] = path.stem
    assert found == {name: module for name, (module, _) in table.COMMANDS.items()}


def test_every_group_is_described():
    groups = {name.rpartition(" ")[0] for name in (*table.COMMANDS, *table.GROUPS)} - {""}
    assert groups == set(table.GROUPS)


@pytest.mark.parametrize("name", table.COMMANDS)
def test_every_command_has_help_and_flags_that_do_not_clash(name):
    spec = _spec(name)
    names = [word for flag in all_flags(spec) for word in (flag.name, flag.alias) if word]
    assert len(names) == len(set(names))
    text = helptext.command("vault", name, spec)
    assert text.startswith(f"Usage: vault {name}")
    assert "{program}" not in text


@pytest.mark.parametrize("flag", ["-h", "-help", "--help"])
@pytest.mark.parametrize("line", ["", "kv", "kv metadata", "kv get"])
def test_help_goes_to_standard_output(line, flag):
    done = ran([*line.split(), flag], {}, program="vault")
    assert done.code == 0
    assert done.out.startswith(f"Usage: vault {line}".rstrip())
    assert done.err == ""


@pytest.mark.parametrize(
    ("line", "code"),
    [
        pytest.param("", 127, id="no_command"),
        pytest.param("kv", 1, id="a_group"),
        pytest.param("nosuch", 127, id="none"),
    ],
)
def test_what_is_no_command_prints_usage_as_an_error(line, code):
    done = ran(line.split(), {})
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith("Usage: strongroom")


def test_under_the_name_of_vault_the_release_that_it_stands_for_comes_first():
    assert re.fullmatch(r"Vault v1\.18\.0 \(Strongroom v\d+\.\d+\.\d+\)\n", ran(["-version"], {}, program="vault").out)
    assert API_VERSION == VERSION


@pytest.mark.parametrize("word", ["version", "-v", "-version", "--version"])
def test_the_version_is_printed(word):
    assert re.fullmatch(r"Strongroom v\d+\.\d+\.\d+\n", ran([word], {}).out)


def test_a_client_that_never_leaves_its_machine_needs_no_tls():
    code = "import sys, strongroom_cli.dispatch, strongroom_cli.commands.kv; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    heavy = {"argparse", "asyncio", "dataclasses", "inspect", "aiohttp", "yaml", "difflib", "getpass", "subprocess"}
    assert not set(done.stdout.split()) & heavy


def test_starting_a_program_brings_nothing_of_the_commands():
    code = "import sys, strongroom_cli.__main__; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert {name for name in done.stdout.split() if name.startswith("strongroom_")} == {
        "strongroom_cli",
        "strongroom_cli.__main__",
        "strongroom_cli.table",
    }


@pytest.mark.parametrize("name", table.PROGRAMS)
def test_every_program_has_an_entry_point(name):
    package, _, _ = table.PROGRAMS[name]
    assert callable(import_module(f"{package}.main").main)


def test_a_program_that_is_not_installed_says_how_to_get_it(monkeypatch, capsys):
    monkeypatch.setitem(table.PROGRAMS, "agent", ("nosuch_package", "all", ""))
    assert start(["agent"]) == 1
    assert "pip install 'strongroom[all]'" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["vault", "bao", "strongroom"])
def test_a_link_gives_the_program_its_name(name, tmp_path):
    link = tmp_path / name
    link.symlink_to(Path(sys.executable).parent / "strongroom")
    done = subprocess.run([str(link), "kv", "-h"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"Usage: {name} kv <subcommand>")


_HEAVY = frozenset({
    "argparse", "asyncio", "concurrent", "cryptography", "dataclasses", "difflib", "getpass", "importlib.metadata",
    "inspect", "logging", "pathlib", "shlex", "shutil", "subprocess", "tempfile", "traceback", "urllib.request",
})  # fmt: skip


def test_a_secret_is_there_in_no_time():
    """What takes the time of a start is imports: few, and none of those that a read has no use for."""
    with listening(_MOUNT, _SECRET) as listener:
        environ = {**os.environ, "VAULT_ADDR": listener.address, "VAULT_TOKEN": "t"}
        command = [sys.executable, "-X", "importtime", "-m", "strongroom_cli", "kv", "get", "-field=a", "secret/x"]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    assert done.stdout == "b"
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert not imported & _HEAVY
    assert len(imported) < 160


def test_a_reader_that_stops_is_no_error(tmp_path):
    script = f"{sys.executable} -m strongroom_cli kv get -h | head -1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_command_line_does_not_try_again_unless_told():
    down = json_answer('{"errors":["oh"]}', 500)
    with listening(down) as listener:
        environ = {"VAULT_ADDR": listener.address, "VAULT_TOKEN": "t"}
        assert ran(["read", "x"], environ).code == 2
        assert len(listener.seen) == 1


def test_a_stored_token_is_found(tmp_path):
    (tmp_path / ".vault-token").write_text("hvs.kept\n")
    with listening(_SECRET) as listener:
        ran(["read", "x"], {"VAULT_ADDR": listener.address, "HOME": str(tmp_path)})
    assert listener.seen[0][2]["X-Vault-Token"] == "hvs.kept"


def test_flags_set_headers_and_address(tmp_path):
    with listening(_SECRET) as listener:
        flags = ["-address", listener.address, "-ns=team/", "-wrap-ttl=5m", "-mfa=a", "-header=X-Trace=1", "-token=t"]
        ran(["read", *flags, "x"], {"HOME": str(tmp_path), "VAULT_ADDR": f"http://127.0.0.1:{closed_port()}"})
    headers = {name: value for name, value in listener.seen[0][2].items() if name.startswith("X-")}
    assert headers == {
        "X-Vault-Request": "true",
        "X-Vault-Token": "t",
        "X-Vault-Namespace": "team/",
        "X-Vault-Wrap-TTL": "5m",
        "X-Vault-MFA": "a",
        "X-Trace": "1",
    }


def test_a_password_is_never_asked_for_without_a_terminal(tmp_path):
    with listening(_SECRET) as listener:
        done = ran(
            ["login", "-method=userpass", "username=ann"], {"VAULT_ADDR": listener.address, "HOME": str(tmp_path)}
        )
    assert (done.code, done.out) == (2, "")
    assert "not a terminal" in done.err
    assert listener.seen == []


def test_nothing_secret_is_in_an_error():
    done = ran(["login", "-method=userpass", "username=ann", "password=hunter2"], {"VAULT_ADDR": "http://127.0.0.1:1"})
    assert done.code == 2
    assert "hunter2" not in done.out + done.err


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("vault k", ["kv"], id="a_command"),
        pytest.param("vault kv me", ["metadata"], id="a_subcommand"),
        pytest.param("vault kv metadata ", ["delete", "destroy", "get", "patch", "put"], id="all_subcommands"),
        pytest.param("vault kv get -fi", ["-field="], id="a_flag"),
        pytest.param("vault kv get -output-c", ["-output-curl-string"], id="a_flag_without_a_value"),
        pytest.param("vault kv get secret/", [], id="nothing_for_a_path"),
        pytest.param("vault nosuch ", [], id="nothing_for_what_is_no_command"),
    ],
)
def test_completion_gives_what_may_follow(line, expected):
    assert words(line) == expected


def test_completion_answers_the_shell():
    assert ran([], {"COMP_LINE": "vault operator un", "COMP_POINT": "17"}).out == "unseal\n"


def test_completion_is_installed_once_and_removed(tmp_path):
    profile = tmp_path / ".bashrc"
    profile.write_text("alias x=y\n")
    for _ in range(2):
        assert ran(["-autocomplete-install"], {"HOME": str(tmp_path)}, program="vault").code == 0
    assert profile.read_text() == "alias x=y\ncomplete -C vault vault\n"
    assert ran(["-autocomplete-uninstall"], {"HOME": str(tmp_path)}, program="vault").code == 0
    assert profile.read_text() == "alias x=y\n"


@pytest.mark.parametrize(
    "line",
    [
        "kv undelete -versions=1 secret/x", "kv destroy -versions=1 secret/x", "kv delete secret/x",
        "kv metadata put secret/x", "kv metadata delete secret/x", "lease lookup x", "lease renew x", "kv list secret",
        "list secret", "namespace lookup x", "operator raft autopilot state", "kv rollback -version=1 secret/x",
    ],
)  # fmt: skip
def test_any_answer_may_be_wrapped(line):
    wrapped = json_answer('{"wrap_info":{"token":"hvs.w","ttl":60,"creation_time":"","creation_path":"x"}}')
    answers = [_MOUNT, _SECRET, _SECRET] if "rollback" in line else [_MOUNT] if line.startswith("kv") else []
    with listening(*answers, wrapped) as listener:
        done = ran([*line.split(), "-wrap-ttl=60"], {"VAULT_ADDR": listener.address, "VAULT_TOKEN": "t"})
    assert (done.code, done.err) == (0, "")
    assert "wrapping_token:" in done.out
    assert [headers.get("X-Vault-Wrap-TTL") for _, _, headers, _ in listener.seen] == [None] * len(answers) + ["60"]
