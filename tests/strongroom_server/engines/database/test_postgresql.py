import asyncio
import re
import subprocess
from typing import Any

import pytest

from strongroom_server.sdk.errors import Internal, InvalidRequest, NotFound
from strongroom_server.sdk.request import Caller, Lease, Operation, Request, Response
from tests.databases import PASSWORD, PostgreSQL
from tests.strongroom_server.fakes import Mounted

LOGIN = "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}';"
REVOKE = Request(Operation.REVOKE, "")


@pytest.fixture
async def app(db: Mounted, pg: PostgreSQL) -> Mounted:
    """An engine with the connection ``pg`` and a role ``r``."""
    await db.ask("update", "config/pg", pg.config())
    await db("update", "roles/r", db_name="pg", creation_statements=LOGIN)
    return db


async def creds(app: Mounted, role: str = "r", **caller: Any) -> tuple[dict[str, Any], Lease]:
    answer: Response = await app.ask("read", f"creds/{role}", {}, caller=Caller(**({"display_name": "token"} | caller)))
    assert answer.data is not None
    assert answer.lease is not None
    return answer.data, answer.lease


def is_there(pg: PostgreSQL, *names: str) -> bool:
    """Tell whether all of these roles are there; raises AssertionError where some are."""
    literals = ", ".join("'" + name.replace("'", "''") + "'" for name in names)
    found = int(pg.sql(f"SELECT count(*) FROM pg_roles WHERE rolname IN ({literals})"))
    assert found in {0, len(names)}
    return found > 0


# -- connections ------------------------------------------------------------------------------------------------------


async def test_a_connection_is_read_without_its_password(app: Mounted, pg: PostgreSQL) -> None:
    url = pg.config()["connection_url"]
    assert await app.data("config/pg") == {
        "allowed_roles": ("*",),
        "connection_details": {"connection_url": url, "username": "vroot"},
        "password_policy": "",
        "plugin_name": "postgresql-database-plugin",
        "plugin_version": "",
        "root_credentials_rotate_statements": (),
    }
    assert await app.keys("config") == ["pg"]
    await app("delete", "config/pg")
    with pytest.raises(NotFound):
        await app("read", "config/pg")


async def test_what_is_not_sent_again_stays(app: Mounted) -> None:
    await app("update", "config/pg", max_open_connections=2)
    details = (await app.data("config/pg"))["connection_details"]
    assert details["max_open_connections"] == 2
    await creds(app)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"plugin_name": ""}, "empty plugin name", id="no_plugin"),
        pytest.param({"plugin_name": "nope"}, "plugin not found in the catalog: nope", id="no_such_plugin"),
        pytest.param({"plugin_name": "pool-database-plugin"}, "plugin not found", id="a_module_that_is_no_plugin"),
        pytest.param({"plugin_version": "v9.9.9"}, "postgresql-database-plugin, version=v9.9.9", id="another_version"),
        pytest.param({"connection_url": ""}, "connection_url cannot be empty", id="no_url"),
        pytest.param({"password": "wrong"}, "password authentication failed", id="a_wrong_password"),
        pytest.param({"connection_url": "postgresql://{{username}}:{{password}}@127.0.0.1:1/app"}, "refused",
                     id="nobody_listens"),
        pytest.param({"connection_url": "nonsense {{password}}"}, "invalid connection_url", id="no_url_at_all"),
        pytest.param({"username_template": "{{.Nope"}, "unclosed action", id="an_open_template"),
        pytest.param({"password_authentication": "md5"}, "password_authentication", id="no_such_method"),
        pytest.param({"max_open_connections": "many"}, "max_open_connections", id="no_number"),
        pytest.param({"tls_ca": "no certificate", "connection_url":
                      "postgresql://{{username}}:{{password}}@127.0.0.1:1/app?sslmode=verify-ca"}, "error verifying",
                     id="no_certificate"),
    ],
)  # fmt: skip
async def test_a_connection_that_cannot_be_is_refused(db: Mounted, pg: PostgreSQL, change: dict[str, Any],
                                                      message: str) -> None:  # fmt: skip
    with pytest.raises(InvalidRequest, match=message) as error:
        await db.ask("update", "config/pg", pg.config(**change))
    assert PASSWORD not in str(error.value)
    assert "wrong" not in str(error.value)
    with pytest.raises(NotFound):
        await db("read", "config/pg")


