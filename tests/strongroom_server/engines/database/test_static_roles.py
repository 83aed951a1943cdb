import asyncio
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from strongroom_server.engines.database import Engine
from strongroom_server.engines.database.static_roles import Account
from strongroom_server.sdk.errors import Internal, InvalidRequest, NotFound
from strongroom_server.sdk.storage import load
from tests.databases import PostgreSQL
from tests.strongroom_server.fakes import Mounted


@pytest.fixture
async def app(db: Mounted, pg: PostgreSQL) -> Mounted:
    """An engine with the connection ``pg``; the database has a user ``svc``."""
    pg.sql("DROP ROLE IF EXISTS svc; CREATE ROLE svc LOGIN PASSWORD 'old'")
    await db.ask("update", "config/pg", pg.config())
    return db


async def make(app: Mounted, **more: Any) -> None:
    await app.ask("update", "static-roles/s", {"db_name": "pg", "username": "svc", "rotation_period": "1h"} | more)


async def until(check: Callable[[], Any]) -> None:
    for _ in range(3000):
        if await check():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come to pass")


def works(pg: PostgreSQL, password: str) -> bool:
    try:
        return pg.sql("SELECT 1", user="svc", password=password) == "1"
    except subprocess.CalledProcessError:
        return False


async def test_a_new_static_role_has_a_new_password(app: Mounted, pg: PostgreSQL) -> None:
    await make(app)
    creds = await app.data("static-creds/s")
    assert sorted(creds) == ["last_vault_rotation", "password", "rotation_period", "ttl", "username"]
    assert (creds["username"], creds["rotation_period"], creds["ttl"]) == ("svc", 3600, 3600)
    assert works(pg, creds["password"])
    assert not works(pg, "old")
    assert await app.data("static-roles/s") == {
        "credential_type": "password",
        "db_name": "pg",
        "last_vault_rotation": creds["last_vault_rotation"],
        "rotation_period": 3600,
        "rotation_statements": (),
        "username": "svc",
    }
    assert await app.keys("static-roles") == ["s"]


async def test_it_is_changed_when_it_is_due(app: Mounted, pg: PostgreSQL) -> None:
    await make(app)
    first = (await app.data("static-creds/s"))["password"]
    await app.clock.advance(3599)
    assert await app.data("static-creds/s") | {"ttl": 1} == await app.data("static-creds/s")
    await app.clock.advance(1)

    async def changed() -> bool:
        return bool((await app.data("static-creds/s"))["password"] != first)

    await until(changed)
    creds = await app.data("static-creds/s")
    assert creds["ttl"] == 3600
    assert works(pg, creds["password"])
    assert not works(pg, first)


async def test_it_is_changed_on_demand_and_by_ones_own_statements(app: Mounted, pg: PostgreSQL) -> None:
    await make(app, rotation_statements=["DO $$ BEGIN PERFORM 1; END $$;",
                                         "ALTER USER \"{{name}}\" PASSWORD '{{password}}'"])  # fmt: skip
    first = (await app.data("static-creds/s"))["password"]
    await app("update", "rotate-role/s")
    second = (await app.data("static-creds/s"))["password"]
    assert works(pg, second)
    assert not works(pg, first)
    with pytest.raises(InvalidRequest, match="no static role"):
        await app("update", "rotate-role/nope")


async def test_a_schedule_in_place_of_a_period(app: Mounted) -> None:
    await make(app)
    await make(app, rotation_period=0, rotation_schedule="0 3 * * SAT", rotation_window="2h")
    role = await app.data("static-roles/s")
    assert (role["rotation_schedule"], role["rotation_window"]) == ("0 3 * * SAT", 7200)
    assert "rotation_period" not in role
    assert 0 < (await app.data("static-creds/s"))["ttl"] <= 7 * 86400
    await app("update", "static-roles/s", rotation_period="2h")
    assert (await app.data("static-roles/s"))["rotation_period"] == 7200


async def test_an_imported_password_stays_until_it_is_due(app: Mounted, pg: PostgreSQL) -> None:
    await make(app, skip_import_rotation=True)
    assert works(pg, "old")
    assert (await app.data("static-creds/s"))["password"] == ""  # which nobody here knows


