from typing import Any

import pymysql
import pytest

from strongroom_server.engines.database.plugins import mysql
from strongroom_server.engines.database.plugins.protocol import DatabaseError
from strongroom_server.sdk.errors import Internal, InvalidRequest
from strongroom_server.sdk.request import Caller, Lease, Operation, Request
from tests.databases import MariaDB
from tests.strongroom_server.fakes import Mounted

MAKE = "CREATE USER '{{name}}'@'%' IDENTIFIED BY '{{password}}'; GRANT SELECT ON app.* TO '{{name}}'@'%';"
REVOKE = Request(Operation.REVOKE, "")


@pytest.fixture
async def app(db: Mounted, maria: MariaDB) -> Mounted:
    await db.ask("update", "config/my", maria.config())
    await db("update", "roles/r", db_name="my", creation_statements=MAKE)
    return db


async def creds(app: Mounted) -> tuple[dict[str, Any], Lease]:
    answer = await app.ask("read", "creds/r", {}, caller=Caller(display_name="token"))
    assert answer.data is not None
    assert answer.lease is not None
    return answer.data, answer.lease


def is_there(maria: MariaDB, name: str) -> bool:
    return maria.sql(f"SELECT count(*) FROM mysql.user WHERE user = '{name}'") == "1"


async def test_a_user_can_log_in_until_it_is_revoked(app: Mounted, maria: MariaDB) -> None:
    data, lease = await creds(app)
    assert data["username"].startswith("v-token-r-")
    assert len(data["username"]) == 32
    assert maria.sql("SELECT 1", user=data["username"], password=data["password"]) == "1"
    await app.engine.renew(lease, REVOKE)
    await app.engine.revoke(lease, REVOKE)
    await app.engine.revoke(lease, REVOKE)
    with pytest.raises(pymysql.Error):
        maria.sql("SELECT 1", user=data["username"], password=data["password"])


@pytest.mark.parametrize(
    ("user", "password"),
    [
        # hashicorp/vault#29377, #7834, #6092
        pytest.param("v11@uat#test", "v22@test", id="at_and_number_sign"),
        pytest.param("a%b", "p%23{0}!", id="percent_and_braces"),
        pytest.param("co:lon", "tcp(x)/y?a=b", id="signs_of_the_url_itself"),
        pytest.param("sp ace", "q'\"\\ {{username}}", id="quotes_and_a_placeholder"),
        pytest.param("ünï", "pässwörd€", id="other_letters"),
    ],
)
@pytest.mark.parametrize("disable_escaping", [False, True])
async def test_no_sign_of_a_name_or_password_means_anything(
    app: Mounted, maria: MariaDB, user: str, password: str, disable_escaping: bool
) -> None:
    name, word = (pymysql.converters.escape_string(text) for text in (user, password))
    maria.sql(f"CREATE OR REPLACE USER '{name}'@'%' IDENTIFIED BY '{word}'")
    maria.sql(f"GRANT ALL PRIVILEGES ON *.* TO '{name}'@'%' WITH GRANT OPTION")
    config = maria.config(username=user, password=password, disable_escaping=disable_escaping)
    await app.ask("update", "config/my", config)
    await creds(app)
    await app("update", "rotate-root/my")
    await app("update", "reset/my")
    await creds(app)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "%.example.com"])
async def test_users_of_other_hosts_are_dropped_too(app: Mounted, maria: MariaDB, host: str) -> None:
    at_host = MAKE.replace("@'%'", f"@'{host}'")
    await app("update", "roles/r", creation_statements=[at_host, at_host.replace(host, "10.0.0.1")])
    data, lease = await creds(app)
    assert maria.sql(f"SELECT count(*) FROM mysql.user WHERE user = '{data['username']}'") == "2"
    await app.engine.revoke(lease, REVOKE)
    assert maria.sql(f"SELECT count(*) FROM mysql.user WHERE user = '{data['username']}'") == "0"


async def test_a_connection_that_may_not_see_users_drops_those_of_any_host(app: Mounted, maria: MariaDB) -> None:
    maria.sql("CREATE OR REPLACE USER 'maker'@'%' IDENTIFIED BY 'm'")
    maria.sql("GRANT CREATE USER, RELOAD ON *.* TO 'maker'@'%'")
    maria.sql("GRANT SELECT ON app.* TO 'maker'@'%' WITH GRANT OPTION")
    await app.ask("update", "config/my", maria.config(username="maker", password="m"))
    data, lease = await creds(app)
    assert is_there(maria, data["username"])
    await app.engine.revoke(lease, REVOKE)
    assert not is_there(maria, data["username"])


