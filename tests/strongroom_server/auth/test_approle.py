import asyncio
from typing import Any

import pytest

from strongroom_server.auth.approle import Engine
from strongroom_server.auth.approle.schemas import FIELDS
from strongroom_server.sdk.errors import InvalidRequest, NotFound, UnsupportedOperation, UnsupportedPath
from strongroom_server.sdk.request import Auth, Operation, Request, Response
from tests.strongroom_server.fakes import Mounted, client


class AppRole(Mounted):
    async def role(self, name: str = "r", **settings: Any) -> str:
        """Write a role and return its id."""
        await self("update", f"role/{name}", **settings)
        return str((await self.data(f"role/{name}/role-id"))["role_id"])

    async def secret(self, name: str = "r", **settings: Any) -> dict[str, Any]:
        data = (await self("update", f"role/{name}/secret-id", **settings)).data
        assert data is not None
        return data

    async def login(self, role_id: str, secret_id: str = "", address: str = "127.0.0.1") -> Auth:
        body = {"role_id": role_id} | ({"secret_id": secret_id} if secret_id else {})
        response = await self.ask("update", "login", body, connection=client(address))
        assert response.auth is not None
        return response.auth

    async def look_up(self, secret_id: str, name: str = "r") -> Response:
        return await self("update", f"role/{name}/secret-id/lookup", secret_id=secret_id)


@pytest.fixture
async def approle() -> AppRole:
    approle = AppRole(Engine)
    await approle.start()
    return approle


# -- roles ----------------------------------------------------------------------------------------------------------


async def test_a_fresh_role_shows_every_parameter(approle: AppRole) -> None:
    role_id = await approle.role("R")
    assert len(role_id) == 36
    assert await approle.keys("role") == ["r"]
    assert await approle.data("role/r") == {
        "bind_secret_id": True,
        "local_secret_ids": False,
        "secret_id_bound_cidrs": None,
        "secret_id_num_uses": 0,
        "secret_id_ttl": 0,
        "token_bound_cidrs": (),
        "token_explicit_max_ttl": 0,
        "token_max_ttl": 0,
        "token_no_default_policy": False,
        "token_num_uses": 0,
        "token_period": 0,
        "token_policies": (),
        "token_strictly_bind_ip": False,
        "token_ttl": 0,
        "token_type": "default",
    }


async def test_older_names_are_understood(approle: AppRole) -> None:
    await approle.role(policies="a,B", period="1m", bound_cidr_list="127.0.0.1/32")
    data = await approle.data("role/r")
    assert (data["policies"], data["token_policies"]) == (("a", "b"), ("a", "b"))
    assert (data["period"], data["token_period"]) == (60, 60)
    assert data["secret_id_bound_cidrs"] == ("127.0.0.1/32",)


async def test_the_role_id_can_be_chosen_and_is_one_roles_alone(approle: AppRole) -> None:
    old = await approle.role(secret_id_bound_cidrs="127.0.0.0/8", bind_secret_id=False)
    await approle("update", "role/r/role-id", role_id="mine/with slash")
    assert (await approle.login("mine/with slash")).metadata == {"role_name": "r"}
    with pytest.raises(InvalidRequest, match="invalid role or secret ID"):
        await approle.login(old)
    for path in ("role/other", "role/second"):
        with pytest.raises(InvalidRequest, match="role_id already in use"):
            await approle("update", path, role_id="mine/with slash")
    await approle("update", "role/r", role_id="mine/with slash", token_ttl="1h")
    await approle("delete", "role/r")
    assert await approle.role("second", role_id="mine/with slash") == "mine/with slash"
    for path, message in (("role/r", "invalid role_id"), ("role/second/role-id", "missing role_id")):
        with pytest.raises(InvalidRequest, match=message):
            await approle("update", path, role_id="")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({"bind_secret_id": False}, "at least one constraint", id="a_role_id_alone"),
        pytest.param({"secret_id_num_uses": -1}, "secret_id_num_uses cannot be negative", id="negative_uses"),
        pytest.param({"token_ttl": "2h", "token_max_ttl": "1h"}, "'token_ttl' cannot be greater", id="ttl_over_max"),
        pytest.param({"token_type": "batch", "token_num_uses": 1}, "limited use", id="a_counted_batch_token"),
        pytest.param({"secret_id_bound_cidrs": "10.0.0.1"}, "invalid CIDR address: 10.0.0.1", id="an_address_alone"),
        pytest.param({"secret_id_bound_cidrs": "bad"}, "secret_id_bound_cidrs", id="no_network"),
        pytest.param({"secret_id_ttl": "-1s"}, "secret_id_ttl", id="a_negative_ttl"),
        pytest.param({"local_secret_ids": True}, "only be modified during role creation", id="a_late_change"),
    ],
)
async def test_bad_roles_are_refused_and_change_nothing(
    approle: AppRole, settings: dict[str, Any], message: str
) -> None:
    await approle.role()
    before = await approle.data("role/r")
    with pytest.raises(InvalidRequest, match=message):
        await approle.role(**settings)
    assert await approle.data("role/r") == before


