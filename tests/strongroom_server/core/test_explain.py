"""policy explain: which rule decides, what else fits, and what would have to be added."""

from typing import Any

import pytest

from strongroom_server.core.acl import compile_acl
from strongroom_server.core.explain import Question, explain
from strongroom_server.core.policies import parse_policy
from tests.strongroom_server.core.identity.people import group, login, userpass
from tests.strongroom_server.live import Live

APP = """\
path "secret/data/app/*" {
  capabilities = ["read", "list"]
}
path "secret/data/+/locked" {
  capabilities = ["deny"]
}
path "secret/data/app/exact" { capabilities = ["read"] }
path "secret/data/app/denied" { capabilities = ["deny"] }
path "secret/data/app/conditional" {
  capabilities = ["update"]
  required_parameters = ["owner"]
}
path "secret/metadata/app" { capabilities = ["read"] }
"""
MORE = 'path "secret/data/*" { capabilities = ["delete"] }'


def asked(operation: str, path: str, **rest: Any) -> dict[str, Any]:
    policies = [parse_policy("app", APP), parse_policy("more", MORE)]
    return explain(compile_acl(policies, 0), Question(operation, path, **rest))


def test_what_is_allowed_names_its_rule_and_what_it_stands_above() -> None:
    answer = asked("read", "secret/data/app/x")
    assert answer["allowed"]
    assert answer["reason"] == 'the rule for "secret/data/app/*" grants "read"'
    assert answer["rule"]["sources"] == [
        {"policy": "app", "line": 1, "path": "secret/data/app/*", "capabilities": ["read", "list"]}
    ]
    assert [rule["path"] for rule in answer["also_matched"]] == ["secret/data/*"]
    assert (answer["missing_capabilities"], answer["add"], answer["advice"]) == ([], "", "")


@pytest.mark.parametrize(
    ("operation", "path", "add", "advice"),
    [
        pytest.param("read", "kv/x", 'path "kv/x" {\n  capabilities = ["read"]\n}\n', "Add the rule to one",
                     id="nothing_fits"),
        pytest.param("update", "secret/data/app/x",
                     'path "secret/data/app/x" {\n  capabilities = ["read", "update", "list"]\n}\n', "add up",
                     id="a_pattern_without_it_is_repeated_for_the_path"),
        pytest.param("update", "secret/data/app/exact",
                     'path "secret/data/app/exact" {\n  capabilities = ["update"]\n}\n', "add up",
                     id="an_exact_rule_without_it_is_added_to"),
        pytest.param("read", "secret/data/team/locked",
                     'path "secret/data/team/locked" {\n  capabilities = ["read"]\n}\n', 'in "app" (line 4)',
                     id="a_pattern_denies"),
        pytest.param("list", "secret/metadata/other", 'path "secret/metadata/other/" {\n  capabilities = ["list"]\n}\n',
                     "Add the rule", id="a_list_ends_in_a_slash"),
    ],
)  # fmt: skip
def test_what_would_have_to_be_added(operation: str, path: str, add: str, advice: str) -> None:
    answer = asked(operation, path)
    assert not answer["allowed"]
    assert answer["add"] == add
    assert advice in answer["advice"]
    policies = [parse_policy("app", APP), parse_policy("more", MORE), parse_policy("new", add)]
    assert explain(compile_acl(policies, 0), Question(operation, path))["allowed"]


def test_a_deny_of_the_very_path_must_go() -> None:
    answer = asked("read", "secret/data/app/denied")
    assert answer["reason"] == "the rule denies everything"
    assert 'Remove it from "app" (line 8) first' in answer["advice"]


def test_a_condition_is_told_and_no_rule_is_offered() -> None:
    answer = asked("update", "secret/data/app/conditional")
    assert answer["reason"] == 'the required parameter "owner" is missing'
    assert (answer["missing_capabilities"], answer["add"]) == ([], "")
    assert asked("update", "secret/data/app/conditional", data={"owner": "me"})["allowed"]


def test_sudo_is_missed_too() -> None:
    assert asked("read", "secret/data/app/x", sudo=True)["missing_capabilities"] == ["sudo"]


