"""What debug gathers of a running server, and what it says of what it may not see."""

import json
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from strongroom_client import Client, Settings
from tests.archives import unpack
from tests.strongroom_cli.running import OUR_COMMAND, our_server, ran


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with our_server(tmp_path_factory.mktemp("server")) as address:
        yield address


def index(folder: Path) -> Any:
    return json.loads((folder / "index.json").read_text())


def test_all_is_gathered_into_one_file(server: str, tmp_path: Path) -> None:
    environ = {"VAULT_ADDR": server, "VAULT_TOKEN": "root", "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    command = [*OUR_COMMAND, "debug", "-duration=2s", "-interval=1s", "-output=all"]
    done = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "Bundle written to: all.tar.gz" in done.stdout) == (0, True), done
    assert (tmp_path / "all.tar.gz").stat().st_mode & 0o777 == 0o600
    with tarfile.open(tmp_path / "all.tar.gz") as bundle:
        unpack(bundle, tmp_path)
    found = index(tmp_path / "all")
    assert found["errors"] == []
    assert set(found["output"]["files"]) >= {"config.json", "host_info.json", "metrics.json", "server_status.json"}
    assert "health" in json.loads((tmp_path / "all" / "server_status.json").read_text())[0]
    assert any("heap.txt" in look["files"] for name, look in found["output"].items() if name != "files")


def test_what_the_token_may_not_see_is_left_out(server: str, tmp_path: Path) -> None:
    with Client(Settings(address=server, token="root")) as client:
        token = (client.write("auth/token/create", {"policies": ["default"]}).auth or {})["client_token"]
    words = ["debug", "-duration=1s", "-target=config,server-status", "-target=nosuch", "-compress=false"]
    done = ran([*words, f"-output={tmp_path}/some"], {"VAULT_ADDR": server, "VAULT_TOKEN": token})
    assert (done.code, done.err.strip()) == (0, "Ignoring invalid targets: nosuch")
    found = index(tmp_path / "some")
    assert found["targets"] == ["config", "server-status"]
    assert [(one["target"], "permission denied" in one["error"]) for one in found["errors"]] == [("config", True)]
    again = ran([*words, f"-output={tmp_path}/some"], {"VAULT_ADDR": server, "VAULT_TOKEN": token})
    assert (again.code, "already exists" in again.err) == (1, True)
