"""The command line as text scripts: what is typed, what comes out, with which exit code.

A script in ``scripts/`` is lines. ``$ command`` runs in a folder of its own; ``X=$(command)`` keeps the output for
``$X``, ``X=$(command | pattern)`` the first group of the pattern in it. Under it stand ``> line``, one line of its
standard output, ``! text``, something that standard error holds, ``? code``, its exit code if not 0, and ``< line``,
its standard input. ``= NAME VALUE`` sets an environment variable from there on, ``@ file`` makes a file of the
``< line`` under it. Times, tokens and ids are masked (``running.MASKS``).
"""

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.bao import Peer, dev_server, program
from tests.strongroom_cli.running import masked, our_server, ran, sealed_server

_SCRIPTS = sorted(Path(__file__).parent.glob("scripts/*.txt"))
_OURS = sorted(Path(__file__).parent.glob("scripts/ours/*.txt"))  # what the peer does not have
_SEALED = sorted(Path(__file__).parent.glob("scripts/sealed/*.txt"))


@dataclass
class _Step:
    line: int
    sign: str
    text: str
    out: list[str] = field(default_factory=list)
    err: list[str] = field(default_factory=list)
    stdin: list[str] = field(default_factory=list)
    code: int = 0


def _steps(script: Path) -> list[_Step]:
    steps: list[_Step] = []
    for number, line in enumerate(script.read_text(encoding="utf-8").splitlines(), 1):
        sign, text = line[:1], line[2:]
        if sign in ("$", "=", "@"):
            steps.append(_Step(number, sign, text))
        elif sign == ">":
            steps[-1].out.append(text)
        elif sign == "!":
            steps[-1].err.append(text)
        elif sign == "<":
            steps[-1].stdin.append(text)
        elif sign == "?":
            steps[-1].code = int(text)
        else:
            assert sign in ("", "#"), f"{script.name}:{number}: {line}"
    return steps


@pytest.fixture(scope="module", params=["ours", pytest.param("peer", marks=pytest.mark.peer)])
def server(request, tmp_path_factory):
    """A fresh server in dev mode, ours and the peer's in turn."""
    if request.param == "peer":
        with dev_server() as peer:
            yield peer
        return
    with our_server(tmp_path_factory.mktemp("server")) as address:
        yield Peer(address)


@pytest.mark.parametrize("script", [pytest.param(path, id=path.stem) for path in _SCRIPTS])
def test_script(script, server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _play(script, {"VAULT_ADDR": server.address, "VAULT_TOKEN": "root", "HOME": str(tmp_path)})


@pytest.mark.parametrize("script", [pytest.param(path, id=path.stem) for path in _OURS])
def test_script_of_ours_alone(script, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with our_server(tmp_path) as address:
        _play(script, {"VAULT_ADDR": address, "VAULT_TOKEN": "root", "HOME": str(tmp_path)})


@pytest.mark.parametrize("whose", ["ours", pytest.param("peer", marks=pytest.mark.peer)])
@pytest.mark.parametrize("script", [pytest.param(path, id=path.stem) for path in _SEALED])
def test_script_from_a_server_that_is_not_initialized(script, whose, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with sealed_server(tmp_path, program() if whose == "peer" else "") as address:
        _play(script, {"VAULT_ADDR": address, "HOME": str(tmp_path)})


def _play(script, environ):
    kept = {"PORT": environ["VAULT_ADDR"].rpartition(":")[2]}
    for step in _steps(script):
        where = f"{script.name}:{step.line}"
        text = re.sub(r"\$(\w+)", lambda match: kept.get(match[1], match[0]), step.text)
        if step.sign == "=":
            name, _, environ[name] = text.partition(" ")
        elif step.sign == "@":
            Path(text).write_text("".join(f"{line}\n" for line in step.stdin), encoding="utf-8")
        else:
            _run(where, text, step, environ, kept)


def _picked(out, pattern):
    return re.search(pattern, out)[1] if pattern else out.strip()


def _run(where, text, step, environ, kept):
    name = ""
    if keeps := re.fullmatch(r"(\w+)=\$\((.*?)(?: \| (.+))?\)", text):
        name, text = keeps[1], keeps[2]
    done = ran(shlex.split(text), environ, "\n".join(step.stdin))
    assert done.code == step.code, f"{where}: exit code {done.code}\n{done.out}{done.err}"
    if name:
        kept[name] = _picked(done.out, keeps[3])
        return
    expected = "\n".join(step.out)
    assert masked(done.out).rstrip("\n") == expected.rstrip("\n"), f"{where}: {text}\n{done.err}"
    for part in step.err:
        assert part in masked(done.err), f"{where}: {text}\nstandard error: {done.err}"
    assert step.err or not done.err, f"{where}: {text}\nunexpected on standard error: {done.err}"