async def test_what_fails_half_way_is_cleaned_up(app: Mounted, maria: MariaDB) -> None:
    before = maria.sql("SELECT count(*) FROM mysql.user")
    await app("update", "roles/r", creation_statements=[MAKE, "SELECT no_such_thing"])
    with pytest.raises(Internal, match="Unknown column"):
        await creds(app)
    assert maria.sql("SELECT count(*) FROM mysql.user") == before
    assert await app.store.list("wal/") == []


async def test_bodies_and_comments_come_whole_to_the_database(app: Mounted, maria: MariaDB) -> None:
    body = "CREATE OR REPLACE PROCEDURE app.p() BEGIN SELECT ';'; SELECT 2; END; -- it's a comment;\n"
    await app("update", "roles/r", creation_statements=[body + MAKE + "# the end;", "/* nothing; */"])
    data, _ = await creds(app)
    assert is_there(maria, data["username"])


async def test_static_and_root_passwords_are_changed(app: Mounted, maria: MariaDB) -> None:
    for user in ("svc", "boss"):
        maria.sql(f"CREATE OR REPLACE USER '{user}'@'%' IDENTIFIED BY 'old'")
    maria.sql("GRANT ALL PRIVILEGES ON *.* TO 'boss'@'%' WITH GRANT OPTION")
    await app("update", "static-roles/s", db_name="my", username="svc", rotation_period="1h")
    password = (await app.data("static-creds/s"))["password"]
    assert maria.sql("SELECT 1", user="svc", password=password) == "1"
    await app.ask("update", "config/my", maria.config(username="boss", password="old"))
    await app("update", "rotate-root/my")
    with pytest.raises(pymysql.Error):
        maria.sql("SELECT 1", user="boss", password="old")
    await creds(app)


@pytest.mark.parametrize(("variant", "length"), [("mariadb", 32), ("mysql-aurora", 16), ("mysql-rds", 16)])
async def test_variants_differ_in_their_names_alone(app: Mounted, variant: str, length: int) -> None:
    await app("update", "config/my", plugin_name=f"{variant}-database-plugin")
    data, _ = await creds(app)
    assert len(data["username"]) == length


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"password": "wrong"}, "Access denied", id="a_wrong_password"),
        pytest.param({"connection_url": "{{username}}:{{password}}@tcp(127.0.0.1:1)/"}, "127.0.0.1", id="nobody_there"),
        pytest.param({"connection_url": "nonsense"}, "invalid connection_url", id="no_url"),
        pytest.param({"connection_url": ""}, "connection_url cannot be empty", id="an_empty_url"),
    ],
)
async def test_a_connection_that_cannot_be_is_refused(db: Mounted, maria: MariaDB, change: dict[str, Any],
                                                      message: str) -> None:  # fmt: skip
    with pytest.raises(InvalidRequest, match=message):
        await db.ask("update", "config/my", maria.config(**change))


@pytest.mark.slow
async def test_a_database_that_was_away_is_used_again(app: Mounted, maria: MariaDB) -> None:
    _, lease = await creds(app)
    maria.stop()
    with pytest.raises(Internal):
        await creds(app)
    maria.start()
    await app.engine.revoke(lease, REVOKE)
    await creds(app)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        pytest.param("{{username}}:{{password}}@tcp(db:3307)/app", ("u@:/", "p@/)(:", "db", 3307, "app"), id="all"),
        pytest.param("{{username}}:{{password}}@tcp(db)/", ("u@:/", "p@/)(:", "db", 3306, None), id="no_port"),
        pytest.param("{{username}}:{{password}}@tcp([::1]:3307)/?tls=true", ("u@:/", "p@/)(:", "::1", 3307, None),
                     id="an_ipv6_address"),
        pytest.param("me:it@tcp(db:1)/x?timeout=3s", ("me", "it", "db", 1, "x"), id="no_template"),
    ],
)  # fmt: skip
def test_urls_are_read_as_gos_driver_reads_them(url: str, words: tuple[Any, ...]) -> None:
    from strongroom_common.secret import Secret

    read = mysql._words(mysql.Settings(connection_url=url, username="u@:/", password=Secret("p@/)(:")))
    assert tuple(read[name] for name in ("user", "password", "host", "port", "database")) == words


async def test_of_several_hosts_one_that_answers_is_taken(app: Mounted, maria: MariaDB) -> None:
    url = f"{{{{username}}}}:{{{{password}}}}@tcp(127.0.0.1:1, [::1]:1,127.0.0.1:{maria.port})/app"
    await app.ask("update", "config/my", maria.config(connection_url=url))
    await creds(app)


def test_a_url_that_is_none_is_refused() -> None:
    with pytest.raises(DatabaseError):
        mysql._words(mysql.Settings(connection_url="db:3306"))
