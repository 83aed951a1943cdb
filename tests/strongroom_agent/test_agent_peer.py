"""Our agent beside OpenBao's: the same templates, the same server, the same bytes."""

import base64
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bao import Peer, dev_server, program
from tests.strongroom_agent.rendering import GOLDEN, RECORDED, golden_seed
from tests.strongroom_agent.running import COMMAND, environment

pytestmark = pytest.mark.peer
CASES = GOLDEN["cases"]
TOGETHER = [case for case in CASES if case["ok"]]


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    with dev_server() as server:
        _seed(server)
        yield server


def _seed(server: Peer) -> None:
    """Put the golden file's data where its templates look for them."""
    for mount, version in {"kv": "2", "kv1": "1", "database": "1", "aws": "1"}.items():
        server.call("POST", f"sys/mounts/{mount}", {"type": "kv", "options": {"version": version}})
    for mount, secrets in golden_seed().items():
        for path, data in secrets.items() if mount != "env" else ():
            for version in data if isinstance(data, list) else [data]:
                place = f"{mount}/data/{path}" if mount == "kv" else f"{mount}/{path}"
                server.call("POST", place, {"data": version} if mount == "kv" else version)
    server.call("POST", "kv/data/gone/del", {"data": {"a": "1"}})
    server.call("DELETE", "kv/data/gone/del")
    server.call("POST", "sys/mounts/pki", {"type": "pki"})
    server.call("POST", "pki/root/generate/internal", {"common_name": "root", "ttl": "700h"})
    server.call("POST", "pki/roles/web", {"allow_any_name": True, "max_ttl": "600h"})
    server.call("POST", "sys/mounts/transit", {"type": "transit"})
    server.call("POST", "transit/keys/app", {})
    server.call("POST", "sys/policies/acl/reader", {"policy": _POLICY})


_POLICY = "\n".join(
    f'path "{path}/*" {{ capabilities = ["read", "list", "update"] }}'
    for path in ("kv", "kv1", "database", "aws", "pki", "transit")
)


def _prepared(peer: Peer, case: dict[str, Any], folder: Path) -> dict[str, Any]:
    body = case["body"].replace("OUTDIR", str(folder))
    if "CIPHERTEXT" in body:
        hello = base64.b64encode(b"hello").decode()
        answer = peer.call("POST", "transit/encrypt/app", {"plaintext": hello})[1]
        body = body.replace("CIPHERTEXT", answer["data"]["ciphertext"])
    left, right = case.get("delims") or ("{{", "}}")
    return {
        "contents": body, "destination": str(folder / case["id"]), "left_delimiter": left, "right_delimiter": right,
        "error_on_missing_key": case.get("error_on_missing_key", False),
    }  # fmt: skip


def _run(
    agent: list[str], peer: Peer, templates: list[dict[str, Any]], folder: Path
) -> subprocess.CompletedProcess[str]:
    token = peer.call("POST", "auth/token/create", {"policies": ["reader"], "ttl": "1h"})[1]["auth"]["client_token"]
    (folder / "token").write_text(token)
    method = {"type": "token_file", "config": {"token_file_path": str(folder / "token")}}
    config = {
        "exit_after_auth": True, "vault": {"address": peer.address, "retry": {"num_retries": 1}},
        "auto_auth": {"method": [method]}, "template_config": {"exit_on_retry_failure": True}, "template": templates,
    }  # fmt: skip
    path = folder / "agent.json"
    path.write_text(json.dumps(config))
    command, around = [*agent, f"-config={path}"], environment(APP_NAME="env")
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=around, check=False)


def _content(path: str) -> str:
    return Path(path).read_bytes().decode("utf-8", "surrogateescape")


@pytest.mark.slow
def test_golden_cases_through_both_agents(peer, tmp_path):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for folder, agent in ((ours, COMMAND), (theirs, [program(), "agent"])):
        folder.mkdir()
        done = _run(agent, peer, [_prepared(peer, case, folder) for case in TOGETHER], folder)
        assert done.returncode == 0, done.stderr[-2000:]
    for case in TOGETHER:
        mine, other = (_content(str(folder / case["id"])) for folder in (ours, theirs))
        assert _shape(mine) == _shape(other), case["id"]
        assert case["nondeterministic"] or mine == case["output"], case["id"]
    for name in ("ca.pem", "k.pem"):
        mine, other = (folder / name for folder in (ours, theirs))
        assert _shape(mine.read_text()) == _shape(other.read_text())
        assert mine.stat().st_mode == other.stat().st_mode


def _shape(text: str) -> str:
    """Leave the form of what differs from one issue to the next: PEM bodies, times, serials."""
    text = re.sub(r"(?:(?:\\n|\n)?[A-Za-z0-9+/=]{20,})+", "<base64>", text)
    return re.sub(r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "<time>", text)


@pytest.mark.slow
@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES if not case["ok"]])
def test_golden_failures(peer, tmp_path, case):
    done = _run(COMMAND, peer, [_prepared(peer, case, tmp_path)], tmp_path)
    assert done.returncode == 1
    assert not (tmp_path / case["id"]).exists()


def test_what_was_recorded_is_what_openbao_says(peer, tmp_path):
    cases = [{"id": str(number), "body": case["template"]} for number, case in enumerate(RECORDED["rendered"])]
    done = _run([program(), "agent"], peer, [_prepared(peer, case, tmp_path) for case in cases], tmp_path)
    assert done.returncode == 0, done.stdout[-2000:]
    for number, case in enumerate(RECORDED["rendered"]):
        assert _content(str(tmp_path / str(number))) == case["output"], case["template"]


def test_what_was_recorded_of_yaml_is_what_openbao_says(peer, tmp_path):
    read = [case for case in RECORDED["yaml"] if case["output"] is not None]
    cases = [{"id": str(number), "body": f"{{{{ parseYAML `{case['yaml']}` }}}}"} for number, case in enumerate(read)]
    done = _run([program(), "agent"], peer, [_prepared(peer, case, tmp_path) for case in cases], tmp_path)
    assert done.returncode == 0, done.stdout[-2000:]
    for number, case in enumerate(read):
        assert _content(str(tmp_path / str(number))) == case["output"], case["yaml"]


@pytest.mark.slow
@pytest.mark.parametrize("template", RECORDED["refused"])
def test_what_we_refuse_openbao_refuses(peer, tmp_path, template):
    done = _run([program(), "agent"], peer, [_prepared(peer, {"id": "out", "body": template}, tmp_path)], tmp_path)
    assert done.returncode != 0
    assert not (tmp_path / "out").exists()
