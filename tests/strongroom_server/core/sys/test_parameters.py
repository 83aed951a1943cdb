"""Parameters that an endpoint does not know, and lists of all depths, asked of OpenBao 2.7.2."""

from typing import Any

import pytest

from strongroom_server.sdk.request import Operation
from tests.strongroom_server.live import Live

IGNORED = "Endpoint ignored these unrecognized parameters: [a b]"
REPLACED = "Endpoint replaced the value of these parameters with the values captured from the endpoint's path: [name]"


@pytest.mark.parametrize(
    ("operation", "path", "body", "warnings"),
    [
        pytest.param("get", "sys/mounts", {"b": 1, "a": 2}, [IGNORED], id="read"),
        pytest.param("list", "sys/policies/acl", {"b": 1, "a": 2}, [IGNORED], id="list"),
        pytest.param("post", "auth/token/create", {"b": 1, "a": 2}, [IGNORED], id="write_that_answers"),
        pytest.param("get", "sys/policies/acl/default", {"name": "x"}, [REPLACED], id="what_the_path_says"),
        pytest.param("get", "sys/policies/acl/default", {"policy": "x"}, None, id="what_a_write_takes"),
        pytest.param("post", "sys/capabilities-self", {"path": "x"}, None, id="an_older_name"),
        pytest.param("get", "cubbyhole/x", {"a": 1}, [IGNORED.replace("a b", "a")], id="read_of_what_anyone_may_write"),
    ],
)
async def test_warnings(
    live: Live, operation: str, path: str, body: dict[str, Any], warnings: list[str] | None
) -> None:
    await live.post("cubbyhole/x", {"k": "v"})
    answer = await getattr(live, operation)(path, body=body)
    assert (answer.status, answer.body["warnings"]) == (200, warnings)


async def test_an_empty_answer_stays_empty(live: Live) -> None:
    body = {"policy": 'path "a" { capabilities = ["read"] }', "other": 1}
    assert (await live.post("sys/policies/acl/p", body)).status == 204


@pytest.fixture
async def filled(live: Live) -> Live:
    await live.post("sys/mounts/old", {"type": "kv"})
    for name in ("a/b/c", "a/d", "e", "a/b/f"):
        await live.post(f"secret/data/{name}", {"data": {"k": "v"}})
        await live.post(f"old/{name}", {"k": "v"})
    return live


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        pytest.param("old/", ["e", "a/d", "a/b/c", "a/b/f"], id="version_1"),
        pytest.param("old/a/", ["d", "b/c", "b/f"], id="below_a_folder"),
        pytest.param("secret/metadata/", ["e", "a/d", "a/b/c", "a/b/f"], id="version_2"),
        pytest.param("secret/metadata/a/b/", ["c", "f"], id="version_2_below_a_folder"),
        pytest.param("secret/detailed-metadata/a/", ["d", "b/c", "b/f"], id="with_histories"),
    ],
)
async def test_all_depths_are_listed(filled: Live, path: str, keys: list[str]) -> None:
    data = (await filled.ask(Operation.SCAN, path)).data
    assert data["keys"] == keys
    assert "detailed" not in path or data["key_info"]["b/c"]["current_version"] == 1


async def test_nothing_below_is_no_error_and_not_every_path_can(filled: Live) -> None:
    assert (await filled.ask(Operation.SCAN, "secret/metadata/x/")).data == {}
    assert (await filled.ask(Operation.SCAN, "cubbyhole/")).status == 405


@pytest.mark.parametrize(
    ("capability", "operation", "status"),
    [
        pytest.param("scan", Operation.SCAN, 200, id="who_may_scan"),
        pytest.param("list", Operation.SCAN, 403, id="who_may_only_list"),
        pytest.param("scan", Operation.LIST, 403, id="who_may_only_scan"),
    ],
)
async def test_a_capability_of_its_own(filled: Live, capability: str, operation: Operation, status: int) -> None:
    await filled.post(
        "sys/policies/acl/p", {"policy": f'path "secret/metadata/a" {{ capabilities = ["{capability}"] }}'}
    )
    token = await filled.make_token(policies=["p"])
    assert (await filled.ask(operation, "secret/metadata/a/", token=token)).status == status


async def test_a_quota_is_written_whole(live: Live) -> None:
    path = "sys/quotas/rate-limit/q"
    await live.post(path, {"rate": 10, "path": "secret", "interval": "2m"})
    await live.post(path, {"rate": 20, "interval": 0})
    data = (await live.get(path)).data
    assert (data["rate"], data["path"], data["interval"], data["inheritable"]) == (20, "", 1, True)


async def test_a_quota_by_role_wants_a_method_with_roles(live: Live) -> None:
    answer = await live.post("sys/quotas/rate-limit/q", {"rate": 10, "path": "auth/token", "role": "x"})
    assert (answer.status, "'role'" in answer.errors[0]) == (400, True)