async def test_any_one_constraint_is_enough_and_the_last_one_stays(approle: AppRole) -> None:
    await approle.role("n", bind_secret_id=False, token_bound_cidrs="127.0.0.0/8")
    await approle.role("m", bind_secret_id=False, secret_id_bound_cidrs="127.0.0.0/8")
    with pytest.raises(InvalidRequest, match="at least one constraint"):
        await approle("delete", "role/m/secret-id-bound-cidrs")
    with pytest.raises(InvalidRequest, match="bind_secret_id is not set"):
        await approle.secret("m")


@pytest.mark.parametrize("name", ["lead-", "u@d", "a/b"])
async def test_odd_names_are_no_paths(approle: AppRole, name: str) -> None:
    with pytest.raises(UnsupportedPath):
        await approle("update", f"role/{name}")


@pytest.mark.parametrize(
    ("path", "sent", "shown", "default"),
    [
        ("policies", {"policies": "p"}, {"policies": ("p",), "token_policies": ("p",)}, ()),
        ("policies", {"token_policies": "Q"}, {"token_policies": ("q",)}, ()),
        ("period", {"period": "2m"}, {"period": 120, "token_period": 120}, 0),
        ("bound-cidr-list", {"bound_cidr_list": "127.0.0.0/8"}, {"bound_cidr_list": ("127.0.0.0/8",)}, None),
        (
            "secret-id-bound-cidrs",
            {"secret_id_bound_cidrs": "127.0.0.0/8"},
            {"secret_id_bound_cidrs": ("127.0.0.0/8",)},
            None,
        ),
        ("token-bound-cidrs", {"token_bound_cidrs": "127.0.0.0/8"}, {"token_bound_cidrs": ("127.0.0.0/8",)}, None),
        ("secret-id-num-uses", {"secret_id_num_uses": 7}, {"secret_id_num_uses": 7}, 0),
        ("secret-id-ttl", {"secret_id_ttl": "10s"}, {"secret_id_ttl": 10}, 0),
        ("token-ttl", {"token_ttl": "1m"}, {"token_ttl": 60}, 0),
        ("token-max-ttl", {"token_max_ttl": "5m"}, {"token_max_ttl": 300}, 0),
        ("token-num-uses", {"token_num_uses": 3}, {"token_num_uses": 3}, 0),
        ("bind-secret-id", {"bind_secret_id": True}, {"bind_secret_id": True}, True),
    ],
)
async def test_every_field_has_a_path(
    approle: AppRole, path: str, sent: dict[str, Any], shown: dict[str, Any], default: Any
) -> None:
    await approle.role(token_explicit_max_ttl="9h")
    await approle("update", f"role/r/{path}", **sent)
    data = await approle.data(f"role/r/{path}")
    assert data == shown
    await approle("delete", f"role/r/{path}")
    assert set((await approle.data(f"role/r/{path}")).values()) == {default}
    assert (await approle.data("role/r"))["token_explicit_max_ttl"] == 32400
    with pytest.raises(InvalidRequest, match=f"missing {FIELDS[path][1]}"):
        await approle("update", f"role/r/{path}")
    for operation in ("read", "update"):
        with pytest.raises(NotFound):
            await approle(operation, f"role/none/{path}", **sent)
    await approle("delete", f"role/none/{path}")


