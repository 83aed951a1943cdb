"""What identity adds to logins and tokens: the entity, its policies, its groups, its end."""

import asyncio
from typing import Any

import pytest

from strongroom_server.core.identity.logins import attach
from strongroom_server.core.mounts import Mount
from strongroom_server.sdk.request import Alias, Auth
from tests.strongroom_server.core.identity.people import alias, entity, group, login, mount, userpass
from tests.strongroom_server.live import Answer, Live

READ_OWN = 'path "secret/data/{{%s}}/*" { capabilities = ["read"] }'


async def test_a_login_makes_one_entity_and_finds_it_again(live: Live) -> None:
    accessor = await userpass(live)
    answers = await asyncio.gather(*(login(live) for _ in range(20)))
    ids = {answer.auth["entity_id"] for answer in answers}
    assert len(ids) == 1
    shown = (await live.get(f"identity/entity/id/{ids.pop()}")).data
    assert [(a["name"], a["mount_accessor"]) for a in shown["aliases"]] == [("alice", accessor)]
    assert (await login(live, "bob")).auth["entity_id"] != shown["id"]
    assert len((await live.list("identity/entity/id")).data["keys"]) == 2


async def test_a_login_finds_the_entity_that_was_made_for_it(live: Live) -> None:
    accessor, made = await userpass(live), await entity(live, "Alice of sales")
    await alias(live, "ALICE", accessor, made)
    assert (await login(live)).auth["entity_id"] == made


async def test_policies_come_from_the_entity_and_its_groups(live: Live) -> None:
    await userpass(live)
    first = (await login(live)).auth
    assert "identity_policies" not in first
    await live.post(f"identity/entity/id/{first['entity_id']}", {"policies": ["of-entity", "own"]})
    inner = await group(live, "inner", member_entity_ids=[first["entity_id"]], policies=["of-group"])
    await group(live, "outer", member_group_ids=[inner], policies=["of-outer"])
    second, seen = (
        (await login(live)).auth,
        (await live.get("auth/token/lookup-self", token=first["client_token"])).data,
    )
    assert second["token_policies"] == ["default", "own"]
    assert second["identity_policies"] == ["of-entity", "of-group", "of-outer", "own"]
    assert second["policies"] == ["default", "of-entity", "of-group", "of-outer", "own"]
    assert sorted(seen["identity_policies"]) == second["identity_policies"]
    renewed = (await live.post("auth/token/renew-self", token=first["client_token"])).auth
    assert renewed["identity_policies"] == second["identity_policies"]


async def reads(live: Live, token: str, path: str) -> bool:
    answer = await live.post("sys/capabilities", {"token": token, "path": path})
    return bool(answer.data["capabilities"] == ["read"])


async def test_rules_change_at_once(live: Live) -> None:
    await userpass(live)
    await live.post("sys/policies/acl/p", {"policy": 'path "secret/data/x" { capabilities = ["read"] }'})
    auth = (await login(live)).auth
    token, made = auth["client_token"], auth["entity_id"]
    assert not await reads(live, token, "secret/data/x")
    await live.post(f"identity/entity/id/{made}", {"policies": ["p"]})
    assert await reads(live, token, "secret/data/x")
    await live.post(f"identity/entity/id/{made}", {"policies": []})
    assert not await reads(live, token, "secret/data/x")
    inner = await group(live, "inner", member_entity_ids=[made])
    await group(live, "outer", member_group_ids=[inner], policies=["p"])
    assert await reads(live, token, "secret/data/x")
    await live.delete(f"identity/group/id/{inner}")
    assert not await reads(live, token, "secret/data/x")


