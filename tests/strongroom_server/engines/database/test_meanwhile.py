"""What happens while a database takes its time to make a user: no user is forgotten, and none outlives its token."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from strongroom_server.engines.database import Engine
from strongroom_server.sdk.errors import Internal
from strongroom_server.sdk.request import Caller, Operation, Request, Response
from tests.databases import PostgreSQL
from tests.strongroom_server.fakes import Mounted
from tests.strongroom_server.live import Answer, Live

NUMBER = 20260
LOGIN = "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}'"
SLOW = f"{LOGIN}; SELECT pg_advisory_xact_lock({NUMBER})"
ROTATION = "rotate-root/pg"
POLICY = 'path "*" { capabilities = ["create", "read", "update"] }'


@contextlib.asynccontextmanager
async def held(pg: PostgreSQL) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Let no user be made until the end; what is given waits until one is being made."""
    from psycopg import AsyncConnection

    async def being_made() -> None:
        waiting = f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = {NUMBER}"
        async with asyncio.timeout(60):
            while await asyncio.to_thread(pg.sql, waiting) == "0":  # noqa: ASYNC110 - another program's state
                await asyncio.sleep(0.02)

    url = pg.config()["connection_url"].replace("{{username}}:{{password}}@", "")
    async with await AsyncConnection.connect(url, user="vroot", password=pg.config()["password"],
                                             autocommit=True) as connection:  # fmt: skip
        await connection.execute(f"SELECT pg_advisory_lock({NUMBER})".encode())
        yield being_made


def users(pg: PostgreSQL, role: str) -> str:
    return pg.sql(f"SELECT rolname FROM pg_roles WHERE rolname LIKE 'v-%-{role}-%'")


@pytest.fixture
async def mounted(live: Live, pg: PostgreSQL) -> Live:
    for path, body in (
        ("sys/mounts/db", {"type": "database"}),
        ("db/config/pg", pg.config()),
        ("db/roles/slow", {"db_name": "pg", "creation_statements": SLOW}),
        ("sys/policies/acl/all", {"policy": POLICY}),
    ):
        assert (await live.post(path, body)).status == 204
    return live


async def turns() -> None:
    """Let whatever does not wait for another program go on."""
    for _ in range(200):
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    "leave",
    [
        pytest.param(lambda live: live.delete("sys/mounts/db"), id="when_it_is_unmounted"),
        pytest.param(lambda live: live.post("sys/remount", {"from": "db", "to": "elsewhere"}), id="when_it_is_moved"),
    ],
)
async def test_a_mount_ends_once_its_last_user_is_accounted_for(
    mounted: Live, pg: PostgreSQL, leave: Callable[[Live], Awaitable[Answer]]
) -> None:
    async with held(pg) as being_made:
        making = asyncio.ensure_future(mounted.get("db/creds/slow"))
        await being_made()
        leaving = asyncio.ensure_future(leave(mounted))
        await turns()
        assert not leaving.done()
        assert (await mounted.get("db/creds/slow")).status == 404
        assert (await mounted.delete("sys/mounts/db")).status == 400
    assert (await making).status == 200
    assert (await leaving).status in {200, 204}
    assert users(pg, "slow") == ""


async def test_a_mount_that_cannot_be_left_serves_on(mounted: Live, pg: PostgreSQL) -> None:
    await mounted.post("db/roles/fast", {"db_name": "pg", "creation_statements": LOGIN})
    lease = (await mounted.get("db/creds/fast")).body["lease_id"]
    await mounted.post("db/roles/fast", {"revocation_statements": "SELECT 1/0"})
    assert (await mounted.delete("sys/mounts/db")).status >= 400
    await mounted.post("db/roles/fast", {"revocation_statements": ""})
    assert (await mounted.get("db/creds/fast")).status == 200
    assert (await mounted.delete("sys/mounts/db")).status == 204
    assert lease
    assert users(pg, "fast") == ""


async def test_a_user_of_a_token_that_has_ended_meanwhile_is_given_to_nobody(mounted: Live, pg: PostgreSQL) -> None:
    token = await mounted.make_token(policies=["all"])
    async with held(pg) as being_made:
        making = asyncio.ensure_future(mounted.get("db/creds/slow", token=token))
        await being_made()
        assert (await mounted.post("auth/token/revoke", {"token": token})).status == 204
    answer = await making
    assert (answer.status, answer.body.get("data")) == (403, None)
    assert users(pg, "slow") == ""
    assert (await mounted.list("sys/leases/lookup/db/creds")).status == 404