async def test_an_unverified_connection_is_stored(db: Mounted, pg: PostgreSQL) -> None:
    await db.ask("update", "config/pg", pg.config(password="wrong", verify_connection=False))
    await db("update", "roles/r", db_name="pg", creation_statements=LOGIN)
    with pytest.raises(Internal, match="password authentication failed"):
        await creds(db)


async def test_a_password_in_the_url_is_hidden_and_warned_of(db: Mounted, pg: PostgreSQL) -> None:
    url = f"postgresql://vroot:r%40ot%3Apa%2Fss%2540@127.0.0.1:{pg.port}/app?sslmode=disable"
    answer = await db.ask("update", "config/pg", pg.config(connection_url=url))
    assert "Password found in connection_url" in answer.warnings[0]
    shown = (await db.data("config/pg"))["connection_details"]["connection_url"]
    assert shown == f"postgresql://vroot:xxxxx@127.0.0.1:{pg.port}/app?sslmode=disable"


async def test_words_in_place_of_a_url_are_escaped_as_words(db: Mounted, pg: PostgreSQL) -> None:
    words = f"host=127.0.0.1 port={pg.port} dbname=app user={{{{username}}}} password='{{{{password}}}}'"
    pg.sql("DROP ROLE IF EXISTS odd; CREATE ROLE odd LOGIN SUPERUSER PASSWORD 'a''b\\ c'")
    await db.ask("update", "config/pg", pg.config(connection_url=words, username="odd", password="a'b\\ c"))


# -- users ------------------------------------------------------------------------------------------------------------


async def test_a_user_can_log_in_until_it_is_revoked(app: Mounted, pg: PostgreSQL) -> None:
    await app("update", "roles/r", default_ttl="1h", max_ttl="2h")
    data, lease = await creds(app)
    assert sorted(data) == ["password", "username"]
    assert re.fullmatch(r"v-token-r-[A-Za-z0-9]{20}-\d{10}", data["username"])
    assert re.fullmatch(r"[A-Za-z0-9-]{20}", data["password"])
    assert (lease.kind, lease.ttl, lease.max_ttl, lease.renewable) == ("creds", 3600, 7200, True)
    assert pg.sql("SELECT current_user", user=data["username"], password=data["password"]) == data["username"]
    await app.engine.revoke(lease, REVOKE)
    await app.engine.revoke(lease, REVOKE)
    with pytest.raises(subprocess.CalledProcessError):
        pg.sql("SELECT 1", user=data["username"], password=data["password"])


async def test_renewal_moves_the_end_that_the_database_knows(app: Mounted, pg: PostgreSQL) -> None:
    data, lease = await creds(app)
    lease.ttl = 500
    await app.engine.renew(lease, REVOKE)
    end = pg.sql(f"SELECT extract(epoch FROM rolvaliduntil)::bigint FROM pg_roles WHERE rolname = '{data['username']}'")
    assert int(end) == int(app.clock.now()) + 505


async def test_the_passwords_verifier_is_as_postgresql_makes_it(app: Mounted, pg: PostgreSQL) -> None:
    data, _ = await creds(app)
    stored = pg.sql(f"SELECT rolpassword FROM pg_authid WHERE rolname = '{data['username']}'")
    assert re.fullmatch(r"SCRAM-SHA-256\$4096:[\w+/=]{24}\$[\w+/=]{44}:[\w+/=]{44}", stored)