@pytest.mark.parametrize(
    ("selector", "folder"),
    [
        pytest.param("identity.entity.id", "ID", id="the_entitys_id"),
        pytest.param(" identity.entity.name ", "app", id="its_name_with_blanks"),
        pytest.param("identity.entity.metadata.team", "blue", id="its_metadata"),
        pytest.param("identity.entity.aliases.MOUNT.name", "alice", id="its_name_at_the_mount"),
        pytest.param("identity.entity.aliases.MOUNT.custom_metadata.k", "c", id="an_operators_metadata"),
        pytest.param("identity.groups.names.inner.id", "INNER", id="the_id_of_a_group"),
        pytest.param("identity.groups.ids.INNER.name", "inner", id="the_name_of_a_group"),
        pytest.param("identity.groups.names.outer.metadata.k", "v", id="metadata_of_a_group_above"),
        pytest.param("identity.entity.aliases.other_1234.name", None, id="another_mount"),
        pytest.param("identity.entity.metadata.wild", None, id="a_value_that_would_be_a_wildcard"),
        pytest.param("identity.groups.names.strange.id", None, id="a_group_of_others"),
    ],
)
async def test_templated_policies(live: Live, selector: str, folder: str | None) -> None:
    names = {"MOUNT": await userpass(live)}
    names["ID"] = await entity(live, "app", policies=["p"], metadata={"team": "blue", "wild": "*"})
    known = await alias(live, "alice", names["MOUNT"], names["ID"])
    await live.post(f"identity/entity-alias/id/{known}", {"custom_metadata": {"k": "c"}})
    names["INNER"] = await group(live, "inner", member_entity_ids=[names["ID"]])
    await group(live, "outer", member_group_ids=[names["INNER"]], metadata={"k": "v"})
    await group(live, "strange")
    for name, value in names.items():
        selector = selector.replace(name, value)
    await live.post("sys/policies/acl/p", {"policy": READ_OWN % selector})
    token = (await login(live)).auth["client_token"]
    granted = names.get(folder or "", folder)
    assert await reads(live, token, f"secret/data/{granted}/x") == (folder is not None)
    assert not await reads(live, token, "secret/data/others/x")


async def test_everybody_reads_their_own_entity(live: Live) -> None:
    await userpass(live)
    mine, other = (await login(live)).auth, (await login(live, "bob")).auth
    for path, status in ((mine["entity_id"], 200), (other["entity_id"], 403)):
        answer = await live.get(f"identity/entity/id/{path}", token=mine["client_token"])
        assert answer.status == status


@pytest.mark.parametrize("how", ["disabled", "deleted"])
async def test_without_its_entity_a_token_is_none(live: Live, how: str) -> None:
    await userpass(live)
    auth = (await login(live)).auth
    token, path = auth["client_token"], f"identity/entity/id/{auth['entity_id']}"
    await (live.post(path, {"disabled": True}) if how == "disabled" else live.delete(path))
    assert (await live.get("auth/token/lookup-self", token=token)).status == 403
    assert (await live.post("auth/token/renew-self", token=token)).status == 403
    assert (await live.post("sys/capabilities", {"token": token, "path": "x"})).status == 400
    assert (await live.post("auth/token/lookup", {"token": token})).status == 200
    assert (await login(live)).status == (403 if how == "disabled" else 200)
    if how == "disabled":
        await live.post(path, {"disabled": False})
        assert (await live.get("auth/token/lookup-self", token=token)).status == 200


async def test_a_token_follows_its_entity_into_another(live: Live) -> None:
    await userpass(live)
    auth, target = (await login(live)).auth, await entity(live, "target", policies=["t"])
    await live.post("identity/entity/merge", {"to_entity_id": target, "from_entity_ids": [auth["entity_id"]]})
    seen = (await live.get("auth/token/lookup-self", token=auth["client_token"])).data
    assert (seen["entity_id"], seen["identity_policies"]) == (auth["entity_id"], ["t"])
    assert (await login(live)).auth["entity_id"] == target


@pytest.mark.parametrize(
    ("body", "inherits"),
    [
        pytest.param({}, True, id="a_child"),
        pytest.param({"type": "batch"}, True, id="a_batch_token"),
        pytest.param({"no_parent": True}, False, id="an_orphan"),
    ],
)
async def test_children_act_for_the_same_entity(live: Live, body: dict[str, Any], inherits: bool) -> None:
    await userpass(live)
    await live.post(
        "sys/policies/acl/own", {"policy": 'path "auth/token/create" { capabilities = ["update", "sudo"] }'}
    )
    auth = (await login(live)).auth
    child = await live.post("auth/token/create", body, token=auth["client_token"])
    assert child.auth["entity_id"] == (auth["entity_id"] if inherits else "")


@pytest.mark.parametrize(
    ("path", "name", "status"),
    [
        pytest.param("create/r", "zed", 200, id="an_allowed_name"),
        pytest.param("create/r", "ZED", 200, id="in_another_case"),
        pytest.param("create/r", "pre-fix", 200, id="by_glob"),
        pytest.param("create/r", "other", 400, id="another_name"),
        pytest.param("create", "zed", 400, id="without_a_role"),
    ],
)
async def test_the_entity_alias_of_a_token_role(live: Live, path: str, name: str, status: int) -> None:
    await live.post("auth/token/roles/r", {"allowed_entity_aliases": ["zed", "pre*"]})
    answer = await live.post(f"auth/token/{path}", {"entity_alias": name})
    assert answer.status == status
    if status == 200:
        again = await live.post(f"auth/token/{path}", {"entity_alias": name.lower()})
        shown = (await live.get(f"identity/entity/id/{answer.auth['entity_id']}")).data
        assert again.auth["entity_id"] == answer.auth["entity_id"]
        assert [(a["name"], a["mount_type"]) for a in shown["aliases"]] == [(name, "token")]


