"""Roles of tokens: what may be asked for through them, and what their tokens are."""

from typing import Any

import pytest

from strongroom_common.fields import parse
from strongroom_server.core import token_roles
from strongroom_server.core.token_roles import Role, changed, facts, lesser
from strongroom_server.sdk.errors import InvalidRequest
from tests.strongroom_server.live import Live

HOUR = 3600
MAKER = 'path "auth/token/*" { capabilities = ["create", "update", "read"] }'


def role(stored: Role | None = None, **body: Any) -> Role:
    return changed(parse(Role, body), stored, body)[0]


@pytest.mark.parametrize(
    ("settings", "wanted", "found"),
    [
        pytest.param({"allowed_policies": "B,a"}, [], ("a", "b", "default"), id="all_that_is_allowed"),
        pytest.param({"allowed_policies": "a,b"}, [" B "], ("b", "default"), id="some_of_it"),
        pytest.param({"allowed_policies": "root"}, [], ("root",), id="root_is_alone"),
        pytest.param({"allowed_policies_glob": "d*"}, ["d1"], ("d1", "default"), id="what_fits_a_glob"),
        pytest.param({"allowed_policies_glob": "d*"}, [], ("default",), id="a_glob_gives_nothing_by_itself"),
        pytest.param({"disallowed_policies": "x"}, [], ("default", "own"), id="the_parents_where_none_are_allowed"),
        pytest.param({"disallowed_policies": "x"}, ["y"], ("default", "y"), id="all_but_what_is_disallowed"),
        pytest.param({"disallowed_policies": "default"}, ["y"], ("y",), id="no_default_where_that_is_disallowed"),
        pytest.param({"disallowed_policies_glob": "def*"}, ["y"], ("y",), id="nor_where_a_glob_disallows_it"),
    ],
)
def test_the_policies_of_a_role_are(settings: dict[str, Any], wanted: list[str], found: tuple[str, ...]) -> None:
    assert role(**settings).rules_policies
    assert token_roles.policies(role(**settings), wanted, ("own", "default"), default=True) == found


@pytest.mark.parametrize(
    ("settings", "wanted", "message"),
    [
        pytest.param({"allowed_policies": "a"}, ["b"],
                     r'token policies \(\["b" "default"\]\) must be subset of the role\'s allowed policies '
                     r'\(\["a" "default"\]\) or glob policies \(\[\]\)', id="another"),
        pytest.param({"allowed_policies": "root"}, ["default"], "must be subset", id="default_beside_root"),
        pytest.param({"allowed_policies_glob": "d*"}, ["e"], "must be subset", id="what_fits_no_glob"),
        pytest.param({"disallowed_policies": "A"}, ["a"], 'token policy "a" is disallowed', id="one_by_name"),
        pytest.param({"disallowed_policies_glob": "A*"}, ["ab"], 'token policy "ab" is disallowed', id="one_by_glob"),
        pytest.param({"disallowed_policies": "own"}, [], 'token policy "own" is disallowed', id="the_parents"),
        pytest.param({"allowed_policies": "a", "disallowed_policies": "a"}, ["a"], "disallowed", id="both_is_no"),
    ],
)  # fmt: skip
def test_other_policies_are_refused(settings: dict[str, Any], wanted: list[str], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        token_roles.policies(role(**settings), wanted, ("own", "default"), default=True)


BATCH = {"token_type": "batch", "orphan": True, "renewable": False}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({"token_type": "default"}, "invalid 'token_type' value \"default\"", id="an_unknown_type"),
        pytest.param({"token_num_uses": -1}, "'token_num_uses' cannot be negative", id="negative_uses"),
        pytest.param({"path_suffix": "a b"}, "given role path suffix contains invalid", id="a_blank_in_the_path"),
        pytest.param({"path_suffix": "../x"}, "given role path suffix contains invalid", id="a_way_up"),
        pytest.param({"token_type": "batch"}, "generate non-orphan tokens", id="batch_with_parents"),
        pytest.param(BATCH | {"renewable": True}, "generate renewable tokens", id="batch_and_renewable"),
        pytest.param(BATCH | {"token_period": 1}, "generate periodic tokens", id="batch_and_periodic"),
        pytest.param(BATCH | {"token_explicit_max_ttl": 1}, "an explicit max TTL", id="batch_with_an_end"),
    ],
)
def test_roles_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        role(**settings)


def test_older_names_are_shown_while_they_are_used() -> None:
    old = role(period="1h", bound_cidrs="127.0.0.1/32", token_num_uses=2)
    shown = {"period": HOUR, "token_period": HOUR, "explicit_max_ttl": 0, "token_num_uses": 2}
    assert shown.items() <= facts("r", old).items()
    assert facts("r", old)["bound_cidrs"] == facts("r", old)["token_bound_cidrs"] == ("127.0.0.1",)
    new = role(old, token_period="2h", token_bound_cidrs=[], token_num_uses=0)
    assert {"period": 0, "token_period": 2 * HOUR}.items() <= facts("r", new).items()
    assert not {"bound_cidrs", "token_bound_cidrs", "token_num_uses", "old_names"} & set(facts("r", new))