async def test_a_token_with_one_use_left_gets_no_user_that_would_end_with_it(mounted: Live, pg: PostgreSQL) -> None:
    await mounted.post("db/roles/once", {"db_name": "pg", "creation_statements": LOGIN})
    token = await mounted.make_token(policies=["all"], num_uses=2)
    assert (await mounted.get("db/creds/once", token=token)).status == 200
    answer = await mounted.get("db/creds/once", token=token)
    assert (answer.status, answer.body.get("data")) == (400, None)
    assert "token had one use left" in answer.errors[0]
    assert users(pg, "once") == ""
    assert (await mounted.list("sys/leases/lookup/db/creds")).status == 404


async def test_a_namespace_ends_once_its_last_user_is_accounted_for(live: Live, pg: PostgreSQL) -> None:
    await live.post("sys/namespaces/team")
    for path, body in (
        ("sys/mounts/db", {"type": "database"}),
        ("db/config/pg", pg.config()),
        ("db/roles/slow", {"db_name": "pg", "creation_statements": SLOW}),
    ):
        assert (await live.post(path, body, namespace="team")).status == 204
    async with held(pg) as being_made:
        making = asyncio.ensure_future(live.get("db/creds/slow", namespace="team"))
        await being_made()
        await live.delete("sys/namespaces/team")
    assert (await making).status == 200
    await live.server.namespaces.settled()
    assert users(pg, "slow") == ""
    assert (await live.list("sys/namespaces")).status == 404


async def test_whoever_waits_while_root_is_rotated_is_served_with_the_new_password(db: Mounted, pg: PostgreSQL) -> None:
    pg.sql("DROP ROLE IF EXISTS waited; CREATE ROLE waited LOGIN SUPERUSER PASSWORD 'old'")
    await db.ask("update", "config/pg", pg.config(username="waited", password="old", max_open_connections=1))
    await db("update", "roles/slow", db_name="pg", creation_statements=SLOW)
    caller = Caller(display_name="token")
    async with held(pg) as being_made:
        first = asyncio.ensure_future(db.ask("read", "creds/slow", {}, caller=caller))
        await being_made()
        rotation = asyncio.ensure_future(db("update", "rotate-root/pg"))
        await turns()
        second = asyncio.ensure_future(db.ask("read", "creds/slow", {}, caller=caller))
        await turns()
    answers: tuple[Response, ...] = await asyncio.gather(first, rotation, second)
    for answer in (answers[0], answers[2]):
        assert answer.lease is not None
        await db.engine.revoke(answer.lease, Request(Operation.REVOKE, ""))
    assert users(pg, "slow") == ""


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param(ROTATION, {}, id="the_next_rotation"),
        pytest.param("config/pg", {"allowed_roles": "*", "verify_connection": False}, id="an_update_that_is_not_tried"),
        pytest.param("config/pg", {"allowed_roles": "*"}, id="an_update"),
    ],
)
async def test_a_password_that_was_set_when_the_server_stopped_is_not_forgotten_by(
    db: Mounted, pg: PostgreSQL, path: str, body: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    pg.sql("DROP TABLE IF EXISTS once; DROP ROLE IF EXISTS kept; CREATE ROLE kept LOGIN SUPERUSER PASSWORD 'old'")
    statements = "ALTER ROLE \"{{name}}\" PASSWORD '{{password}}'; CREATE TABLE once ()"  # which works once
    await db.ask("update", "config/pg", pg.config(username="kept", password="old", root_rotation_statements=statements))
    commit, left = db.store.commit, iter([True])

    async def commit_once(changes: object) -> None:
        if not next(left, False):
            raise RuntimeError("stopped")
        await commit(changes)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(db.store, "commit", commit_once)
        with pytest.raises(RuntimeError):
            await db("update", ROTATION)
    again = await Mounted(Engine, db.store).start()
    with pytest.raises(Internal, match="already exists") if path == ROTATION else contextlib.nullcontext():
        await again("update", path, **body)
    await again("update", "reset/pg")
    await again.engine.close()


async def test_what_is_on_record_goes_with_the_mount(db: Mounted, pg: PostgreSQL) -> None:
    await db.ask("update", "config/pg", pg.config())
    await db("update", "roles/lost", db_name="pg", creation_statements=LOGIN)
    await db.ask("read", "creds/lost", {}, caller=Caller(display_name="token"))  # its lease is stored by nobody
    await db.engine.on_removed()
    assert users(pg, "lost") == ""
