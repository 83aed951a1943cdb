"""The server killed without warning while it makes and drops users: no user is ever left without a lease."""

import asyncio
import os
import random
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.databases import PostgreSQL
from tests.strongroom_server.test_killed import call, started

KILLS = int(os.environ.get("STRONGROOM_KILLS", "5"))
CLIENTS = 6
LOGIN = 'CREATE ROLE "{{name}}" LOGIN PASSWORD \'{{password}}\'; GRANT SELECT ON shared TO "{{name}}"'


async def use(port: int, token: str, kept: dict[str, str]) -> None:
    """Make users, revoke every third, until the server is gone. ``kept`` has those that were acknowledged."""
    while True:
        try:
            answer = await asyncio.to_thread(call, port, "GET", "db/creds/r", None, token)
        except OSError:
            return
        lease, name = answer["lease_id"], answer["data"]["username"]
        kept[lease] = name
        if random.random() < 0.33:
            del kept[lease]
            body = {"lease_id": lease, "sync": True}
            try:
                await asyncio.to_thread(call, port, "POST", "sys/leases/revoke", body, token)
            except OSError:
                return


def users(pg: PostgreSQL) -> set[str]:
    return set(pg.sql("SELECT rolname FROM pg_roles WHERE rolname LIKE 'v-root-r-%'").split())


def leases(port: int, token: str) -> set[str]:
    try:
        answer: Any = call(port, "LIST", "sys/leases/lookup/db/creds/r", None, token)
    except OSError:  # 404: there is none
        return set()
    return {f"db/creds/r/{name}" for name in answer["data"]["keys"]}


async def gone(pg: PostgreSQL) -> None:
    """Wait until users that the last run left behind are dropped: all others were, with their leases."""
    for _ in range(600):
        if not await asyncio.to_thread(users, pg):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"without a lease: {users(pg)}")


@pytest.mark.slow
@pytest.mark.timeout(60 + 5 * KILLS)
async def test_no_user_is_without_a_lease_however_often_the_server_is_killed(tmp_path: Path, pg: PostgreSQL) -> None:
    pg.sql("CREATE TABLE IF NOT EXISTS shared (n int)")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    file, log = tmp_path / "server.hcl", tmp_path / "log"
    file.write_text(
        f'storage "sqlite" {{ path = "{tmp_path}/data" }}\ndisable_mlock = true\nlog_level = "error"\n'
        f'listener "tcp" {{ address = "127.0.0.1:{port}" tls_disable = true }}\n'
    )
    process = await started(file, port, log)
    answer = call(port, "POST", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
    key, token = answer["keys"][0], answer["root_token"]
    call(port, "POST", "sys/unseal", {"key": key})
    call(port, "POST", "sys/mounts/db", {"type": "database"}, token)
    call(port, "POST", "db/config/pg", pg.config(), token)
    call(port, "POST", "db/roles/r", {"db_name": "pg", "creation_statements": LOGIN}, token)
    kept: dict[str, str] = {}
    for _ in range(KILLS):
        clients = [asyncio.ensure_future(use(port, token, kept)) for _ in range(CLIENTS)]
        await asyncio.sleep(random.uniform(0.05, 0.6))
        process.send_signal(signal.SIGKILL)
        await process.wait()
        await asyncio.gather(*clients)
        process = await started(file, port, log)
        call(port, "POST", "sys/unseal", {"key": key})
    try:
        assert kept
        assert kept.keys() <= leases(port, token)
        assert set(kept.values()) <= users(pg)
        call(port, "POST", "sys/leases/revoke-prefix/db/creds/r", {"sync": True}, token)
        await gone(pg)
    finally:
        process.kill()
        await process.wait()