async def test_some_fields_are_read_only(approle: AppRole) -> None:
    await approle.role(local_secret_ids=True)
    assert await approle.data("role/r/local-secret-ids") == {"local_secret_ids": True}
    for operation, path in (("update", "local-secret-ids"), ("delete", "local-secret-ids"), ("delete", "role-id")):
        with pytest.raises(UnsupportedOperation):
            await approle(operation, f"role/r/{path}", local_secret_ids=False)


# -- secret ids -----------------------------------------------------------------------------------------------------


async def test_a_secret_id_is_found_by_itself_and_by_its_accessor(approle: AppRole) -> None:
    await approle.role(secret_id_ttl="1h", secret_id_num_uses=5)
    made = await approle.secret(
        metadata='{"k": "v"}', ttl="10m", num_uses=2, cidr_list="127.0.0.1/32", token_bound_cidrs="127.0.0.0/8"
    )
    assert (made["secret_id_num_uses"], made["secret_id_ttl"]) == (2, 600)
    facts = {
        "cidr_list": ("127.0.0.1/32",),
        "creation_time": "2023-11-14T22:13:20.000000000Z",
        "expiration_time": "2023-11-14T22:23:20.000000000Z",
        "last_updated_time": "2023-11-14T22:13:20.000000000Z",
        "metadata": {"k": "v"},
        "secret_id_accessor": made["secret_id_accessor"],
        "secret_id_num_uses": 2,
        "secret_id_ttl": 600,
        "token_bound_cidrs": ("127.0.0.0/8",),
    }
    assert (await approle.look_up(made["secret_id"])).data == facts
    accessor = {"secret_id_accessor": made["secret_id_accessor"]}
    assert (await approle("update", "role/r/secret-id-accessor/lookup", **accessor)).data == facts
    assert await approle.keys("role/r/secret-id") == [made["secret_id_accessor"]]


async def test_without_wishes_the_roles_limits_apply(approle: AppRole) -> None:
    await approle.role(secret_id_ttl="1h", secret_id_num_uses=5)
    made = await approle.secret()
    assert (made["secret_id_num_uses"], made["secret_id_ttl"]) == (5, 3600)
    await approle.role("free")
    free = await approle.secret("free", num_uses=3)
    facts = (await approle.look_up(free["secret_id"], "free")).data
    assert facts is not None
    assert (facts["secret_id_num_uses"], facts["expiration_time"]) == (3, "0001-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        pytest.param({"ttl": "2h"}, "ttl cannot be longer", id="a_longer_life"),
        pytest.param({"ttl": 0}, "ttl cannot be longer", id="for_ever"),
        pytest.param({"num_uses": 9}, "num_uses cannot be higher", id="more_uses"),
        pytest.param({"num_uses": 0}, "num_uses cannot be higher", id="uses_without_limit"),
        pytest.param({"num_uses": -1}, "num_uses cannot be negative", id="negative_uses"),
        pytest.param({"cidr_list": "11.0.0.0/8"}, "cidr_list: .* subset", id="another_network"),
        pytest.param({"cidr_list": "bad"}, "cidr_list", id="no_network"),
        pytest.param({"token_bound_cidrs": "0.0.0.0/0"}, "token_bound_cidrs: .* subset", id="wider_tokens"),
        pytest.param({"metadata": "bad"}, "failed to parse metadata", id="metadata_that_is_none"),
        pytest.param({"metadata": '{"a": {"b": 1}}'}, "failed to parse metadata", id="nested_metadata"),
        pytest.param({"metadata": '["a"]'}, "failed to parse metadata", id="a_list_of_metadata"),
        pytest.param({"metadata": {"a": 1}}, "failed to parse metadata", id="a_number_in_metadata"),
        pytest.param({"metadata": "{" * 5000}, "failed to parse metadata", id="deep_metadata"),
    ],
)
async def test_a_secret_id_is_worth_no_more_than_its_role_allows(
    approle: AppRole, wish: dict[str, Any], message: str
) -> None:
    await approle.role(
        secret_id_ttl="1h", secret_id_num_uses=5, secret_id_bound_cidrs="10.0.0.0/8", token_bound_cidrs="10.0.0.0/8"
    )
    with pytest.raises(InvalidRequest, match=message):
        await approle.secret(**wish)
    with pytest.raises(NotFound):
        await approle.keys("role/r/secret-id")


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param({"a": "b", "c": "d"}, id="an_object"),
        pytest.param('{"a": "b", "c": "d"}', id="its_json"),
        pytest.param("a=b, c=d", id="pairs"),
        pytest.param("eyJhIjogImIiLCAiYyI6ICJkIn0=", id="json_in_base64"),
        pytest.param("YT1iLGM9ZA==", id="pairs_in_base64"),
    ],
)
async def test_metadata_goes_to_the_token(approle: AppRole, metadata: Any) -> None:
    role_id = await approle.role()
    made = await approle.secret(metadata=metadata)
    assert (await approle.login(role_id, made["secret_id"])).metadata == {"a": "b", "c": "d", "role_name": "r"}


