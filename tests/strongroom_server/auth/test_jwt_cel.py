"""Roles that are programs: what they make of a token."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from strongroom_server.auth.jwt import Engine
from strongroom_server.sdk.errors import InvalidRequest, NotFound, PermissionDenied
from strongroom_server.sdk.request import Alias, Auth
from tests.strongroom_server.auth.issuer import Issuer, pem_of, signing_key
from tests.strongroom_server.fakes import Mounted, client

PROGRAM = {
    "variables": [{"name": "known", "expression": 'claims.sub == "ann"'}],
    "expression": 'known ? pb.Auth{alias: logical.Alias{name: claims.sub}, policies: ["p"]} : "not " + claims.sub',
}


class World:
    def __init__(self, mounted: Mounted, issuer: Issuer) -> None:
        self.mounted, self.issuer = mounted, issuer

    async def ask(self, operation: str, path: str, body: dict[str, Any] | None = None) -> Any:
        return (await self.mounted.ask(operation, path, body or {})).data

    async def role(self, program: Any = PROGRAM, **fields: Any) -> Any:
        written = {"expression": program} if isinstance(program, str) else program
        return await self.ask("update", "cel/role/app", {"cel_program": written} | fields)

    async def login(self, role: str = "app", address: str = "127.0.0.1", **claims: Any) -> Auth:
        body = {"role": role, "jwt": self.issuer.token(**claims)}
        response = await self.mounted.ask("update", "cel/login", body, connection=client(address))
        assert response.auth is not None
        return response.auth


@pytest.fixture
async def world() -> AsyncIterator[World]:
    mounted = await Mounted(Engine).start()
    async with Issuer(mounted.clock.now) as issuer:
        await mounted.ask("update", "config", {"jwt_validation_pubkeys": [pem_of(signing_key("first"))]})
        yield World(mounted, issuer)


async def test_a_program_lets_in_whom_it_knows(world: World) -> None:
    await world.role()
    auth = await world.login()
    assert (auth.alias, auth.policies, auth.renewable) == (Alias("ann"), ("p",), False)
    with pytest.raises(InvalidRequest, match="CEL role 'app' blocked authorization with message: not bob"):
        await world.login(sub="bob")


async def test_all_that_a_login_can_say(world: World) -> None:
    await world.role(
        'pb.Auth{display_name: "d", policies: claims.groups.map(g, "p-" + g), metadata: {"a": claims.sub}, '
        'alias: logical.Alias{name: claims.sub, metadata: {"b": "c"}}, group_aliases: [logical.Alias{name: "g"}], '
        "lease_options: pb.LeaseOptions{TTL: 60000000000, MaxTTL: 120000000000, renewable: true, issue_time: now}, "
        "explicit_max_ttl: 90000000000, period: 1, num_uses: 3, no_default_policy: true, "
        'bound_cidrs: ["127.0.0.0/8"], token_type: 2u}'
    )
    auth = await world.login(groups=["x", "y"])
    assert (auth.display_name, auth.policies, auth.metadata) == ("d", ("p-x", "p-y"), {"a": "ann"})
    assert (auth.alias, auth.group_aliases) == (Alias("ann", {"b": "c"}), (Alias("g"),))
    assert (auth.ttl, auth.max_ttl, auth.explicit_max_ttl, auth.period) == (60, 120, 90, 1)
    assert (auth.renewable, auth.num_uses, auth.no_default_policy) == (True, 3, True)
    assert (auth.bound_cidrs, auth.token_type) == (("127.0.0.0/8",), "batch")
    with pytest.raises(PermissionDenied):
        await world.login(address="10.0.0.1", groups=[])


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        pytest.param("false", "with boolean false return", id="a_no"),
        pytest.param("true", "returned unexpected type: bool", id="a_yes_without_a_login"),
        pytest.param("1", "returned unexpected type: int", id="a_number"),
        pytest.param("{}", "returned unexpected type: dict", id="an_empty_map"),
        pytest.param('{"policies": ["root"]}', "returned unexpected type: dict", id="a_map_like_a_login"),
        pytest.param("null", "returned unexpected type: NoneType", id="nothing"),
        pytest.param('logical.Alias{name: "a"}', "returned unexpected type: Made", id="another_message"),
        pytest.param("claims.nosuch", "no such key: nosuch", id="a_claim_that_is_not_there"),
        pytest.param("pb.Auth{display_name: claims.iat}", "conversion error for pb.Auth.display_name", id="a_field"),
        pytest.param('pb.Auth{policies: "a"}', "conversion error for pb.Auth.policies", id="a_text_as_a_list"),
        pytest.param("pb.Auth{num_uses: -1}", "conversion error for pb.Auth.num_uses", id="a_negative_number"),
        pytest.param("pb.Auth{token_type: 9u}", "conversion error for pb.Auth.token_type", id="no_type"),
        pytest.param('pb.Auth{bound_cidrs: ["x"]}', "conversion error for pb.Auth.bound_cidrs", id="no_network"),
        pytest.param("pb.Auth{alias: pb.Auth{}}", "conversion error for pb.Auth.alias", id="no_alias"),
        pytest.param("pb.Auth{alias: logical.Alias{}}", "missing name in alias", id="an_alias_without_a_name"),
    ],
)
async def test_what_is_no_login_is_a_refusal(world: World, program: str, reason: str) -> None:
    await world.role(program)
    with pytest.raises(InvalidRequest) as error:
        await world.login()
    assert str(error.value).startswith("error executing cel program: ")
    assert reason in str(error.value)


async def test_a_token_is_looked_at_before_the_program(world: World) -> None:
    await world.role("pb.Auth{}", bound_audiences="a,b", clock_skew_leeway=-1)
    assert await world.login(aud=["b", "c"])
    for claims in ({"aud": "c"}, {}, {"aud": "a", "exp": 1, "iat": 1}):
        with pytest.raises(InvalidRequest, match="error validating token"):
            await world.login(**claims)
    world.issuer.signs_with = "second"
    with pytest.raises(InvalidRequest, match="no known key"):
        await world.login(aud="a")


async def test_an_audience_that_the_role_does_not_name_is_the_program_s_affair(world: World) -> None:
    await world.role("pb.Auth{}")
    assert await world.login(aud="whoever")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param({}, "missing required field 'cel_program'", id="nothing"),
        pytest.param({"cel_program": {}}, "cel_program.expression cannot be empty", id="an_empty_program"),
        pytest.param({"cel_program": {"expression": 1}}, "must have a text as expression", id="a_number"),
        pytest.param({"cel_program": {"expression": "?"}}, "invalid CEL syntax", id="no_expression"),
        pytest.param({"cel_program": {"expression": "x", "variables": "y"}}, "a list as variables", id="no_list"),
        pytest.param({"cel_program": {"expression": "1", "variables": [1]}}, "must be objects", id="no_object"),
        pytest.param({"cel_program": {"expression": "1", "variables": [{"name": "a"}]}}, "must be objects", id="half"),
        pytest.param({"cel_program": {"expression": "request"}}, "undeclared reference to 'request'", id="a_name"),
        pytest.param({"cel_program": {"expression": "pb.Auth{client_token: 'x'}"}}, "undefined field", id="a_field"),
    ],
)
async def test_what_is_no_role_is_not_stored(world: World, body: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        await world.ask("update", "cel/role/app", body)
    assert reason in str(error.value)
    with pytest.raises(NotFound):
        await world.ask("read", "cel/role/app")


async def test_a_role_is_kept_changed_and_deleted(world: World) -> None:
    shown = {"name": "app", "cel_program": PROGRAM, "message": "m", "bound_audiences": (), "clock_skew_leeway": 60,
             "expiration_leeway": 150, "not_before_leeway": 150}  # fmt: skip
    assert await world.role(PROGRAM | {"other": 1}, message="m") == shown
    assert await world.ask("read", "cel/role/app") == shown
    assert (await world.ask("list", "cel/role/"))["keys"] == ["app"]
    await world.ask("patch", "cel/role/app", {"cel_program": {"expression": "known"}, "clock_skew_leeway": 7})
    changed = shown | {"cel_program": PROGRAM | {"expression": "known"}, "clock_skew_leeway": 7}
    assert await world.ask("read", "cel/role/app") == changed
    with pytest.raises(InvalidRequest):
        await world.ask("patch", "cel/role/app", {"cel_program": {"variables": []}})
    await world.ask("delete", "cel/role/app")
    with pytest.raises(InvalidRequest, match='role "app" could not be found'):
        await world.login()
    with pytest.raises(InvalidRequest, match="Unable to fetch cel role entry to patch"):
        await world.ask("patch", "cel/role/app", {"message": "x"})


async def test_roles_of_both_kinds_do_not_know_each_other(world: World) -> None:
    await world.role()
    with pytest.raises(InvalidRequest, match="could not be found"):
        await world.ask("update", "login", {"role": "app", "jwt": world.issuer.token()})
    with pytest.raises(InvalidRequest, match="missing role"):
        await world.ask("update", "cel/login", {"jwt": world.issuer.token()})
    with pytest.raises(InvalidRequest, match="missing token"):
        await world.ask("update", "cel/login", {"role": "app"})


async def test_a_login_is_renewed_while_its_role_is_there(world: World) -> None:
    await world.role("pb.Auth{lease_options: pb.LeaseOptions{TTL: 60000000000, renewable: true}}")
    auth = await world.login()
    engine = world.mounted.engine
    assert (await engine.renew_login(auth, None)).ttl == 60  # type: ignore[arg-type]  # it is not looked at
    await world.ask("delete", "cel/role/app")
    with pytest.raises(InvalidRequest, match="role app does not exist during renewal"):
        await engine.renew_login(auth, None)  # type: ignore[arg-type]