# -- over the API --------------------------------------------------------------------------------------------------


async def ask(live: Live, body: dict[str, Any], token: str | None = None, path: str = "explain") -> Any:
    return await live.post(f"sys/policies/{path}", body, token=token)


async def test_a_tokens_requests(live: Live) -> None:
    await live.post("sys/policies/acl/app", {"policy": APP})
    token = await live.make_token(policies=["app"])
    accessor = (await live.get("auth/token/lookup-self", token=token)).data["accessor"]
    for whose in ({"token": token}, {"accessor": accessor}, {"policies": ["app"]}):
        answer = (await ask(live, {**whose, "path": "secret/data/app/x", "operation": "delete"})).data
        assert answer["allowed"] is False
        assert answer["rule"]["path"] == "secret/data/app/*"
        assert answer["missing_capabilities"] == ["delete"]
    assert (await live.get("secret/data/app/x", token=token)).status == 404
    assert (await live.delete("secret/data/app/x", token=token)).status == 403


async def test_ones_own_requests_may_be_explained_by_anyone(live: Live) -> None:
    token = await live.make_token(policies=["default"])
    answer = (await ask(live, {"path": "secret/data/x"}, token, "explain-self")).data
    assert (answer["allowed"], answer["policies"]) == (False, ["default"])
    assert (await ask(live, {"path": "x", "policies": ["root"]}, token)).status == 403


async def test_a_write_is_a_create_or_an_update(live: Live) -> None:
    await live.post("sys/policies/acl/up", {"policy": 'path "secret/data/*" { capabilities = ["update"] }'})
    body = {"policies": ["up"], "path": "secret/data/a", "operation": "write"}
    answer = (await ask(live, body)).data
    assert (answer["operation"], answer["missing_capabilities"]) == ("create", ["create"])
    await live.post("secret/data/a", {"data": {"x": 1}})
    assert (await ask(live, body)).data["allowed"] is True


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        pytest.param({"path": "secret/app"}, 'a secret\'s value is at "secret/data/app"', id="kv_version_2"),
        pytest.param({"path": "none/app"}, "no mount serves this path", id="no_mount"),
        pytest.param({"path": "/v1/sys/health"}, "needs no token", id="public"),
    ],
)
async def test_hints(live: Live, body: dict[str, Any], hint: str) -> None:
    assert hint in (await ask(live, {"policies": ["default"], **body})).data["hints"][0]


async def test_paths_that_ask_for_sudo(live: Live) -> None:
    await live.post("sys/policies/acl/audit", {"policy": 'path "sys/audit" { capabilities = ["read"] }'})
    answer = (await ask(live, {"policies": ["audit", "None"], "path": "sys/audit"})).data
    assert answer["missing_capabilities"] == ["sudo"]
    assert answer["add"] == 'path "sys/audit" {\n  capabilities = ["sudo"]\n}\n'
    assert answer["unknown_policies"] == ["none"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="no_path"),
        pytest.param({"path": "x", "operation": "brew"}, id="no_operation"),
        pytest.param({"path": "x", "token": "none"}, id="no_token"),
        pytest.param({"path": "x", "accessor": "none"}, id="no_accessor"),
        pytest.param({"path": "x", "token": "root", "policies": ["a"]}, id="two_of_them"),
    ],
)
async def test_refusals(live: Live, body: dict[str, Any]) -> None:
    assert (await ask(live, body)).status == 400


async def test_root_may_do_everything(live: Live) -> None:
    answer = (await ask(live, {"path": "secret/data/x", "operation": "delete"})).data
    assert (answer["allowed"], answer["rule"]) == (True, None)


TEMPLATED = """\
path "secret/data/{{identity.entity.name}}/*" { capabilities = ["read"] }
path "secret/data/team-{{identity.entity.metadata.team}}" { capabilities = ["read"] }
"""
OWN = TEMPLATED + 'path "sys/policies/explain-self" { capabilities = ["update"] }'


