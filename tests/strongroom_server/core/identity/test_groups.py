"""Groups: members, groups within groups, external groups and their aliases."""

from typing import Any

import pytest

from tests.strongroom_server.core.identity.people import entity, group, mount
from tests.strongroom_server.live import Live


async def test_a_group_shows_what_it_was_given(live: Live) -> None:
    member, inner = await entity(live, "app"), await group(live, "inner")
    made = await group(
        live, "g", policies=["B"], metadata={"k": "v"}, member_entity_ids=member, member_group_ids=[inner]
    )
    shown = (await live.get("identity/group/name/G")).data
    assert shown | {"creation_time": "", "last_update_time": ""} == {
        "alias": {}, "creation_time": "", "id": made, "last_update_time": "", "member_entity_ids": [member],
        "member_group_ids": [inner], "metadata": {"k": "v"}, "modify_index": 1, "name": "g", "namespace_id": "root",
        "parent_group_ids": None, "policies": ["b"], "type": "internal",
    }  # fmt: skip
    assert (await live.get(f"identity/group/id/{inner}")).data["parent_group_ids"] == [made]
    assert (await live.post(f"identity/group/id/{made}", {"name": "h", "member_group_ids": []})).status == 204
    assert (await live.get("identity/group/name/g")).status == 404
    assert (await live.get("identity/group/name/h")).data["modify_index"] == 2
    assert (await live.list("identity/group/id")).data["key_info"][made] == {
        "name": "h", "num_member_entities": 1, "num_parent_groups": 0,
    }  # fmt: skip


async def test_an_entity_is_in_the_groups_above_its_own(live: Live) -> None:
    member = await entity(live, "app")
    inner = await group(live, "inner", member_entity_ids=[member])
    outer = await group(live, "outer", member_group_ids=[inner])
    outermost = await group(live, "outermost", member_group_ids=[outer])
    shown = (await live.get("identity/entity/name/app")).data
    assert shown["direct_group_ids"] == [inner]
    assert shown["inherited_group_ids"] == sorted([outer, outermost])
    assert set(shown["group_ids"]) == {inner, outer, outermost}
    await live.delete("identity/group/name/outer")
    assert (await live.get("identity/entity/name/app")).data["inherited_group_ids"] == []
    assert (await live.get("identity/group/name/outermost")).data["member_group_ids"] is None


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        pytest.param("", {"policies": [" ROOT"]}, "root", id="root"),
        pytest.param("", {"name": ""}, "empty group name", id="a_name_of_nothing"),
        pytest.param("", {"type": "odd"}, "type", id="an_unknown_type"),
        pytest.param("", {"name": "g", "type": "external"}, "cannot be changed", id="another_type"),
        pytest.param("", {"member_entity_ids": ["nope"]}, "invalid entity ID", id="an_unknown_entity"),
        pytest.param("", {"member_group_ids": ["nope"]}, "invalid member group ID", id="an_unknown_group"),
        pytest.param("/id/G", {"member_group_ids": ["G"]}, "same", id="itself"),
        pytest.param("/id/G", {"member_group_ids": ["ABOVE"]}, "cyclic", id="the_one_above"),
        pytest.param("/id/G", {"member_group_ids": ["TOP"]}, "cyclic", id="one_further_above"),
        pytest.param("/id/G", {"name": "top"}, "already in use", id="a_name_that_is_taken"),
        pytest.param("/id/nope", {}, "invalid group ID", id="an_unknown_id"),
        pytest.param("", {"type": "external", "member_entity_ids": ["APP"]}, "manually", id="external_with_members"),
        pytest.param("", {"type": "external", "member_group_ids": ["G"]}, "member groups", id="external_with_groups"),
        pytest.param("-alias", {"mount_accessor": "MOUNT"}, "missing alias name", id="an_alias_without_a_name"),
        pytest.param("-alias", {"name": "x"}, "missing mount_accessor", id="an_alias_without_a_mount"),
        pytest.param("-alias", {"name": "x", "mount_accessor": "no"}, "invalid mount", id="an_alias_at_no_mount"),
        pytest.param("-alias", {"name": "x", "mount_accessor": "MOUNT", "canonical_id": "G"}, "internal",
                     id="an_alias_of_an_internal_group"),
        pytest.param("-alias", {"name": "x", "mount_accessor": "MOUNT", "canonical_id": "no"}, "canonical_id",
                     id="an_alias_of_no_group"),
        pytest.param("-alias", {"name": "ADMINS", "mount_accessor": "MOUNT"}, "in use", id="an_alias_that_is_taken"),
        pytest.param("-alias/id/no", {"name": "x", "mount_accessor": "MOUNT"}, "group alias ID", id="no_such_alias"),
    ],
)  # fmt: skip
async def test_groups_that_cannot_be(live: Live, path: str, body: dict[str, Any], message: str) -> None:
    names = {"APP": await entity(live, "app"), "G": await group(live, "g"), "MOUNT": await mount(live)}
    names["ABOVE"] = await group(live, "above", member_group_ids=[names["G"]])
    names["TOP"] = await group(live, "top", member_group_ids=[names["ABOVE"]])
    await live.post("identity/group-alias", {"name": "admins", "mount_accessor": names["MOUNT"]})
    before = (await live.list("identity/group/id")).data

    def named(value: Any) -> Any:
        return [names.get(v, v) for v in value] if isinstance(value, list) else names.get(value, value)

    answer = await live.post(f"identity/group{path.replace('G', names['G'])}", {k: named(v) for k, v in body.items()})
    assert answer.status == 400
    assert message in answer.errors[0]
    assert (await live.list("identity/group/id")).data == before


async def test_an_alias_of_a_group_is_set_moved_and_deleted(live: Live) -> None:
    accessor = await mount(live)
    one, two = await group(live, "one", type="external"), await group(live, "two", type="external")
    body = {"name": "admins", "mount_accessor": accessor}
    made = (await live.post("identity/group-alias", body | {"canonical_id": one})).data["id"]
    assert (await live.get(f"identity/group/id/{one}")).data["alias"]["name"] == "admins"
    await live.post(f"identity/group-alias/id/{made}", body | {"canonical_id": two})
    assert (await live.get(f"identity/group/id/{one}")).data["alias"] == {}
    assert (await live.get(f"identity/group-alias/id/{made}")).data["canonical_id"] == two
    assert (await live.list("identity/group-alias/id")).data["keys"] == [made]
    await live.delete(f"identity/group-alias/id/{made}")
    assert (await live.get(f"identity/group-alias/id/{made}")).status == 404
    assert (await live.get(f"identity/group/id/{two}")).data["alias"] == {}


async def test_an_alias_without_a_group_makes_one(live: Live) -> None:
    made = await live.post("identity/group-alias", {"name": "admins", "mount_accessor": await mount(live)})
    shown = (await live.get(f"identity/group/id/{made.data['canonical_id']}")).data
    assert (shown["type"], shown["alias"]["id"]) == ("external", made.data["id"])


async def test_a_name_is_spelled_as_it_was_written_last(live: Live) -> None:
    for kind in ("entity", "group"):
        for path, body in ((kind, {"name": "Zed"}), (kind, {"name": "zed"}), (f"{kind}/name/ZED", {"policies": ["a"]})):
            assert (await live.post(f"identity/{path}", body)).status in {200, 204}
        assert (await live.get(f"identity/{kind}/name/zed")).data["name"] == "ZED"
        assert (await live.list(f"identity/{kind}/name")).data["keys"] == ["ZED"]
