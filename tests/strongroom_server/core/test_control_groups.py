"""Requests that wait until others have approved them."""

import asyncio
import json
from typing import Any

import pytest

from strongroom_server.core.approvals import Approver, Factor, met
from strongroom_server.core.policies import parse_policy
from tests.strongroom_server.core.identity.people import HASH, group
from tests.strongroom_server.live import Answer, Live

_ASKED = """
path "kv/one" {
  capabilities = ["create", "read", "update", "delete"]
  control_group = {
    ttl = "4h"
    factor "manager" {
      identity {
        group_names = ["Managers"]
        approvals = 1
      }
    }
  }
}
path "kv/two" {
  capabilities = ["create", "read", "update"]
  control_group = {
    factor "both" {
      controlled_capabilities = ["update"]
      identity {
        group_names = ["managers", "leads"]
        approvals = 2
      }
    }
  }
}
path "kv/own" {
  capabilities = ["read"]
  control_group {
    factor "own" {
      identity {
        group_names = ["askers"]
        approvals = 1
        self_authorization = false
      }
    }
  }
}
"""
_APPROVES = 'path "sys/control-group/*" { capabilities = ["update"] }'
WRAPPING = "wrapping token is not valid or does not exist"


class World:
    """Alice asks; the manager, the lead and others may approve."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.tokens: dict[str, str] = {}
        self.ids: dict[str, str] = {}

    async def add(self, name: str) -> None:
        await self.live.post(f"auth/up/users/{name}", {"password_hash": HASH, "token_policies": [name, "approves"]})
        auth = (await self.live.post(f"auth/up/login/{name}", {"password": "pw"}, token="")).auth
        self.tokens[name], self.ids[name] = auth["client_token"], auth["entity_id"]

    async def ask(self, operation: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send a request that waits; returns how it was wrapped."""
        answer: Answer = await getattr(self.live, operation)(path, body=body, token=self.tokens["alice"])
        assert answer.status == 200, answer
        assert answer.body["data"] is None
        found: dict[str, Any] = answer.body["wrap_info"]
        return found

    async def approve(self, waiting: dict[str, Any], who: str) -> Answer:
        body = {"accessor": waiting["accessor"]}
        return await self.live.post("sys/control-group/authorize", body, token=self.tokens[who])

    async def about(self, waiting: dict[str, Any], who: str = "manager") -> Any:
        body = {"accessor": waiting["accessor"]}
        return (await self.live.post("sys/control-group/request", body, token=self.tokens[who])).data

    async def open(self, waiting: dict[str, Any], who: str = "alice") -> Answer:
        return await self.live.post("sys/wrapping/unwrap", {"token": waiting["token"]}, token=self.tokens[who])


@pytest.fixture
async def world(live: Live) -> World:
    world = World(live)
    await live.post("sys/auth/up", {"type": "userpass"})
    await live.post("sys/policies/acl/alice", {"policy": _ASKED})
    await live.post("sys/policies/acl/approves", {"policy": _APPROVES})
    await live.post("sys/mounts/kv", {"type": "kv"})
    for name in ("one", "two", "own"):
        await live.post(f"kv/{name}", {"x": name})
    for name in ("alice", "manager", "lead", "other"):
        await world.add(name)
    await group(live, "managers", member_entity_ids=[world.ids["manager"]])
    await group(live, "leads", member_entity_ids=[world.ids["lead"], world.ids["manager"]])
    await group(live, "askers", member_entity_ids=[world.ids["alice"]])
    return world


async def test_a_request_waits_for_its_approval(world: World) -> None:
    waiting = await world.ask("get", "kv/one")
    assert (waiting["ttl"], waiting["creation_path"]) == (4 * 3600, "kv/one")
    early = await world.open(waiting)
    assert (early.status, early.errors) == (400, [WRAPPING])
    assert (await world.about(waiting)) == {
        "approved": False, "request_operation": "read", "request_path": "kv/one", "request_data": None,
        "request_entity": {"id": world.ids["alice"], "ID": world.ids["alice"], "name": await name_of(world, "alice")},
        "authorizations": [],
    }  # fmt: skip
    assert (await world.approve(waiting, "manager")).data == {"approved": True}
    assert (await world.about(waiting))["authorizations"] == [
        {"entity_id": world.ids["manager"], "entity_name": await name_of(world, "manager")}
    ]
    assert (await world.open(waiting)).data == {"x": "one"}
    assert (await world.open(waiting)).errors == [WRAPPING]


