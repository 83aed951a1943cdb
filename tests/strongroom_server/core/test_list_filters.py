"""Lists that show what their reader may read, and nothing else."""

import pytest

from tests.strongroom_server.live import Live

SAME = "{{ .path }}{{ .key }}"
RULES = 'path "kv/a" { capabilities = ["read"] }\npath "kv/b" { capabilities = ["list", "update"] }\n'


async def listed(live: Live, *policies: str, path: str = "kv/") -> list[str]:
    """List as somebody with these policies; returns the keys."""
    names = [f"p{number}" for number, _ in enumerate(policies)]
    for name, text in zip(names, policies, strict=True):
        answer = await live.post(f"sys/policies/acl/{name}", {"policy": text})
        assert answer.status == 204, answer
    token = await live.make_token(policies=names, no_default_policy=True)
    answer = await live.list(path, token=token)
    assert answer.status == 200 or (answer.status, answer.errors) == (404, [])
    return answer.data["keys"] if answer.status == 200 else []


@pytest.fixture
async def kv(live: Live) -> Live:
    await live.post("sys/mounts/kv", {"type": "kv"})
    for key in ("a", "b", "c", "d/x", "e/y"):
        await live.post(f"kv/{key}", {"v": 1})
    return live


def rule(template: str, path: str = "kv/") -> str:
    return f'path "{path}" {{ capabilities = ["list"] list_scan_response_keys_filter_path = "{template}" }}\n'


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        pytest.param(rule("") + RULES, ["a", "b", "c", "d/", "e/"], id="no_filter"),
        pytest.param(rule(SAME) + RULES, ["a"], id="what_may_be_read"),
        pytest.param(rule("kv/{{.key}}") + RULES, ["a"], id="spelled_out"),
        pytest.param(rule("{{ .key }}") + RULES, [], id="a_path_that_nothing_grants"),
        pytest.param(rule(SAME) + 'path "kv/d/" { capabilities = ["list"] }', ["d/"], id="a_folder_that_may_be_listed"),
        pytest.param(rule(SAME) + 'path "kv/d" { capabilities = ["list"] }', ["d/"], id="a_folder_without_its_slash"),
        pytest.param(rule(SAME) + 'path "kv/d/*" { capabilities = ["read"] }', [], id="a_folder_to_be_read_only"),
        pytest.param(rule(SAME, "kv/*") + RULES, ["a", "d/", "e/"], id="folders_by_the_same_rule"),
        pytest.param(rule(SAME) + 'path "kv/*" { capabilities = ["read"] }\npath "kv/a" { capabilities = ["deny"] }',
                     ["b", "c"], id="what_is_denied"),
        pytest.param(rule(SAME) + 'path "kv/a" { capabilities = ["read"] min_wrapping_ttl = 5 }', [], id="a_condition"),
    ],
)  # fmt: skip
async def test_which_keys_are_shown(kv: Live, text: str, keys: list[str]) -> None:
    assert await listed(kv, text) == keys


async def test_a_filter_holds_whatever_other_policies_say_of_the_path(kv: Live) -> None:
    assert await listed(kv, 'path "kv/" { capabilities = ["list"] }', rule(SAME) + RULES) == ["a"]
    assert await listed(kv, rule(SAME) + RULES, rule("x/{{ .key }}")) == ["a"]


async def test_what_is_told_of_keys_goes_with_them(live: Live) -> None:
    ids = [(await live.post("identity/entity", {"name": name})).data["id"] for name in ("one", "two")]
    text = rule("identity/entity/id/{{ .key }}", "identity/entity/id")
    await live.post(
        "sys/policies/acl/p", {"policy": text + f'path "identity/entity/id/{ids[1]}" {{ policy = "read" }}'}
    )
    answer = await live.list("identity/entity/id", token=await live.make_token(policies=["p"]))
    assert answer.data == {"keys": ids[1:], "key_info": {ids[1]: {"name": "two"}}}