@pytest.mark.parametrize(
    ("role", "message"),
    [
        pytest.param({"username": ""}, "username is a required field", id="no_user"),
        pytest.param({"db_name": ""}, "database name is a required field", id="no_connection"),
        pytest.param({"rotation_period": 0}, "rotation_period must be provided", id="no_time"),
        pytest.param({"rotation_period": 3}, "5 seconds or more", id="too_often"),
        pytest.param({"credential_type": "client_certificate"}, "missing required", id="an_incomplete_credential"),
        pytest.param({"credential_type": "rsa_private_key"}, "unsupported credential_type", id="another_credential"),
    ],
)
async def test_a_static_role_that_cannot_be_is_refused(app: Mounted, role: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        await make(app, **role)
    with pytest.raises(NotFound):
        await app("read", "static-roles/s")


async def test_one_whose_connection_is_not_there_is_not_stored(app: Mounted) -> None:
    with pytest.raises(Internal, match='failed to find entry for connection with name: "nope"'):
        await make(app, db_name="nope")
    with pytest.raises(NotFound):
        await app("read", "static-roles/s")


async def test_one_whose_user_is_not_there_is_not_stored(app: Mounted) -> None:
    with pytest.raises(Internal, match='role "nobody" does not exist'):
        await make(app, username="nobody")
    with pytest.raises(InvalidRequest, match="unknown role: s"):
        await app("read", "static-creds/s")


async def test_the_user_of_a_static_role_stays_the_same(app: Mounted) -> None:
    await make(app)
    with pytest.raises(InvalidRequest, match="cannot update static account username"):
        await make(app, username="other")


async def test_only_allowed_static_roles(app: Mounted) -> None:
    await app("update", "config/pg", allowed_roles="t*")
    with pytest.raises(Internal, match='"s" is not an allowed role'):
        await make(app)


async def test_a_server_that_stops_while_it_rotates_sets_the_password_again(
    app: Mounted, pg: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make(app)
    commit, left = app.store.commit, iter([True])

    async def commit_once(changes: Any) -> None:
        if not next(left, False):
            raise RuntimeError("stopped")
        await commit(changes)

    with monkeypatch.context() as patched:
        patched.setattr(app.store, "commit", commit_once)
        with pytest.raises(RuntimeError):
            await app("update", "rotate-role/s")
    stale = (await app.data("static-creds/s"))["password"]
    assert not works(pg, stale)  # the database was told, the store was not
    again = await Mounted(Engine, app.store).start()
    again.clock.time = app.clock.time

    async def right() -> bool:
        return works(pg, (await again.data("static-creds/s"))["password"])

    await until(right)
    await again.engine.close()


async def test_a_password_that_the_database_refuses_is_not_tried_again(app: Mounted, pg: PostgreSQL) -> None:
    await make(app)
    before = (await app.data("static-creds/s"))["password"]
    await make(app, rotation_statements="SELECT 1 / 0")
    with pytest.raises(Internal, match="division by zero"):
        await app("update", "rotate-role/s")
    account = await load(app.store, "static/s", Account)
    assert account is not None
    assert not account.next
    assert (await app.data("static-creds/s"))["password"] == before
    assert works(pg, before)


async def test_a_deleted_static_role_leaves_the_user_as_it_is(app: Mounted, pg: PostgreSQL) -> None:
    await make(app)
    password = (await app.data("static-creds/s"))["password"]
    await app("delete", "static-roles/s")
    await app("delete", "static-roles/s")
    await app.clock.advance(7200)
    assert works(pg, password)


async def test_a_role_of_one_kind_is_not_called_as_one_of_the_other(app: Mounted) -> None:
    await make(app)
    with pytest.raises(InvalidRequest, match="must be unique"):
        await app("update", "roles/s", db_name="pg")
    await app("update", "roles/dynamic", db_name="pg")
    with pytest.raises(InvalidRequest, match="must be unique"):
        await app("update", "static-roles/dynamic", db_name="pg", username="svc", rotation_period="1h")