async def name_of(world: World, who: str) -> str:
    name: str = (await world.live.get(f"identity/entity/id/{world.ids[who]}")).data["name"]
    return name


async def test_a_write_is_done_when_it_is_approved(world: World) -> None:
    waiting = await world.ask("post", "kv/two", {"x": "new"})
    shown = {who: (await world.about(waiting, who))["request_data"] for who in ("alice", "lead", "other")}
    assert shown == {"alice": {"x": "new"}, "lead": {"x": "new"}, "other": None}
    assert (await world.approve(waiting, "manager")).data == {"approved": False}
    assert (await world.open(waiting)).status == 400
    assert (await world.live.get("kv/two")).data == {"x": "two"}
    assert (await world.approve(waiting, "lead")).data == {"approved": True}
    opened = await world.live.post("sys/wrapping/unwrap", token=waiting["token"])  # the token itself may ask
    assert opened.status == 204
    assert (await world.live.get("kv/two")).data == {"x": "new"}


async def test_what_no_factor_is_for_does_not_wait(world: World) -> None:
    assert (await world.live.get("kv/two", token=world.tokens["alice"])).data == {"x": "two"}


async def test_the_first_of_many_opens_it(world: World) -> None:
    waiting = await world.ask("delete", "kv/one")
    await world.approve(waiting, "manager")
    answers = await asyncio.gather(*(world.open(waiting, "other") for _ in range(10)))
    assert sorted(answer.status for answer in answers) == [204, *[400] * 9]


@pytest.mark.parametrize(
    ("who", "status", "data"),
    [
        pytest.param("other", 200, {"approved": False}, id="somebody_whom_nobody_asked"),
        pytest.param("lead", 200, {"approved": False}, id="a_member_of_another_group"),
        pytest.param("alice", 200, {"approved": False}, id="the_requester_whom_nobody_asked"),
    ],
)
async def test_whose_approval_does_not_count(world: World, who: str, status: int, data: Any) -> None:
    waiting = await world.ask("get", "kv/one")
    answer = await world.approve(waiting, who)
    assert (answer.status, answer.data) == (status, data)
    assert (await world.about(waiting))["authorizations"] == []
    assert (await world.open(waiting)).status == 400


async def test_nobody_approves_twice_or_without_a_name(world: World) -> None:
    waiting = await world.ask("post", "kv/two", {"x": "new"})
    await world.approve(waiting, "manager")
    assert (await world.approve(waiting, "manager")).errors == ["approver has already authorized"]
    body = {"accessor": waiting["accessor"]}
    assert (await world.live.post("sys/control-group/authorize", body)).status == 400  # root has no entity
    assert (await world.open(waiting)).status == 400


@pytest.mark.parametrize(
    ("policy", "allowed"),
    [
        pytest.param(_ASKED, False, id="not_said"),
        pytest.param(_ASKED.replace("tion = false", "tion = true"), True, id="said_of_the_factor"),
        pytest.param(_ASKED.replace('factor "own"', 'self_auth_allowed = true\n factor "own"'), True, id="said_of_all"),
    ],
)
async def test_requesters_approve_for_themselves_only_where_the_policy_says_so(
    world: World, policy: str, allowed: bool
) -> None:
    await world.live.post("sys/policies/acl/alice", {"policy": policy})
    waiting = await world.ask("get", "kv/own")
    answer = await world.approve(waiting, "alice")
    assert answer.status == (200 if allowed else 400)
    assert (await world.open(waiting)).status == (200 if allowed else 400)


@pytest.mark.parametrize("event", ["left", "disabled", "policy", "revoked", "stricter", "late", "gone"])
async def test_what_ends_an_approval(world: World, event: str) -> None:
    waiting = await world.ask("get", "kv/one")
    assert (await world.approve(waiting, "manager")).data == {"approved": True}
    live = world.live
    match event:
        case "left":
            await live.post("identity/group", {"name": "managers", "member_entity_ids": []})
        case "disabled":
            await live.post(f"identity/entity/id/{world.ids['manager']}", {"disabled": True})
        case "policy":
            await live.post("sys/policies/acl/alice", {"policy": 'path "kv/one" { capabilities = ["deny"] }'})
        case "revoked":
            await live.post("auth/token/revoke", {"token": world.tokens["alice"]})
        case "stricter":
            await live.post("sys/policies/acl/alice", {"policy": _ASKED.replace('["Managers"]', '["leads"]')})
            await live.post("identity/group", {"name": "leads", "member_entity_ids": []})
        case "late":
            await live.clock.advance(4 * 3600 + 1)
        case _:
            await live.delete(f"identity/entity/id/{world.ids['manager']}")
    assert (await world.open(waiting, "other")).status in {400, 403}


