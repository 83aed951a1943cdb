"""sys/policies as its callers see it, asked of OpenBao 2.7.2."""

from typing import Any

import pytest

from strongroom_server.sdk.request import Operation
from tests.strongroom_server.live import Answer, Live

RULES = 'path "a" { capabilities = ["read"] }'


async def _write(live: Live, name: str = "p", **body: Any) -> Answer:
    return await live.post(f"sys/policies/acl/{name}", {"policy": RULES, **body})


async def _patch(live: Live, name: str, **body: Any) -> Answer:
    return await live.ask(Operation.PATCH, f"sys/policies/acl/{name}", body)


async def test_a_policy_shows_its_version_and_terms(live: Live) -> None:
    await _write(live)
    assert (await live.get("sys/policies/acl/p")).data == {"name": "p", "policy": RULES}  # nothing else was said
    await _write(live, allow_slashes_in_identity_templates=True)
    data = (await live.get("sys/policies/acl/p")).data
    assert data.pop("modified").endswith("Z")
    assert data == {
        "name": "p", "policy": RULES, "version": 2, "cas_required": False,
        "allow_slashes_in_identity_templates": True, "allow_wildcards_in_identity_templates": False,
    }  # fmt: skip
    assert (await live.get("sys/policy/p")).data["rules"] == RULES
    detailed = (await live.list("sys/policies/detailed/acl")).data["key_info"]
    assert {name: row["version"] for name, row in detailed.items()} == {"default": 1, "p": 2, "root": 0}


@pytest.mark.parametrize(
    ("body", "error"),
    [
        pytest.param({"cas": 1}, "", id="on_the_present_version"),
        pytest.param({}, "check-and-set parameter required for this call", id="without_a_version_where_one_is_wanted"),
        pytest.param({"cas": 7}, "check-and-set parameter 7 did not match the current version 1", id="on_another"),
        pytest.param({"cas": -1}, "check-and-set parameter set to -1 on existing entry", id="as_the_first"),
        pytest.param({"cas": "x"}, "cas", id="no_number"),
    ],
)
async def test_check_and_set(live: Live, body: dict[str, Any], error: str) -> None:
    assert (await _write(live, cas=-1, cas_required=True)).status == 204
    answer = await _write(live, **body)
    assert answer.status == (400 if error else 204)
    assert not error or error in answer.errors[0]
    assert (await live.get("sys/policies/acl/p")).data["version"] == (1 if error else 2)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        pytest.param({"cas_required": True}, "check-and-set parameter required", id="cas_required_without_cas"),
        pytest.param({"cas": 5}, "did not match the current version 0", id="cas_of_what_is_not_there"),
        pytest.param({"ttl": 0}, "expiration time has already elapsed", id="no_time_at_all"),
        pytest.param({"expiration": "1970-01-01T00:00:01Z"}, "already elapsed", id="an_end_in_the_past"),
        pytest.param({"expiration": "soon"}, "expiration", id="no_moment"),
        pytest.param({"expiration": "9" * 20}, "expiration", id="no_second_of_any_year"),
        pytest.param({"expiration": "9999-12-31T23:59:59-12:00"}, "expiration", id="a_moment_after_the_last"),
        pytest.param({"expiration": "2090-01-01T00:00:00Z", "ttl": "1h"}, "cannot supply both", id="two_ends"),
        pytest.param({"policy": ""}, "'policy' parameter not supplied or empty", id="no_text"),
    ],
)
async def test_writes_that_are_refused(live: Live, body: dict[str, Any], error: str) -> None:
    live.clock.time = 100
    answer = await _write(live, **body)
    assert (answer.status, error in answer.errors[0]) == (400, True), answer
    assert (await live.get("sys/policies/acl/p")).status == 404


async def test_a_policy_ends(live: Live) -> None:
    await _write(live, ttl="1h")
    token = await live.make_token(policies=["p"])
    assert (await live.post("sys/capabilities", {"token": token, "path": "a"})).data["capabilities"] == ["read"]
    live.clock.time += 3600
    assert (await live.post("sys/capabilities", {"token": token, "path": "a"})).data["capabilities"] == ["deny"]
    assert (await live.get("sys/policies/acl/p")).status == 404
    assert "p" not in (await live.list("sys/policies/acl")).data["keys"]
    assert (await _write(live, cas=-1)).status == 204