async def test_one_who_is_no_superuser_makes_users_too(db: Mounted, pg: PostgreSQL) -> None:
    pg.sql(
        "DROP ROLE IF EXISTS maker; CREATE ROLE maker LOGIN CREATEROLE PASSWORD 'maker';"
        "CREATE SCHEMA IF NOT EXISTS made AUTHORIZATION maker"
    )
    await db.ask("update", "config/pg", pg.config(username="maker", password="maker"))
    grant = LOGIN + 'GRANT ALL ON SCHEMA made TO "{{name}}"'
    await db("update", "roles/r", db_name="pg", creation_statements=grant)
    data, lease = await creds(db)
    pg.sql("CREATE TABLE made.mine (n int)", user=data["username"], password=data["password"])
    await db.engine.revoke(lease, REVOKE)
    assert not is_there(pg, data["username"])
    assert pg.sql("SELECT tableowner FROM pg_tables WHERE tablename = 'mine'") == "maker"
    pg.sql("DROP SCHEMA made CASCADE")


@pytest.mark.parametrize("authentication", ["password", "scram-sha-256"])
@pytest.mark.parametrize(
    "statements",
    [
        pytest.param([LOGIN, "DO $$ BEGIN IF true THEN PERFORM 1; END IF; END $$", 'GRANT pg_monitor TO "{{name}}"'],
                     id="a_list"),
        pytest.param(LOGIN + "\n-- it's a comment;\nDO $x$ BEGIN PERFORM '; $$'; END; $x$;/* ; */ SELECT 1;",
                     id="one_text"),
        pytest.param("CREATE USER \"{{username}}\" WITH ENCRYPTED PASSWORD '{{password}}'", id="the_older_words"),
    ],
)  # fmt: skip
async def test_statements_come_whole_to_the_database(app: Mounted, pg: PostgreSQL, statements: Any,
                                                     authentication: str) -> None:  # fmt: skip
    await app("update", "config/pg", password_authentication=authentication)
    await app("update", "roles/r", creation_statements=statements)
    data, _ = await creds(app)
    assert pg.sql("SELECT 1", user=data["username"], password=data["password"]) == "1"


async def test_a_role_can_be_made_in_a_body(app: Mounted, pg: PostgreSQL) -> None:
    body = "DO $do$ BEGIN CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}'; END $do$"
    await app("update", "roles/r", creation_statements=body)
    data, _ = await creds(app)
    assert pg.sql("SELECT 1", user=data["username"], password=data["password"]) == "1"


async def test_a_statement_that_fails_undoes_the_others(app: Mounted, pg: PostgreSQL) -> None:
    before = pg.sql("SELECT count(*) FROM pg_roles")
    await app("update", "roles/r", creation_statements=[LOGIN, "SELECT 1/0"])
    with pytest.raises(Internal, match=r"division by zero \(SQLSTATE 22012\)"):
        await creds(app)
    assert pg.sql("SELECT count(*) FROM pg_roles") == before
    assert await app.store.list("wal/") == []


async def test_no_password_is_in_an_error(app: Mounted) -> None:
    await app("update", "roles/r", creation_statements="SELECT '{{password}}'::int")
    with pytest.raises(Internal, match=r'invalid input syntax for type integer: "\[password\]"'):
        await creds(app)


async def test_a_name_with_quotes_is_never_run(app: Mounted, pg: PostgreSQL) -> None:
    await app("update", "config/pg", username_template="{{.DisplayName}}{{random 4}}")
    grant = 'GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{{name}}"'
    await app("update", "roles/r", creation_statements=LOGIN + grant)
    data, lease = await creds(app, display_name="x\"; CREATE ROLE owned; --' $$ ")
    assert is_there(pg, data["username"])
    await app.engine.renew(lease, REVOKE)
    await app.engine.revoke(lease, REVOKE)
    assert not is_there(pg, data["username"])
    assert not is_there(pg, "owned")