def test_two_names_for_one_setting_warn() -> None:
    body = {"token_period": 1, "period": 2}
    assert changed(parse(Role, body), None, body)[1] == [
        "Both 'token_period' and deprecated 'period' value supplied, ignoring the deprecated value"
    ]


def test_of_two_limits_the_lesser_holds() -> None:
    assert [lesser("Period", *pair) for pair in ((0, 0), (5, 0), (0, 7))] == [(0, []), (5, []), (7, [])]
    assert lesser("Period", 5, 7) == (
        5, ["Period specified both during creation call and in role; using the lesser value of 5 seconds"]
    )  # fmt: skip


# -- through the API ------------------------------------------------------------------------------------------------


async def make(live: Live, settings: dict[str, Any], body: dict[str, Any], token: str | None = None) -> Any:
    assert (await live.post("auth/token/roles/Made", settings)).status == 204
    return await live.post("auth/token/create/Made", body, token=token)


async def maker(live: Live) -> str:
    await live.post("sys/policies/acl/maker", {"policy": MAKER})
    return await live.make_token(policies=["maker"])


@pytest.mark.parametrize(
    ("settings", "body", "message"),
    [
        pytest.param({}, {"policies": ["other"]}, "child policies must be subset of parent", id="the_parents_policies"),
        pytest.param({"orphan": True}, {"policies": ["root"]}, "subset of parent", id="no_root"),
        pytest.param({"allowed_policies": "root"}, {}, "without parent token being root", id="not_even_if_allowed"),
        pytest.param({}, {"period": "1h"}, "required to create periodic token", id="no_period_of_ones_own"),
        pytest.param({}, {"id": "mine"}, "required to specify token id", id="no_text_of_ones_own"),
    ],
)
async def test_a_role_without_rules_gives_no_more_than_the_parent_has(
    live: Live, settings: dict[str, Any], body: dict[str, Any], message: str
) -> None:
    answer = await make(live, settings, body, await maker(live))
    assert answer.status == 400
    assert message in answer.body["errors"][0]


async def test_a_role_may_give_more_than_the_parent_has(live: Live) -> None:
    made = await make(live, {"allowed_policies": "a", "token_num_uses": 3}, {"num_uses": 2}, await maker(live))
    assert made.auth["policies"] == ["a", "default"]
    assert made.auth["num_uses"] == 2


async def test_names_of_roles_differ_by_case(live: Live) -> None:
    await live.post("auth/token/roles/Made", {})
    assert (await live.get("auth/token/roles/Made")).data["name"] == "Made"
    assert (await live.get("auth/token/roles/made")).status == 404
    assert (await live.post("auth/token/roles/a@b", {})).status == 404


async def test_a_renewal_takes_the_present_limits_of_the_role(live: Live) -> None:
    made = await make(live, {"token_period": "1h", "allowed_policies": "a"}, {})
    token = made.auth["client_token"]
    assert made.auth["lease_duration"] == HOUR
    assert "period" not in (await live.get("auth/token/lookup-self", token=token)).data
    await live.post("auth/token/roles/Made", {"token_period": "5m"})
    assert (await live.post("auth/token/renew-self", token=token)).auth["lease_duration"] == 300
    await live.post("auth/token/roles/Made", {"token_explicit_max_ttl": "1m"})
    assert (await live.post("auth/token/renew-self", token=token)).auth["lease_duration"] == 60
    await live.delete("auth/token/roles/Made")
    refused = await live.post("auth/token/renew-self", token=token)
    assert (refused.status, "original token role" in refused.body["errors"][0]) == (400, True)


async def test_a_renewal_that_asks_for_nothing_grants_what_the_last_did(live: Live) -> None:
    token = await live.make_token(policies=["default"], ttl="1h")
    granted = []
    for increment in (None, "2h", None, "10m", 0):
        body = {} if increment is None else {"increment": increment}
        granted.append((await live.post("auth/token/renew-self", body, token=token)).auth["lease_duration"])
    assert granted == [HOUR, 2 * HOUR, 2 * HOUR, 600, 600]


