import asyncio
from typing import Any

import pytest

from strongroom_server.engines.database import Engine
from strongroom_server.engines.database.wal import LONGEST
from strongroom_server.sdk.errors import BackendError, Internal
from strongroom_server.sdk.request import Caller, Response
from tests.databases import PostgreSQL, postgresql
from tests.strongroom_server.fakes import Mounted
from tests.strongroom_server.live import Live

LOGIN = "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}'"


@pytest.fixture
async def app(db: Mounted, pg: PostgreSQL) -> Mounted:
    await db.ask("update", "config/pg", pg.config())
    await db("update", "roles/r", db_name="pg", creation_statements=LOGIN)
    return db


async def make(app: Mounted) -> tuple[str, Response]:
    answer = await app.ask("read", "creds/r", {}, caller=Caller(display_name="wal"))
    assert answer.data is not None
    return answer.data["username"], answer


def is_there(pg: PostgreSQL, name: str) -> bool:
    return pg.sql(f"SELECT count(*) FROM pg_roles WHERE rolname = '{name}'") == "1"


async def gone(pg: PostgreSQL, name: str) -> None:
    for _ in range(3000):
        if not is_there(pg, name):
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the user is still there")


async def test_a_user_whose_lease_was_never_stored_is_dropped_after_a_restart(app: Mounted, pg: PostgreSQL) -> None:
    name, _ = await make(app)
    again = await Mounted(Engine, app.store).start()
    again.clock.time = app.clock.time
    await gone(pg, name)
    pg.sql(f'CREATE ROLE "{name}"')  # as if the database had been slow to make it
    await again.engine.tick()
    assert not is_there(pg, name)
    await again.clock.advance(LONGEST + 1)
    await again.engine.tick()
    assert await app.store.list("wal/") == []
    await again.engine.close()


async def test_a_user_whose_lease_is_stored_stays(app: Mounted, pg: PostgreSQL) -> None:
    name, answer = await make(app)
    assert answer.lease is not None
    await app.store.commit(answer.lease.beside)  # as the core does, with the lease
    again = await Mounted(Engine, app.store).start()
    await again.engine.tick()
    assert is_there(pg, name)
    await again.engine.close()


async def test_one_that_is_being_made_is_left_alone_for_a_while(app: Mounted, pg: PostgreSQL) -> None:
    name, _ = await make(app)
    await app.clock.advance(LONGEST - 1)
    await app.engine.tick()
    assert is_there(pg, name)
    await app.clock.advance(2)
    await app.engine.tick()
    assert not is_there(pg, name)


@pytest.mark.slow
async def test_one_that_cannot_be_dropped_yet_stays_on_record(db: Mounted) -> None:
    with postgresql() as pg:
        await db.ask("update", "config/pg", pg.config())
        await db("update", "roles/r", db_name="pg", creation_statements=LOGIN)
        name, _ = await make(db)
        pg.stop()
        await db.clock.advance(LONGEST + 1)
        await db.engine.tick()
        assert len(await db.store.list("wal/")) == 1
        pg.start()
        await asyncio.sleep(0.3)
        await db.engine.tick()
        assert not is_there(pg, name)
        assert await db.store.list("wal/") == []


async def test_a_creation_whose_connection_is_ended_leaves_no_user(app: Mounted, pg: PostgreSQL) -> None:
    before = pg.sql("SELECT count(*) FROM pg_roles")
    end = "SELECT pg_terminate_backend(pg_backend_pid())"
    await app("update", "roles/r", creation_statements=[LOGIN, end])
    with pytest.raises(Internal, match="terminat"):
        await make(app)
    assert pg.sql("SELECT count(*) FROM pg_roles") == before


async def test_rollback_statements_clean_up_first(app: Mounted, pg: PostgreSQL) -> None:
    pg.sql("CREATE TABLE IF NOT EXISTS seen (name text)")
    await app("update", "roles/r", creation_statements=[LOGIN, "SELECT 1/0"],
              rollback_statements="INSERT INTO seen VALUES ('{{name}}')")  # fmt: skip
    with pytest.raises(Internal):
        await make(app)
    assert pg.sql("SELECT name FROM seen").startswith("v-wal-r-")


# -- within the whole server ------------------------------------------------------------------------------------------


@pytest.fixture
async def server(live: Live, pg: PostgreSQL) -> Live:
    await live.post("sys/mounts/db", {"type": "database"})
    assert (await live.post("db/config/pg", pg.config())).status == 204
    await live.post("db/roles/r", {"db_name": "pg", "creation_statements": LOGIN})
    return live


def storage(server: Live) -> Any:
    mount = server.server.mounts.at("db/")
    assert mount is not None
    return mount.storage


async def test_the_record_goes_with_the_leases_coming(server: Live, pg: PostgreSQL) -> None:
    answer = await server.get("db/creds/r")
    assert answer.body["lease_id"].startswith("db/creds/r/")
    assert await storage(server).list("wal/") == []
    assert (await server.post("sys/leases/lookup", {"lease_id": answer.body["lease_id"]})).status == 200
    assert is_there(pg, answer.data["username"])


async def test_without_a_lease_there_is_no_user(server: Live, pg: PostgreSQL, monkeypatch: pytest.MonkeyPatch) -> None:
    before, commit = pg.sql("SELECT count(*) FROM pg_roles"), server.backend.commit

    async def refuse_leases(changes: Any) -> None:
        if any("sys/expire/id/db/" in change.key for change in changes):
            raise BackendError("no space left")
        await commit(changes)

    monkeypatch.setattr(server.backend, "commit", refuse_leases)
    with pytest.raises(BackendError):
        await server.get("db/creds/r")
    assert pg.sql("SELECT count(*) FROM pg_roles") == before


async def test_users_end_with_the_token_that_they_were_made_for(server: Live, pg: PostgreSQL) -> None:
    token = await server.make_token(policies=["root"], ttl="1h")
    first = (await server.get("db/creds/r", token=token)).data["username"]
    await server.post("auth/token/revoke", {"token": token})
    await gone(pg, first)


async def test_a_renewed_lease_stays_the_lease_that_it_is(server: Live) -> None:
    lease_id = (await server.get("db/creds/r")).body["lease_id"]
    answer = await server.post("sys/leases/renew", {"lease_id": lease_id, "increment": 100})
    assert (answer.body["lease_id"], answer.body["lease_duration"]) == (lease_id, 100)


async def test_leases_of_a_batch_token_end_with_it(server: Live) -> None:
    await server.post("sys/policies/acl/p", {"policy": 'path "db/creds/*" { capabilities = ["read"] }'})
    token = await server.make_token(policies=["p"], ttl="100s", type="batch")
    answer = await server.get("db/creds/r", token=token)
    assert answer.body["lease_duration"] == 100
    await server.clock.advance(40)
    renewed = await server.post("sys/leases/renew", {"lease_id": answer.body["lease_id"], "increment": 3600})
    assert renewed.body["lease_duration"] == 60


async def test_removing_the_mount_drops_its_users(server: Live, pg: PostgreSQL) -> None:
    name = (await server.get("db/creds/r")).data["username"]
    assert (await server.delete("sys/mounts/db")).status == 204
    await gone(pg, name)