async def seen_in(live: Live, groups: list[str], metadata: dict[str, str] | None = None) -> Auth:
    """Log alice in as by a method that tells of groups and metadata."""
    auth = Auth(alias=Alias("alice", metadata or {}), group_aliases=tuple(Alias(name) for name in groups))
    found = live.server.mounts.at("auth/up/")
    assert isinstance(found, Mount)
    await attach(live.server.identity, auth, found)
    return auth


async def external(live: Live, name: str, accessor: str, policy: str) -> str:
    made = await group(live, name, type="external", policies=[policy])
    await live.post("identity/group-alias", {"name": name, "mount_accessor": accessor, "canonical_id": made})
    return made


async def test_external_groups_are_what_the_last_login_saw(live: Live) -> None:
    accessor, elsewhere = await mount(live), await mount(live, "elsewhere")
    admins, devs = await external(live, "Admins", accessor, "a"), await external(live, "devs", accessor, "d")
    other = await external(live, "other", elsewhere, "o")
    identity = live.server.identity
    entity_id = (await seen_in(live, ["admins", "devs", "unknown"])).entity_id
    assert set(identity.policies(entity_id)) == {"a", "d"}
    assert (await live.get(f"identity/group/id/{admins}")).data["member_entity_ids"] == [entity_id]
    known = identity.index.entities[entity_id]
    await identity.change(type(known)(**{**_fields(known), "groups": (*known.groups, other)}))
    await seen_in(live, ["devs"])
    assert set(identity.policies(entity_id)) == {"d", "o"}
    assert (await live.get(f"identity/group/id/{admins}")).data["member_entity_ids"] is None
    await live.delete(f"identity/group/id/{devs}")
    assert set(identity.policies(entity_id)) == {"o"}


def _fields(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


async def test_the_methods_metadata_is_kept_with_the_alias(live: Live) -> None:
    await mount(live)
    for metadata, shown in (({"a": "1"}, {"a": "1"}), ({"a": "2"}, {"a": "2"}), ({}, {"a": "2"})):
        entity_id = (await seen_in(live, [], metadata)).entity_id
        aliases = (await live.get(f"identity/entity/id/{entity_id}")).data["aliases"]
        assert [a["metadata"] for a in aliases] == [shown]


async def test_a_known_login_stores_nothing_of_identity(live: Live) -> None:
    await mount(live)
    await seen_in(live, ["unknown"], {"a": "1"})
    before = live.server.identity.index.entities.copy()
    policies = live.server.policies
    changes = policies._changes
    await seen_in(live, ["unknown"], {"a": "1"})
    assert live.server.identity.index.entities == before
    assert policies._changes == changes


async def test_the_audit_log_shows_whose_policies_they_are(live: Live, tmp_path: Any) -> None:
    await userpass(live)
    auth = (await login(live)).auth
    await live.post(f"identity/entity/id/{auth['entity_id']}", {"policies": ["of-entity"]})
    enabled = await live.post("sys/audit/file", {"type": "file", "options": {"file_path": str(tmp_path / "log")}})
    assert enabled.status == 204, enabled
    answer: Answer = await live.get("auth/token/lookup-self", token=auth["client_token"])
    assert answer.status == 200
    line = (tmp_path / "log").read_text().splitlines()[-1]
    assert '"identity_policies":["of-entity"]' in line
    assert auth["entity_id"] in line


async def test_the_resultant_acl_shows_what_everything_grants_together(live: Live) -> None:
    assert (await live.get("sys/internal/ui/resultant-acl")).data == {"root": True}
    await userpass(live)
    auth = (await login(live)).auth
    rules = (
        'path "a/{{identity.entity.name}}" { capabilities = ["read"] } path "b/*" { capabilities = ["list", "create"] }'
    )
    await live.post("sys/policies/acl/p", {"policy": rules})
    await live.post(f"identity/entity/id/{auth['entity_id']}", {"name": "app", "policies": ["p"]})
    shown = (await live.get("sys/internal/ui/resultant-acl", token=auth["client_token"])).data
    assert shown["root"] is False
    assert shown["exact_paths"]["a/app"] == {"capabilities": ["read"]}
    assert shown["glob_paths"]["b/"] == {"capabilities": ["create", "list"]}
    assert all("+" not in path for path in shown["glob_paths"])