async def test_ids_from_files_may_end_a_line(approle: AppRole) -> None:
    role_id = await approle.role()
    made = await approle.secret()
    assert (await approle.login(f" {role_id}\n", f"{made['secret_id']}\n")).metadata == {"role_name": "r"}


async def test_metadata_is_the_identitys_too(approle: AppRole) -> None:
    role_id = await approle.role()
    auth = await approle.login(role_id, (await approle.secret(metadata='{"team": "blue"}'))["secret_id"])
    assert auth.alias is not None
    assert (auth.alias.name, auth.alias.metadata) == (role_id, {"team": "blue", "role_name": "r"})


async def test_lives_beyond_the_mounts_warn(approle: AppRole) -> None:
    warned = await approle("update", "role/r", token_max_ttl="9000h")
    assert warned.warnings == [
        "token_max_ttl is greater than the backend mount's maximum TTL value; issued tokens' max TTL value will be "
        "truncated"
    ]
    for path, body in (("role/r", {"period": "9000h"}), ("role/r/period", {"period": "9000h"})):
        with pytest.raises(InvalidRequest, match=r'period of "9000h" is greater than .* of "768h"'):
            await approle("update", path, **body)
    assert (await approle.data("role/r"))["token_period"] == 0


async def test_an_older_path_warns(approle: AppRole) -> None:
    await approle.role(bound_cidr_list="127.0.0.0/8")
    answer = await approle("read", "role/r/bound-cidr-list")
    assert answer.warnings == [
        'The "bound_cidr_list" field is deprecated and will be removed. Please use "secret_id_bound_cidrs" instead.'
    ]


async def test_a_secret_id_of_ones_own_is_unique_within_the_role(approle: AppRole) -> None:
    role_id = await approle.role()
    await approle.role("other")
    for role in ("r", "other"):
        data = (await approle("update", f"role/{role}/custom-secret-id", secret_id="mine")).data
        assert data is not None
        assert data["secret_id"] == "mine"
    with pytest.raises(InvalidRequest, match="already registered"):
        await approle("update", "role/r/custom-secret-id", secret_id="mine")
    with pytest.raises(InvalidRequest, match="missing secret_id"):
        await approle("update", "role/r/custom-secret-id")
    with pytest.raises(InvalidRequest, match="longer than the maximum"):
        await approle("update", "role/r/custom-secret-id", secret_id="x" * 4097)
    await approle.login(role_id, "mine")


async def test_secret_ids_are_destroyed_by_themselves_or_by_accessor(approle: AppRole) -> None:
    role_id = await approle.role()
    await approle.role("other")
    first, second = await approle.secret(), await approle.secret()
    await approle("update", "role/r/secret-id/destroy", secret_id=first["secret_id"])
    await approle("delete", "role/r/secret-id/destroy", secret_id=first["secret_id"])
    accessor = {"secret_id_accessor": second["secret_id_accessor"]}
    for path in ("role/other/secret-id-accessor/destroy", "role/other/secret-id-accessor/lookup"):
        with pytest.raises(NotFound, match="failed to find accessor entry"):
            await approle("update", path, **accessor)
    await approle("update", "role/r/secret-id-accessor/destroy", **accessor)
    with pytest.raises(NotFound, match="failed to find accessor entry"):
        await approle("update", "role/r/secret-id-accessor/destroy", **accessor)
    for made in (first, second):
        assert (await approle.look_up(made["secret_id"])).data is None
        with pytest.raises(InvalidRequest, match="invalid role or secret ID"):
            await approle.login(role_id, made["secret_id"])
    with pytest.raises(NotFound):
        await approle.keys("role/r/secret-id")


