"""A store copied into another, a copy that breaks off, and a server that does not start on half of one."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from strongroom_common.clock import SystemClock
from strongroom_server import migrate
from strongroom_server.sdk.backend import Backend, Change
from strongroom_server.sdk.errors import BackendError
from strongroom_server.storage import open_backend
from tests.ours import Ours, file_server
from tests.strongroom_cli.running import ran


async def stored(entries: dict[str, bytes]) -> Backend:
    store = await open_backend("inmem", {}, SystemClock())
    await store.commit([Change(key, value) for key, value in entries.items()])
    return store


async def held(store: Backend, prefix: str = "") -> dict[str, bytes | None]:
    found: dict[str, bytes | None] = {}
    for name in await store.list(prefix):
        found |= (
            await held(store, prefix + name) if name.endswith("/") else {prefix + name: await store.get(prefix + name)}
        )
    return found


async def test_all_is_copied_but_what_is_about_the_store() -> None:
    entries = {f"logical/{number}/x": bytes([number % 256]) for number in range(600)} | {
        "core/keyring": b"k",
        "a": b"1",
    }
    old, new = await stored(entries | {"core/lock": b"l"}), await stored({})
    assert await migrate.copy(old, new) == 602
    assert await held(new) == entries
    await migrate.check_finished(new)


async def test_a_copy_that_broke_off_is_ended_and_nothing_else_is_mixed() -> None:
    old, new = await stored({"a": b"1", "b": b"2", "c": b"3"}), await stored({migrate.MARK: b"{}", "a": b"1"})
    with pytest.raises(BackendError, match="unfinished copy"):
        await migrate.check_finished(new)
    with pytest.raises(migrate.MigrationError, match="itself an unfinished copy"):
        await migrate.copy(new, await stored({}))
    assert await migrate.copy(old, new, "b") == 2
    assert await held(new) == await held(old)
    with pytest.raises(migrate.MigrationError, match="not empty"):
        await migrate.copy(old, new)


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        pytest.param('storage_source "sqlite" { path = "P/a" }', 1, 'exactly one "storage_destination"', id="no_end"),
        pytest.param("storage_source {", 1, "error parsing", id="no_hcl"),
        pytest.param(
            'storage_source "file" { path = "P/a" }\nstorage_destination "sqlite" { path = "P/b" }', 2,
            "the storage_source is empty", id="nothing",
        ),
        pytest.param(
            'storage_source "file" { path = "P/a" }\nstorage_destination "sqlite" { path = "P/x/../a" }', 2,
            "are the same store", id="the_same",
        ),
        pytest.param('storage_source "nope" {}\nstorage_destination "inmem" {}', 2, "nope", id="no_such_store"),
    ],
)  # fmt: skip
def test_what_cannot_be_copied_is_told(tmp_path: Path, text: str, code: int, says: str) -> None:
    file = tmp_path / "migrate.hcl"
    file.write_text(text.replace("P/", f"{tmp_path}/"))
    done = ran(["operator", "migrate", f"-config={file}"], {})
    assert (done.code, says in done.err) == (code, True), done
    assert ran(["operator", "migrate"], {}).code == 1


def ask(server: Ours, path: str, token: str = "", **body: Any) -> Any:
    request = urllib.request.Request(f"{server.address}/v1/{path}", json.dumps(body).encode() if body else None)
    request.add_header("X-Vault-Token", token)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read() or b"{}")


def test_a_server_goes_on_with_the_copy(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    with file_server(tmp_path, f'storage "sqlite" {{ path = "{tmp_path}/one" }}') as server:
        made = ask(server, "sys/init", secret_shares=1, secret_threshold=1)
        ask(server, "sys/unseal", key=made["keys"][0])
        ask(server, "cubbyhole/x", made["root_token"], a="b")
    assert server.process.wait(30) == 0
    file = tmp_path / "migrate.hcl"
    file.write_text(f'storage_source "sqlite" {{ path = "{tmp_path}/one" }}\n'
                    f'storage_destination "sqlite" {{ path = "{tmp_path}/two" }}\n')  # fmt: skip
    done = ran(["operator", "migrate"], {"VAULT_MIGRATE_CONFIG_PATH": str(file)})
    assert (done.code, "All of the keys have been migrated" in done.out) == (0, True), done
    with file_server(tmp_path, f'storage "sqlite" {{ path = "{tmp_path}/two" }}') as server:
        ask(server, "sys/unseal", key=made["keys"][0])
        assert ask(server, "cubbyhole/x", made["root_token"])["data"] == {"a": "b"}


async def test_a_server_does_not_start_on_half_a_copy(tmp_path: Path) -> None:
    store = await open_backend("sqlite", {"path": str(tmp_path / "half")}, SystemClock())
    await store.commit([Change(migrate.MARK, b"{}")])
    await store.close()
    file = tmp_path / "server.hcl"
    file.write_text(f'storage "sqlite" {{ path = "{tmp_path}/half" }}\ndisable_mlock = true\n'
                    f'listener "unix" {{ address = "{tmp_path}/s" }}\n')  # fmt: skip
    command = [sys.executable, "-m", "strongroom_server.main", f"-config={file}"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)  # noqa: ASYNC221
    assert (ended.returncode, "unfinished copy" in ended.stderr) == (1, True)