async def test_default_revocation_takes_grants_in_schemas_of_any_name(app: Mounted, pg: PostgreSQL) -> None:
    pg.sql("""DROP SCHEMA IF EXISTS "odd ""name'; x" CASCADE; CREATE SCHEMA "odd ""name'; x";
              CREATE TABLE "odd ""name'; x"."t able" (n int); CREATE SEQUENCE "odd ""name'; x".s;
              CREATE FUNCTION "odd ""name'; x".f() RETURNS int LANGUAGE sql AS 'SELECT 1'""")
    grants = """GRANT ALL ON SCHEMA "odd ""name'; x" TO "{{name}}";
        GRANT ALL ON ALL TABLES IN SCHEMA "odd ""name'; x" TO "{{name}}";
        GRANT ALL ON ALL SEQUENCES IN SCHEMA "odd ""name'; x" TO "{{name}}";
        GRANT ALL ON ALL FUNCTIONS IN SCHEMA "odd ""name'; x" TO "{{name}}";
        GRANT ALL ON DATABASE app TO "{{name}}";
        ALTER DEFAULT PRIVILEGES IN SCHEMA "odd ""name'; x" GRANT SELECT ON TABLES TO "{{name}}";"""
    await app("update", "roles/r", creation_statements=LOGIN + grants)
    data, lease = await creds(app)
    pg.sql("""CREATE TABLE "odd ""name'; x".kept AS SELECT 7 AS n""", user=data["username"], password=data["password"])
    await app.engine.revoke(lease, REVOKE)
    assert not is_there(pg, data["username"])
    assert pg.sql("""SELECT n FROM "odd ""name'; x".kept""") == "7"


@pytest.mark.parametrize(
    "template",
    [
        pytest.param("$drop0$ $drop1$ {{random 6}}", id="like_the_ends_of_a_body"),
        pytest.param("{tag}{names}{{random 6}}", id="like_what_is_put_in"),
        pytest.param("""a'b"c\\{{random 6}}\\""", id="with_quotes"),
        pytest.param("{{random 6}}-{{random 90}}", id="longer_than_names_can_be"),
    ],
)
async def test_users_are_dropped_whatever_their_names(app: Mounted, pg: PostgreSQL, template: str) -> None:
    await app("update", "config/pg", username_template=template)
    data, lease = await creds(app)
    assert pg.sql("SELECT 1", user=data["username"], password=data["password"]) == "1"
    assert is_there(pg, data["username"])
    await app.engine.revoke(lease, REVOKE)
    assert not is_there(pg, data["username"])


async def test_many_at_once_are_made_and_dropped(app: Mounted, pg: PostgreSQL) -> None:
    pg.sql("CREATE TABLE IF NOT EXISTS shared (n int)")
    await app("update", "roles/r", creation_statements=LOGIN + 'GRANT SELECT ON shared TO "{{name}}"')
    made = await asyncio.gather(*(creds(app) for _ in range(40)))
    names = [data["username"] for data, _ in made]
    assert is_there(pg, *names)
    await asyncio.gather(*(app.engine.revoke(lease, REVOKE) for _, lease in made))
    assert not is_there(pg, *names)


async def test_one_that_cannot_be_dropped_does_not_hold_up_the_others(app: Mounted, pg: PostgreSQL) -> None:
    pg.sql("DROP DATABASE IF EXISTS other")
    pg.sql("CREATE DATABASE other")
    made = await asyncio.gather(*(creds(app) for _ in range(8)))
    held = made[3][0]["username"]
    pg.sql(f'CREATE TABLE mine (n int); ALTER TABLE mine OWNER TO "{held}"', database="other")
    outcomes = await asyncio.gather(*(app.engine.revoke(lease, REVOKE) for _, lease in made), return_exceptions=True)
    assert [index for index, outcome in enumerate(outcomes) if outcome is not None] == [3]
    assert is_there(pg, held)
    assert not is_there(pg, *(data["username"] for data, _ in made if data["username"] != held))
    pg.sql("DROP DATABASE other")
    await app.engine.revoke(made[3][1], REVOKE)