@pytest.mark.parametrize("path", ["wrapping/lookup", "wrapping/rewrap"])
async def test_there_is_no_answer_yet_to_look_at(world: World, path: str) -> None:
    waiting = await world.ask("get", "kv/one")
    answer = await world.live.post(f"sys/{path}", {"token": waiting["token"]})
    assert (answer.status, answer.errors) == (400, [WRAPPING])


@pytest.mark.parametrize("path", ["authorize", "request"])
@pytest.mark.parametrize("accessor", ["", "nosuch", "alice", "wrapped"])
async def test_accessors_of_what_does_not_wait(world: World, path: str, accessor: str) -> None:
    live = world.live
    if accessor == "alice":
        accessor = (await live.get("auth/token/lookup-self", token=world.tokens["alice"])).data["accessor"]
    if accessor == "wrapped":
        accessor = (await live.post("sys/wrapping/wrap", {"a": "b"}, wrap_ttl=60)).body["wrap_info"]["accessor"]
    body = {"accessor": accessor}
    assert (await live.post(f"sys/control-group/{path}", body, token=world.tokens["manager"])).status == 400


async def test_who_has_no_right_to_approve_does_not(world: World) -> None:
    waiting = await world.ask("get", "kv/one")
    token = await world.live.make_token(policies=["default"])
    for path, status in (("authorize", 403), ("request", 200)):  # the default policy lets everybody ask
        body = {"accessor": waiting["accessor"]}
        assert (await world.live.post(f"sys/control-group/{path}", body, token=token)).status == status


async def test_root_waits_for_nobody(world: World) -> None:
    assert (await world.live.get("kv/one")).data == {"x": "one"}


async def test_a_request_survives_a_restart(world: World) -> None:
    waiting = await world.ask("get", "kv/one")
    await world.live.post("sys/seal")
    await world.live.post("sys/unseal", {"key": world.live.unseal_key}, token="")
    assert (await world.approve(waiting, "manager")).data == {"approved": True}
    assert (await world.open(waiting)).data == {"x": "one"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("{ }", "requires at least one factor but had none", id="nothing"),
        pytest.param('"x"', "should be a block", id="a_text"),
        pytest.param("{ foo = 1 }", 'invalid key "foo"', id="an_unknown_key"),
        pytest.param('{ factor "x" { } }', "factor 0: missing approving groups", id="nobody_to_ask"),
        pytest.param('{ factor "x" { foo = 1 } }', 'factor 0: invalid key "foo"', id="an_unknown_key_of_a_factor"),
        pytest.param('{ factor "x" { identity { foo = 1 } } }', 'invalid key "foo"', id="an_unknown_key_of_groups"),
        pytest.param('{ factor "x" { identity { group_names = ["a"] } } }', "missing required approvals", id="none"),
        pytest.param(
            '{ factor "x" { controlled_capabilities = ["x"] } }', 'invalid capability "x"', id="no_capability"
        ),
        pytest.param('{ factor "x" { controlled_capabilities = ["deny"] } }', 'invalid capability "deny"', id="deny"),
        pytest.param("{ self_auth_allowed = 3 }", "self_auth_allowed should be true or false", id="no_flag"),
        pytest.param('{ ttl = "x" }', "error parsing ttl", id="no_duration"),
    ],
)
def test_what_is_no_control_group(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="control_group") as error:
        parse_policy("p", f'path "a" {{ capabilities = ["read"]\n control_group = {text} }}')
    assert message in str(error.value)


def test_a_control_group_in_json() -> None:
    factor = {"controlled_capabilities": ["read"], "identity": {"group_names": ["g"], "approvals": 2}}
    rule = {"capabilities": ["read"], "control_group": {"ttl": "1h", "factor": {"f": factor}}}
    text = json.dumps({"path": {"a": rule}})
    found = parse_policy("p", text).rules[0].control_group
    assert found is not None
    assert (found.ttl, found.factors[0].name, found.factors[0].approvals) == (3600, "f", 2)


def test_an_approval_is_good_for_as_long_as_the_factor_says() -> None:
    factor = Factor("f", frozenset({"g"}), frozenset(), 1, ttl=60)
    approvers = [Approver("e", 100, {"1": "G"})]
    assert met([factor], approvers, "r", 160)
    assert not met([factor], approvers, "r", 161)
    assert not met([factor], [Approver("e", 100, {"1": "other"})], "r", 100)