@pytest.mark.parametrize("accessor", ["bad", "../r/x", "a/b"])
async def test_an_accessor_that_is_none_is_not_found(approle: AppRole, accessor: str) -> None:
    await approle.role()
    with pytest.raises(NotFound, match="failed to find accessor entry"):
        await approle("update", "role/r/secret-id-accessor/lookup", secret_id_accessor=accessor)


@pytest.mark.parametrize(
    "path",
    ["secret-id", "custom-secret-id", "secret-id/lookup", "secret-id/destroy", "secret-id-accessor/lookup",
     "secret-id-accessor/destroy"],
)  # fmt: skip
async def test_a_role_that_is_not_there_is_named(approle: AppRole, path: str) -> None:
    with pytest.raises(NotFound, match='role "none" does not exist'):
        await approle("update", f"role/none/{path}", secret_id="x", secret_id_accessor="x")


async def test_a_secret_id_ends(approle: AppRole) -> None:
    role_id = await approle.role(secret_id_ttl="1m")
    made = await approle.secret()
    await approle.clock.advance(59)
    await approle.login(role_id, made["secret_id"])
    await approle.clock.advance(2)
    with pytest.raises(InvalidRequest, match="invalid role or secret ID"):
        await approle.login(role_id, made["secret_id"])
    assert (await approle.look_up(made["secret_id"])).data is None
    await approle("update", "role/r/custom-secret-id", secret_id=made["secret_id"])


async def test_tidying_leaves_nothing_of_what_has_ended(approle: AppRole) -> None:
    await approle.role(secret_id_ttl="1m")
    await approle.secret()
    await approle.clock.advance(61)
    await approle.engine.tick()
    assert len(await approle.keys("role/r/secret-id")) == 1  # not yet the hour
    response = await approle("update", "tidy/secret-id")
    assert response.status == 202
    for _ in range(50):
        await asyncio.sleep(0)
    assert await approle.store.list("secret_id/") == await approle.store.list("accessor/") == []
    await approle.secret()
    await approle.clock.advance(4000)
    await approle.engine.tick()
    assert await approle.store.list("secret_id/") == []


async def test_storage_never_sees_a_secret_id(approle: AppRole) -> None:
    role_id = await approle.role()
    made = await approle.secret()
    keys = await approle.store.list("secret_id/r/")
    assert made["secret_id"] not in str(keys)
    raw = [await approle.store.get(f"secret_id/r/{key}") for key in keys]
    assert made["secret_id"] not in str(raw)
    assert role_id not in str(await approle.store.list("role_id/"))


# -- login ----------------------------------------------------------------------------------------------------------


async def test_a_login_carries_the_roles_parameters(approle: AppRole) -> None:
    role_id = await approle.role(token_ttl="1h", token_max_ttl="2h", policies="p", token_num_uses=3)
    made = await approle.secret(token_bound_cidrs="127.0.0.0/8")
    auth = await approle.login(role_id, made["secret_id"])
    assert (auth.ttl, auth.max_ttl, auth.policies, auth.num_uses) == (3600, 7200, ("p",), 3)
    assert (auth.bound_cidrs, auth.display_name) == (("127.0.0.0/8",), "")
    assert auth.alias is not None
    assert auth.alias.name == role_id