async def test_a_role_that_is_gone_can_be_revoked_but_not_renewed(app: Mounted, pg: PostgreSQL) -> None:
    await app("update", "roles/r", revocation_statements='DROP ROLE IF EXISTS "{{name}}"; SELECT 1')
    data, lease = await creds(app)
    await app("delete", "roles/r")
    with pytest.raises(InvalidRequest, match='could not find role with name "r"'):
        await app.engine.renew(lease, REVOKE)
    await app.engine.revoke(lease, REVOKE)
    assert not is_there(pg, data["username"])


async def test_a_user_that_is_gone_is_revoked_whatever_the_statements_say(app: Mounted, pg: PostgreSQL) -> None:
    await app("update", "roles/r", revocation_statements=['REVOKE ALL ON DATABASE app FROM "{{name}}"; SELECT 1/0'])
    data, lease = await creds(app)
    with pytest.raises(Internal, match="division by zero"):
        await app.engine.revoke(lease, REVOKE)
    pg.sql(f'DROP ROLE "{data["username"]}"')
    await app.engine.revoke(lease, REVOKE)


async def test_only_allowed_roles_get_users(app: Mounted) -> None:
    await app("update", "config/pg", allowed_roles="t*,*-x,?,[a-z]")
    for name in ("t1", "a-x"):
        await app("update", f"roles/{name}", db_name="pg", creation_statements=LOGIN)
        await creds(app, name)
    with pytest.raises(Internal, match='"r" is not an allowed role'):  # only a * is special
        await creds(app)
    with pytest.raises(InvalidRequest, match="unknown role: nope"):
        await creds(app, "nope")


