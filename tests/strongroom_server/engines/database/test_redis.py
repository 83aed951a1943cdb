from typing import Any
from urllib.parse import quote

import pytest
from redis.exceptions import RedisError

from strongroom_server.sdk.errors import Internal, InvalidRequest
from strongroom_server.sdk.request import Caller, Lease, Operation, Request
from tests.databases import PASSWORD, Redis
from tests.strongroom_server.fakes import Mounted

REVOKE = Request(Operation.REVOKE, "")


@pytest.fixture(params=["redis-database-plugin", "valkey-database-plugin"])
async def app(db: Mounted, valkey: Redis, request: pytest.FixtureRequest) -> Mounted:
    await db.ask("update", "config/v", valkey.config(plugin_name=request.param))
    await db("update", "roles/r", db_name="v", creation_statements='["~app:*", "+get", "+set"]')
    return db


async def creds(app: Mounted) -> tuple[dict[str, Any], Lease]:
    answer = await app.ask("read", "creds/r", {}, caller=Caller(display_name="token"))
    assert answer.data is not None
    assert answer.lease is not None
    return answer.data, answer.lease


async def test_a_user_may_do_what_its_rules_say_until_it_is_revoked(app: Mounted, valkey: Redis) -> None:
    data, lease = await creds(app)
    assert data["username"].startswith("V_TOKEN_R_")
    me = {"user": data["username"], "password": data["password"]}
    assert valkey.ask("SET", "app:x", "1", **me)
    for forbidden in (("GET", "other"), ("DEL", "app:x")):
        with pytest.raises(RedisError):
            valkey.ask(*forbidden, **me)
    await app.engine.renew(lease, REVOKE)
    await app.engine.revoke(lease, REVOKE)
    await app.engine.revoke(lease, REVOKE)
    with pytest.raises(RedisError):
        valkey.ask("GET", "app:x", **me)


@pytest.mark.parametrize("scheme", ["redis", "valkey"])
async def test_a_url_stands_for_host_port_and_user(app: Mounted, valkey: Redis, scheme: str) -> None:
    config = {name: value for name, value in valkey.config().items() if name not in {"host", "port"}}
    url = f"{scheme}://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{valkey.port}/0"
    await app.ask("update", "config/u", config | {"connection_url": url})
    await app("update", "roles/r", db_name="u")
    await creds(app)
    assert (await app.data("config/u"))["connection_details"]["connection_url"] == url
    fixed = url.replace("{{username}}", "default").replace("{{password}}", quote(PASSWORD, safe=""))
    answer = await app.ask("update", "config/u", {"plugin_name": "valkey-database-plugin", "connection_url": fixed})
    assert answer.warnings
    assert PASSWORD not in str(await app.data("config/u"))
    await creds(app)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        pytest.param({"host": "127.0.0.1"}, "cannot specify both", id="a_host_besides"),
        pytest.param({"connection_url": "http://127.0.0.1"}, "invalid connection_url", id="another_scheme"),
        pytest.param({"connection_url": "valkey://127.0.0.1:port"}, "invalid connection_url", id="no_port"),
        pytest.param({"connection_url": "valkey:///0"}, "host cannot be empty", id="no_host"),
    ],
)
async def test_urls_that_cannot_be_are_refused(db: Mounted, more: dict[str, Any], message: str) -> None:
    config = {"plugin_name": "valkey-database-plugin", "connection_url": "valkey://127.0.0.1", "username": "u",
              "password": "p", "verify_connection": False}  # fmt: skip
    with pytest.raises(InvalidRequest, match=message):
        await db.ask("update", "config/u", config | more)


async def test_without_rules_a_user_may_read(app: Mounted, valkey: Redis) -> None:
    await app("update", "roles/r", creation_statements=[])
    data, _ = await creds(app)
    me = {"user": data["username"], "password": data["password"]}
    assert valkey.ask("GET", "nothing", **me) is None
    with pytest.raises(RedisError):
        valkey.ask("SET", "x", "1", **me)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        pytest.param('["+@nonsense"]', "Unknown command or category", id="no_such_category"),
        pytest.param('["+get"', "JSON list", id="no_list"),
        pytest.param("+get nopass", "rules about passwords", id="nobody_is_let_in_without_a_password"),
        pytest.param('[">mine"]', "rules about passwords", id="no_password_of_ones_own"),
    ],
)
async def test_rules_that_cannot_be_make_no_user(app: Mounted, valkey: Redis, rules: str, message: str) -> None:
    before = valkey.ask("ACL", "USERS")
    await app("update", "roles/r", creation_statements=rules)
    with pytest.raises(Internal, match=message):
        await creds(app)
    assert valkey.ask("ACL", "USERS") == before


async def test_static_and_root_passwords_are_changed(app: Mounted, valkey: Redis) -> None:
    for user in ("svc", "boss"):
        valkey.ask("ACL", "SETUSER", user, "reset", "on", ">old", "~*", "+@all")
    await app("update", "static-roles/s", db_name="v", username="svc", rotation_period="1h")
    password = (await app.data("static-creds/s"))["password"]
    assert valkey.ask("PING", user="svc", password=password)
    await app.ask("update", "config/v", valkey.config(username="boss", password="old"))
    await app("update", "rotate-root/v")
    with pytest.raises(RedisError):
        valkey.ask("PING", user="boss", password="old")
    await creds(app)


async def test_a_static_role_makes_no_user(app: Mounted, valkey: Redis) -> None:
    with pytest.raises(Internal, match='user "ghost" does not exist'):
        await app("update", "static-roles/s", db_name="v", username="ghost", rotation_period="1h")
    assert "ghost" not in valkey.ask("ACL", "USERS")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"password": "wrong"}, "invalid username-password pair", id="a_wrong_password"),
        pytest.param({"port": 1}, "error verifying connection", id="nobody_there"),
        pytest.param({"host": ""}, "host cannot be empty", id="no_host"),
        pytest.param({"password": ""}, "cannot be empty", id="no_password"),
    ],
)
async def test_a_connection_that_cannot_be_is_refused(db: Mounted, valkey: Redis, change: dict[str, Any],
                                                      message: str) -> None:  # fmt: skip
    with pytest.raises(InvalidRequest, match=message) as error:
        await db.ask("update", "config/v", valkey.config(**change))
    assert "wrong" not in str(error.value)