async def test_a_patch_leaves_what_it_does_not_name(live: Live) -> None:
    await _write(live, cas=0, cas_required=True, ttl="1h")
    end = (await live.get("sys/policies/acl/p")).data["expiration"]
    answer = await _patch(live, "p", cas=1, policy=RULES + "\n")
    assert (answer.status, answer.body["data"]) == (200, None)
    data = (await live.get("sys/policies/acl/p")).data
    assert (data["policy"], data["version"], data["cas_required"], data["expiration"]) == (RULES + "\n", 2, True, end)
    assert (await _patch(live, "p", cas=2, ttl="2h")).status == 200
    assert (await live.get("sys/policies/acl/p")).data["policy"] == RULES + "\n"


@pytest.mark.parametrize(
    ("name", "body", "error"),
    [
        pytest.param("other", {"policy": RULES}, "policy not found", id="none_there"),
        pytest.param("root", {"policy": RULES}, 'cannot update "root" policy', id="root"),
        pytest.param("p", {"policy": ""}, "'policy' parameter not supplied or empty", id="no_text"),
        pytest.param("p", {"policy": "xx"}, "failed to parse policy", id="no_policy"),
    ],
)
async def test_patches_that_are_refused(live: Live, name: str, body: dict[str, Any], error: str) -> None:
    await _write(live)
    answer = await _patch(live, name, **body)
    assert (answer.status, error in answer.errors[0]) == (400, True), answer


async def test_lists_go_into_folders(live: Live) -> None:
    for name in ("p", "a/b", "a/c/d"):
        await _write(live, name)
    assert (await live.list("sys/policies/acl")).data["keys"] == ["a/b", "a/c/d", "default", "p", "root"]
    assert (await live.list("sys/policy")).data == (await live.get("sys/policy")).data
    for path in ("sys/policies/acl/a", "sys/policy/a"):
        assert (await live.list(path)).data["keys"] == ["a/b", "a/c/d"]
    detailed = (await live.list("sys/policies/detailed/acl/a")).data
    assert detailed["key_info"]["a/b"]["policy"] == RULES
    assert (await live.list("sys/policies/detailed/acl")).data["key_info"]["root"]["policy"] == ""
    assert (await live.list("sys/policies/acl/other")).status == 404


@pytest.mark.parametrize(
    ("flags", "capabilities"),
    [
        pytest.param({}, ["deny"], id="never_by_itself"),
        pytest.param({"allow_slashes_in_identity_templates": True}, ["read"], id="where_the_policy_says_so"),
        pytest.param(
            {"allow_wildcards_in_identity_templates": True}, ["deny"], id="not_where_it_allows_something_else"
        ),
    ],
)
async def test_a_slash_in_the_value_of_a_template(live: Live, flags: dict[str, bool], capabilities: list[str]) -> None:
    policy = 'path "s/{{identity.entity.metadata.home}}/x" { capabilities = ["read"] }'
    await live.post("sys/policies/acl/p", {"policy": policy, **flags})
    made = await live.post("identity/entity", {"name": "ann", "policies": ["p"], "metadata": {"home": "a/b"}})
    await live.post("sys/auth/userpass", {"type": "userpass"})
    await live.post("auth/userpass/users/ann", {"password": "pw"})
    accessor = (await live.get("sys/auth")).data["userpass/"]["accessor"]
    alias = {"name": "ann", "canonical_id": made.data["id"], "mount_accessor": accessor}
    await live.post("identity/entity-alias", alias)
    token = (await live.post("auth/userpass/login/ann", {"password": "pw"})).auth["client_token"]
    answer = await live.post("sys/capabilities", {"token": token, "path": "s/a/b/x"})
    assert answer.data["capabilities"] == capabilities


async def test_who_names_versions_sees_them(live: Live) -> None:
    await _write(live)
    assert "version" not in (await live.get("sys/policies/acl/p")).data
    await _write(live, cas=1)
    assert (await live.get("sys/policies/acl/p")).data["version"] == 2