@pytest.mark.parametrize(
    ("role", "message"),
    [
        pytest.param({"db_name": ""}, "database name is required", id="no_connection"),
        pytest.param({"credential_type": "nope"}, 'invalid credential_type "nope"', id="no_such_credential"),
        pytest.param(
            {"credential_type": "rsa_private_key", "credential_config": {"key_bits": 1024}},
            "key_bits",
            id="too_short_a_key",
        ),
        pytest.param({"credential_type": "client_certificate"}, "missing required", id="no_type_of_key"),
        pytest.param({"default_ttl": "soon"}, "default_ttl", id="no_duration"),
    ],
)
async def test_a_role_that_cannot_be_is_refused(app: Mounted, role: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        await app.ask("update", "roles/bad", {"db_name": "pg", "creation_statements": LOGIN} | role)
    with pytest.raises(NotFound):
        await app("read", "roles/bad")


async def test_a_role_is_read_as_it_was_written(app: Mounted) -> None:
    await app("update", "roles/full", db_name="pg", creation_statements=[LOGIN, "SELECT 1;"], default_ttl="1h",
              max_ttl=7200, renew_statements="y", credential_config={"password_policy": "p"})  # fmt: skip
    assert await app.data("roles/full") == {
        "creation_statements": (LOGIN, "SELECT 1;"),
        "credential_config": {"password_policy": "p"},
        "credential_type": "password",
        "db_name": "pg",
        "default_ttl": 3600,
        "max_ttl": 7200,
        "renew_statements": ("y",),
        "revocation_statements": (),
        "rollback_statements": (),
    }
    assert await app.keys("roles") == ["full", "r"]


# -- the connected user, and the connection --------------------------------------------------------------------------


async def test_the_root_password_is_known_to_nobody_after_it_was_rotated(db: Mounted, pg: PostgreSQL) -> None:
    pg.sql("DROP ROLE IF EXISTS boss; CREATE ROLE boss LOGIN SUPERUSER PASSWORD 'boss'")
    await db.ask("update", "config/pg", pg.config(username="boss", password="boss"))
    await db("update", "roles/r", db_name="pg", creation_statements=LOGIN)
    await db("update", "rotate-root/pg")
    with pytest.raises(subprocess.CalledProcessError):
        pg.sql("SELECT 1", user="boss", password="boss")
    await creds(db)
    assert "password" not in (await db.data("config/pg"))["connection_details"]
    with pytest.raises(Internal, match="nope"):
        await db("update", "rotate-root/nope")


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("ALTER ROLE \"{{name}}\" PASSWORD '{{password}}'", id="after_the_database_was_told"),
        pytest.param("SELECT 1", id="before_the_database_was_told"),
    ],
)
async def test_a_server_that_stops_while_it_rotates_root_finds_out(
    db: Mounted, pg: PostgreSQL, statement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pg.sql("DROP ROLE IF EXISTS boss; CREATE ROLE boss LOGIN SUPERUSER PASSWORD 'boss'")
    body = pg.config(username="boss", password="boss", root_rotation_statements=statement)
    await db.ask("update", "config/pg", body)
    await db("update", "roles/r", db_name="pg", creation_statements=LOGIN)
    commit, left = db.store.commit, iter([True])

    async def commit_once(changes: Any) -> None:
        if not next(left, False):
            raise RuntimeError("stopped")
        await commit(changes)

    with monkeypatch.context() as patched:
        patched.setattr(db.store, "commit", commit_once)
        with pytest.raises(RuntimeError):
            await db("update", "rotate-root/pg")
    again = await Mounted(type(db.engine), db.store).start()
    await creds(again)
    await again.engine.close()


async def test_a_rotation_that_changes_nothing_is_told(db: Mounted, pg: PostgreSQL) -> None:
    await db.ask("update", "config/pg", pg.config(root_rotation_statements="SELECT 1"))
    with pytest.raises(Internal, match="does not take the new password"):
        await db("update", "rotate-root/pg")


@pytest.mark.slow
async def test_a_database_that_was_away_is_used_again(db: Mounted) -> None:
    from tests.databases import postgresql

    with postgresql() as pg:
        await db.ask("update", "config/pg", pg.config())
        await db("update", "roles/r", db_name="pg", creation_statements=LOGIN)
        _, lease = await creds(db)
        pg.stop()
        for attempt in (db.engine.revoke(lease, REVOKE), creds(db)):
            with pytest.raises(Internal, match="refused"):
                await attempt
        with pytest.raises(InvalidRequest):
            await db.engine.renew(lease, REVOKE)
        pg.start()
        await asyncio.sleep(0.3)
        await creds(db)
        await db.engine.revoke(lease, REVOKE)
        pg.stop()
        pg.start()
        await asyncio.sleep(0.3)
        data, _ = await creds(db)  # its idle connections are dead: new ones are made without an error
        assert is_there(pg, data["username"])


async def test_reset_connects_anew(app: Mounted, pg: PostgreSQL) -> None:
    await app("update", "config/pg", connection_url=pg.config()["connection_url"] + "&application_name=reset-me")
    await creds(app)
    served = "SELECT pid FROM pg_stat_activity WHERE application_name = 'reset-me'"
    before = pg.sql(served)
    await app("update", "reset/pg")
    for _ in range(600):  # the database takes its time to end what is closed
        if before not in pg.sql(served).splitlines():
            break
        await asyncio.sleep(0.05)
    else:
        raise AssertionError("the old connection is still there")
    await creds(app)


async def test_reset_tells_what_is_wrong_with_a_connection(db: Mounted, pg: PostgreSQL) -> None:
    await db.ask("update", "config/pg", pg.config(verify_connection=False, username="nobody-here"))
    with pytest.raises(Internal, match="error verifying connection"):
        await db("update", "reset/pg")


async def test_no_more_connections_than_allowed(app: Mounted, pg: PostgreSQL) -> None:
    url = pg.config()["connection_url"] + "&application_name=few"
    await app("update", "config/pg", connection_url=url, max_open_connections=2, max_idle_connections=1)
    await app("update", "roles/r", creation_statements=LOGIN + "SELECT pg_sleep(0.05)")
    work = asyncio.gather(*(creds(app) for _ in range(6)))
    most = 0
    while not work.done():
        count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'few'"
        most = max(most, int(await asyncio.to_thread(pg.sql, count)))
    await work
    assert 1 <= most <= 2
    async with asyncio.timeout(60):
        while pg.sql(count) != "1":  # noqa: ASYNC110 - the database takes its time to end what is closed
            await asyncio.sleep(0.05)