async def test_wrong_ids_sound_the_same(approle: AppRole) -> None:
    role_id = await approle.role()
    made = await approle.secret()
    await approle.role("other")
    other = await approle.secret("other")
    for role, secret in ((role_id, "bad"), ("bad", made["secret_id"]), (role_id, other["secret_id"])):
        with pytest.raises(InvalidRequest, match=r"^invalid role or secret ID$"):
            await approle.login(role, secret)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param({}, "missing role_id", id="nothing"),
        pytest.param({"secret_id": "x"}, "missing role_id", id="no_role_id"),
        pytest.param({"role_id": ["x"], "secret_id": {"a": 1}}, "role_id", id="wrong_types"),
    ],
)
async def test_bad_logins_are_told_what_is_wrong(approle: AppRole, body: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        await approle.ask("update", "login", body)
    with pytest.raises(InvalidRequest, match="missing secret_id"):
        await approle.login(await approle.role())


@pytest.mark.parametrize("uses", [1, 3])
async def test_of_two_hundred_logins_at_once_no_more_succeed_than_the_uses(approle: AppRole, uses: int) -> None:
    role_id = await approle.role(secret_id_num_uses=uses)
    made = await approle.secret()
    results = await asyncio.gather(
        *(approle.login(role_id, made["secret_id"]) for _ in range(200)), return_exceptions=True
    )
    assert sum(isinstance(result, Auth) for result in results) == uses
    assert {str(result) for result in results if not isinstance(result, Auth)} == {"invalid role or secret ID"}
    assert await approle.store.list("secret_id/") == await approle.store.list("accessor/") == []


async def test_uses_are_counted_down_where_one_can_see_it(approle: AppRole) -> None:
    role_id = await approle.role(secret_id_num_uses=2)
    made = await approle.secret()
    await approle.clock.advance(5)
    await approle.login(role_id, made["secret_id"])
    facts = (await approle.look_up(made["secret_id"])).data
    assert facts is not None
    assert (facts["secret_id_num_uses"], facts["last_updated_time"]) == (1, "2023-11-14T22:13:25.000000000Z")


async def test_a_login_from_elsewhere_spends_no_use(approle: AppRole) -> None:
    role_id = await approle.role(secret_id_num_uses=1, secret_id_bound_cidrs="10.0.0.0/8,127.0.0.0/8")
    made = await approle.secret(cidr_list="10.1.0.0/16")
    for address, message in (("127.0.0.1", "on the secret ID"), ("", "source address")):
        with pytest.raises(
            InvalidRequest, match=f'source address "{address}" unauthorized.*{message}' if address else message
        ):
            await approle.login(role_id, made["secret_id"], address)
    await approle("update", "role/r", secret_id_bound_cidrs="10.1.2.0/24")
    with pytest.raises(InvalidRequest, match="CIDR restrictions on the role"):
        await approle.login(role_id, made["secret_id"], "10.1.9.9")
    await approle.login(role_id, made["secret_id"], "10.1.2.3")


async def test_without_secret_ids_the_network_decides(approle: AppRole) -> None:
    role_id = await approle.role(bind_secret_id=False, secret_id_bound_cidrs="127.0.0.0/8")
    await approle.login(role_id)
    await approle.login(role_id, "ignored")
    with pytest.raises(InvalidRequest, match="source address"):
        await approle.login(role_id, address="10.0.0.1")


async def test_a_new_role_of_the_same_name_knows_no_old_secret_ids(approle: AppRole) -> None:
    await approle.role()
    made = await approle.secret()
    auth = await approle.login(str((await approle.data("role/r/role-id"))["role_id"]), made["secret_id"])
    leftover = {key: await approle.store.get(f"secret_id/r/{key}") for key in await approle.store.list("secret_id/r/")}
    await approle("delete", "role/r")
    await approle("delete", "role/r")
    assert await approle.store.list("") == []
    request: Any = None
    with pytest.raises(InvalidRequest, match='role "r" does not exist during renewal'):
        await approle.engine.renew_login(auth, request)
    role_id = await approle.role()
    for key, value in leftover.items():  # as a login that was under way might leave it
        approle.store._entries[f"secret_id/r/{key}"] = value or b""
    with pytest.raises(InvalidRequest, match="invalid role or secret ID"):
        await approle.login(role_id, made["secret_id"])


async def test_renewal_asks_the_role_again(approle: AppRole) -> None:
    role_id = await approle.role(token_ttl="1h")
    auth = await approle.login(role_id, (await approle.secret())["secret_id"])
    await approle.role(token_ttl="30m", token_period="5m")
    request: Any = None
    renewed = await approle.engine.renew_login(auth, request)
    assert (renewed.ttl, renewed.period) == (1800, 300)


async def test_policies_can_tell_create_from_update(approle: AppRole) -> None:
    assert await approle.engine.exists(Request(Operation.CREATE, "role/r")) is False
    await approle.role()
    assert await approle.engine.exists(Request(Operation.CREATE, "role/r")) is True
    assert await approle.engine.exists(Request(Operation.CREATE, "login")) is None


def test_only_the_login_is_public() -> None:
    public = [path.template for path in Engine.paths if any(route.public for route in path.routes.values())]
    assert public == ["login"]