async def test_a_renewal_by_accessor_tells_no_token_and_makes_none(live: Live) -> None:
    made = await live.post("auth/token/create", {"policies": ["default"], "ttl": "1h"})
    before = await live.list("auth/token/accessors")
    renewed = await live.post("auth/token/renew-accessor", {"accessor": made.auth["accessor"], "increment": "2h"})
    assert (renewed.auth["client_token"], renewed.auth["accessor"]) == ("", made.auth["accessor"])
    assert renewed.auth["lease_duration"] == 2 * HOUR
    assert (await live.list("auth/token/accessors")).data == before.data


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param("", "token", id="none"),
        pytest.param("token", "token-token", id="the_default_spelled_out"),
        pytest.param("my name!", "token-my-name", id="odd_signs"),
        pytest.param("tökén", "token-t-k-n", id="letters_of_others"),
        pytest.param("a--b_c", "token-a--b-c", id="an_underscore"),
    ],
)
async def test_the_display_name(live: Live, name: str, shown: str) -> None:
    token = await live.make_token(policies=["default"], display_name=name)
    assert (await live.get("auth/token/lookup-self", token=token)).data["display_name"] == shown


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param({"id": "taken"}, "cannot create a token with a duplicate ID", id="a_text_that_is_taken"),
        pytest.param({"id": "hvs.x"}, "cannot have the 'hvs.' prefix", id="a_text_like_the_servers"),
        pytest.param({"id": "s.x"}, "cannot have the 's.' prefix", id="a_text_like_the_servers_older"),
        pytest.param({"policies": ["response-wrapping"]}, 'cannot assign policy "response-wrapping"', id="wrapping"),
        pytest.param({"type": "batch", "num_uses": 1}, 'batch tokens cannot have "num_uses" set', id="batch_uses"),
        pytest.param({"type": "batch", "period": 1}, 'batch tokens cannot have "period" set', id="batch_period"),
        pytest.param({"type": "batch", "explicit_max_ttl": 1}, 'cannot have "explicit_max_ttl" set', id="batch_end"),
        pytest.param({"type": "batch", "policies": ["root"]}, "batch tokens cannot be root tokens", id="batch_root"),
        pytest.param({"type": "x"}, "invalid 'token_type' value", id="an_unknown_type"),
    ],
)
async def test_what_root_cannot_make_either(live: Live, body: dict[str, Any], message: str) -> None:
    await live.make_token(policies=["default"], id="taken")
    answer = await live.post("auth/token/create", {"policies": ["default"]} | body)
    assert answer.status == 400
    assert message in answer.body["errors"][0]


async def test_sudo_may_choose_the_text_and_anybody_with_the_path_makes_orphans(live: Live) -> None:
    sudo = MAKER.replace('"read"', '"read", "sudo"')
    await live.post("sys/policies/acl/sudo", {"policy": sudo})
    powerful = await live.make_token(policies=["sudo"])
    assert await live.make_token(by=powerful, id="mine") == "mine"
    orphan = await live.post("auth/token/create-orphan", {"policies": ["maker"]}, token=await maker(live))
    assert orphan.auth["orphan"] is True


async def test_a_period_is_cut_like_a_ttl(live: Live) -> None:
    made = await live.post("auth/token/create", {"policies": ["default"], "period": "9000h"})
    assert made.auth["lease_duration"] == 768 * HOUR
    assert made.body["warnings"] == [
        'period of "9000h" exceeded the effective max_ttl of "768h"; period value is capped accordingly'
    ]


async def test_a_mount_of_batch_tokens_makes_them_of_all_logins(live: Live) -> None:
    await live.post("sys/auth/up", {"type": "userpass", "config": {"token_type": "batch"}})
    await live.post("auth/up/users/u", {"password": "p", "token_num_uses": 3, "token_period": "1h"})
    login = await live.post("auth/up/login/u", {"password": "p"}, token="")
    assert (login.auth["token_type"], login.auth["num_uses"], login.auth["renewable"]) == ("batch", 0, False)
    assert login.auth["lease_duration"] == 768 * HOUR


async def test_a_wrapped_secret_id_tells_its_accessor(live: Live) -> None:
    await live.post("sys/auth/ar", {"type": "approle"})
    await live.post("auth/ar/role/r", {})
    made = await live.post("auth/ar/role/r/secret-id", {}, wrap_ttl=60)
    accessors = await live.list("auth/ar/role/r/secret-id")
    assert made.body["wrap_info"]["wrapped_accessor"] == accessors.data["keys"][0]


async def test_a_login_without_policies_shows_none_of_the_tokens_own(live: Live) -> None:
    await live.post("sys/auth/up", {"type": "userpass"})
    await live.post("auth/up/users/u", {"password": "p", "token_no_default_policy": True})
    login = await live.post("auth/up/login/u", {"password": "p"}, token="")
    assert login.auth["policies"] == []
    assert "token_policies" not in login.auth


@pytest.mark.parametrize("path", ["login/u@d", "login/-u", "login/a/b"])
async def test_a_login_with_a_name_that_cannot_be_is_no_path(live: Live, path: str) -> None:
    await live.post("sys/auth/up", {"type": "userpass"})
    answer = await live.post(f"auth/up/{path}", {"password": "p"}, token="")
    assert (answer.status, "unsupported path" in answer.body["errors"][0]) == (404, True)
    assert (await live.post("auth/up/users/u@d", {"password": "p"}, token="")).status == 403
