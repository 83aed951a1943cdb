"""What users of Vault's identities have met and reported: each kind once. The number is that of hashicorp/vault."""

from typing import Any

from strongroom_server.core.identity.logins import attach
from strongroom_server.core.mounts import Mount
from strongroom_server.sdk.request import Alias, Auth
from tests.strongroom_server.core.identity.people import alias, entity, group, mount
from tests.strongroom_server.live import Live


async def seen(live: Live, path: str, name: str, groups: tuple[str, ...] = (), **metadata: str) -> str:
    """Log somebody in as by a method that tells of groups and metadata; returns the entity's id."""
    found = live.server.mounts.at(f"auth/{path}/")
    assert isinstance(found, Mount)
    auth = Auth(alias=Alias(name, metadata), group_aliases=tuple(map(Alias, groups)))
    await attach(live.server.identity, auth, found)
    return auth.entity_id


async def both(live: Live) -> tuple[str, str, str]:
    """Make one entity with an alias of one name at two mounts; returns its id and the accessors."""
    here, there, ann = await mount(live, "here"), await mount(live, "there"), await entity(live, "ann")
    for accessor in (here, there):
        await alias(live, "ann", accessor, ann)
    return ann, here, there


async def external(live: Live, name: str, accessor: str) -> str:
    made = await group(live, name, type="external")
    await live.post("identity/group-alias", {"name": name, "mount_accessor": accessor, "canonical_id": made})
    return made


async def shown(live: Live, entity_id: str) -> Any:
    return (await live.get(f"identity/entity/id/{entity_id}")).data


async def test_a_login_elsewhere_takes_nobody_out_of_a_group_11487(live: Live) -> None:
    ann, here, _ = await both(live)
    admins = await external(live, "admins", here)
    assert await seen(live, "here", "ann", ("admins",)) == ann
    await seen(live, "there", "ann")
    assert (await shown(live, ann))["group_ids"] == [admins]


async def test_metadata_goes_to_the_alias_of_the_mount_alone_16838(live: Live) -> None:
    ann, here, there = await both(live)
    await seen(live, "here", "ann", team="blue")
    told = {a["mount_accessor"]: a["metadata"] for a in (await shown(live, ann))["aliases"]}
    assert told == {here: {"team": "blue"}, there: None}


async def test_group_names_of_a_method_differ_by_more_than_case_12714(live: Live) -> None:
    accessor = await mount(live, "here")
    made = await external(live, "my_ldap_group", accessor)
    ann = await seen(live, "here", "ann", ("My_LDAP_Group",))
    assert (await shown(live, ann))["group_ids"] == [made]


async def test_who_is_named_twice_is_merged_once_10100(live: Live) -> None:
    accessor, old, new = await mount(live, "here"), await entity(live, "old"), await entity(live, "new")
    await alias(live, "ann", accessor, old)
    body = {"to_entity_id": new, "from_entity_ids": f"{old},{old}"}
    assert (await live.post("identity/entity/merge", body)).status == 204
    assert [a["name"] for a in (await shown(live, new))["aliases"]] == ["ann"]


async def test_a_renamed_alias_is_nobody_elses_11277(live: Live) -> None:
    accessor = await mount(live, "here")
    smith = await seen(live, "here", "bsmith")
    bob = await entity(live, "bob-smith")
    made = await alias(live, "bob", accessor, bob)
    answer = await live.post(f"identity/entity-alias/id/{made}", {"name": "BSmith"})
    assert (answer.status, "already exists" in answer.errors[0]) == (400, True)
    assert await seen(live, "here", "bsmith") == smith


async def test_a_group_has_one_alias_the_last_24538(live: Live) -> None:
    here, there = await mount(live, "here"), await mount(live, "there")
    made = await external(live, "mine", here)
    first = (await live.get(f"identity/group/id/{made}")).data["alias"]
    body = {"name": "mine", "mount_accessor": there, "canonical_id": made}
    assert (await live.post("identity/group-alias", body)).status == 200
    assert (await live.get(f"identity/group/id/{made}")).data["alias"]["mount_accessor"] == there
    assert first["mount_accessor"] == here
    assert (await shown(live, await seen(live, "here", "ann", ("mine",))))["group_ids"] == []
    assert (await shown(live, await seen(live, "there", "ann", ("mine",))))["group_ids"] == [made]


async def test_a_policy_in_a_folder_is_there_after_a_restart_8760(live: Live) -> None:
    text = 'path "secret/data/x" { capabilities = ["read"] }'
    await live.post("sys/policies/acl/roles/sys/superuser", {"policy": text})
    token = await live.make_token(policies=["roles/sys/superuser"], no_default_policy=True)
    await live.post("sys/seal")
    assert (await live.post("sys/unseal", {"key": live.unseal_key}, token="")).body["sealed"] is False
    assert (await live.get("secret/data/x", token=token)).status == 404
    assert (await live.get("secret/data/y", token=token)).status == 403