async def alice(live: Live, name: str = "alice", **metadata: str) -> str:
    """Log Alice in, who is called ``name``; returns her token."""
    await userpass(live)
    await live.post("sys/policies/acl/own", {"policy": OWN})
    auth = (await login(live)).auth
    await live.post(f"identity/entity/id/{auth['entity_id']}", {"name": name, "metadata": metadata})
    await live.post("sys/policies/acl/team", {"policy": 'path "secret/data/shared" { capabilities = ["read"] }'})
    await group(live, "team", member_entity_ids=[auth["entity_id"]], policies=["team"])
    token: str = auth["client_token"]
    return token


async def own(live: Live, token: str, path: str, **rest: Any) -> Any:
    return (await ask(live, {"path": path} | rest, token, "explain-self")).data


async def test_templates_and_policies_of_groups_count(live: Live) -> None:
    token = await alice(live)
    answer = await own(live, token, "secret/data/alice/x")
    assert (answer["allowed"], answer["rule"]["path"], answer["hints"]) == (True, "secret/data/alice/*", [])
    answer = await own(live, token, "secret/data/shared")
    assert (answer["allowed"], answer["rule"]["sources"][0]["policy"]) == (True, "team")


@pytest.mark.parametrize(
    ("name", "path", "hint"),
    [
        pytest.param("alice", "secret/data/bob/x", "", id="somebody_elses"),
        pytest.param("alice", "secret/data/team-blue", "line 2, is left out: the entity has no value for its template",
                     id="metadata_that_is_not_there"),
        pytest.param("a/b", "secret/data/a/b/x", "line 1, is left out: the value of {{identity.entity.name}}",
                     id="a_name_with_a_slash"),
    ],
)  # fmt: skip
async def test_rules_that_are_left_out_are_told(live: Live, name: str, path: str, hint: str) -> None:
    answer = await own(live, await alice(live, name), path)
    assert not answer["allowed"]
    assert hint in "".join(answer["hints"])
    assert bool(hint) is bool(answer["hints"])


async def test_a_set_of_policies_has_nothing_to_fill_templates_with(live: Live) -> None:
    await live.post("sys/policies/acl/own", {"policy": OWN})
    answer = (await ask(live, {"policies": ["own"], "path": "secret/data/alice/x"})).data
    assert 'the rule for "secret/data/{{identity.entity.name}}/*" in policy own' in answer["hints"][0]


async def test_a_deny_that_cannot_be_filled_in_is_told(live: Live) -> None:
    token = await alice(live, "a*b")
    text = 'path "secret/data/{{identity.entity.name}}/private" { capabilities = ["deny"] }'
    await live.post("sys/policies/acl/own", {"policy": text})
    answer = await ask(live, {"path": "secret/data/x", "token": token})
    assert (answer.status, "all requests of the token are refused" in answer.errors[0]) == (400, True)


CONDITIONS = """\
path "cubbyhole/x" {
  capabilities = ["create", "update"]
  required_parameters = ["owner"]
  denied_parameters = { "internal" = [], "tier" = ["s3cret"] }
}
path "cubbyhole/y" {
  capabilities = ["read"]
  min_wrapping_ttl = "10s"
  max_wrapping_ttl = "1m"
}
"""


async def test_conditions_of_the_rule_are_told_without_their_values(live: Live) -> None:
    await live.post("sys/policies/acl/c", {"policy": CONDITIONS})
    answer = (await ask(live, {"policies": ["c"], "path": "cubbyhole/x", "operation": "update"})).data
    assert answer["rule"]["conditions"] == [
        "needs the parameters owner", "denies the parameters internal, tier with some values",
    ]  # fmt: skip
    assert "s3cret" not in str(answer)
    body = {"policies": ["c"], "path": "cubbyhole/y"}
    assert (await ask(live, body)).data["reason"] == "the response must be wrapped for 60 seconds at most"
    assert (await ask(live, body | {"wrap_ttl": "30s"})).data["allowed"]


async def test_an_expired_token_is_told(live: Live) -> None:
    token = await live.make_token(ttl="1m")
    await live.clock.advance(61)
    answer = await ask(live, {"path": "secret/data/x", "token": token})
    assert (answer.status, answer.errors) == (400, ["the token is unknown or has expired: no policy can help it"])
