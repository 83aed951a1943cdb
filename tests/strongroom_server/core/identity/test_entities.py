"""Entities: made, found, changed, merged, deleted."""

from typing import Any

import pytest

from tests.strongroom_server.core.identity.people import alias, entity, group, mount
from tests.strongroom_server.live import Live


async def test_an_entity_shows_what_it_was_given(live: Live) -> None:
    made = await entity(live, "app", policies=["B", " c ", "b"], metadata={"team": "x"})
    by_id, by_name = await live.get(f"identity/entity/id/{made}"), await live.get("identity/entity/name/APP")
    assert by_id.data == by_name.data
    assert by_id.data | {"creation_time": "", "last_update_time": ""} == {
        "aliases": [], "creation_time": "", "direct_group_ids": [], "disabled": False, "group_ids": [], "id": made,
        "inherited_group_ids": [], "last_update_time": "", "merged_entity_ids": None, "metadata": {"team": "x"},
        "name": "app", "namespace_id": "root", "policies": ["b", "c"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "after"),
    [
        pytest.param({"policies": ["z"]}, {"policies": ["z"], "metadata": {"k": "v"}}, id="policies_alone"),
        pytest.param({"metadata": {}}, {"policies": ["p"], "metadata": {}}, id="metadata_emptied"),
        pytest.param({"policies": []}, {"policies": [], "metadata": {"k": "v"}}, id="policies_emptied"),
        pytest.param({"metadata": ["a=b", "c=d"]}, {"metadata": {"a": "b", "c": "d"}}, id="metadata_as_pairs"),
        pytest.param({"disabled": True}, {"disabled": True, "policies": ["p"]}, id="disabled"),
        pytest.param({}, {"policies": ["p"], "metadata": {"k": "v"}, "name": "app"}, id="nothing"),
    ],
)
async def test_an_update_changes_what_it_names(live: Live, change: dict[str, Any], after: dict[str, Any]) -> None:
    await entity(live, "app", policies=["p"], metadata={"k": "v"})
    assert (await live.post("identity/entity", {"name": "app", **change})).status == 204
    shown = (await live.get("identity/entity/name/app")).data
    assert {name: shown[name] for name in after} == after


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        pytest.param("entity", {"policies": ["Root"]}, "root", id="root_in_another_case"),
        pytest.param("entity", {"policies": [" root "]}, "root", id="root_with_blanks"),
        pytest.param("entity", {"id": "nope"}, "not found", id="an_unknown_id"),
        pytest.param("entity/id/nope", {"name": "x"}, "not found", id="an_unknown_id_in_the_path"),
        pytest.param("entity/id/MADE", {"name": "Taken"}, "already in use", id="a_name_that_is_taken"),
        pytest.param("entity", {"metadata": {"k" * 129: "v"}}, "too long", id="a_long_key"),
        pytest.param("entity", {"metadata": {"k": "v" * 513}}, "too long", id="a_long_value"),
        pytest.param("entity", {"metadata": {"": "v"}}, "blank", id="a_blank_key"),
        pytest.param("entity", {"metadata": {"a.b": "v"}}, "invalid characters", id="a_key_with_a_dot"),
        pytest.param("group", {"metadata": {"a b": "v"}}, "invalid characters", id="a_key_with_a_blank"),
        pytest.param("entity", {"metadata": {str(i): "" for i in range(65)}}, "64", id="too_many_pairs"),
        pytest.param("entity", {"metadata": {"k": {"a": "b"}}}, "metadata", id="metadata_that_is_no_map_of_strings"),
        pytest.param("entity/batch-delete", {}, "missing entity ids", id="nothing_to_delete"),
        pytest.param("entity/merge", {}, "merge to", id="nothing_to_merge_to"),
        pytest.param("entity/merge", {"to_entity_id": "MADE"}, "merge from", id="nothing_to_merge_from"),
        pytest.param("entity/merge", {"to_entity_id": "x", "from_entity_ids": "MADE"}, "merge to", id="to_nobody"),
        pytest.param("entity/merge", {"to_entity_id": "MADE", "from_entity_ids": "x"}, "merge from", id="from_nobody"),
        pytest.param("entity/merge", {"to_entity_id": "MADE", "from_entity_ids": "MADE"}, "should not", id="itself"),
    ],
)
async def test_what_is_refused_changes_nothing(live: Live, path: str, body: dict[str, Any], message: str) -> None:
    made = await entity(live, "app", metadata={"k": "v"})
    await entity(live, "taken")
    before = (await live.list("identity/entity/id")).data
    body = {name: made if value == "MADE" else value for name, value in body.items()}
    answer = await live.post(f"identity/{path.replace('MADE', made)}", body)
    assert answer.status == 400
    assert message in answer.errors[0]
    assert (await live.list("identity/entity/id")).data == before


async def test_names_are_made_up_and_listed(live: Live) -> None:
    assert (await live.list("identity/entity/name")).status == 404
    name = (await live.post("identity/entity")).data["name"]
    assert name.startswith("entity_")
    assert (await live.list("identity/entity/name")).data == {"keys": [name]}


@pytest.mark.parametrize("how", ["id", "name", "batch"])
async def test_a_deleted_entity_leaves_its_groups(live: Live, how: str) -> None:
    made = await entity(live, "app")
    held = await group(live, "g", member_entity_ids=[made])
    if how == "batch":
        await live.post("identity/entity/batch-delete", {"entity_ids": [made, "nope"]})
    else:
        await live.delete(f"identity/entity/{how}/{made if how == 'id' else 'APP'}")
    assert (await live.get("identity/entity/name/app")).status == 404
    assert (await live.get(f"identity/group/id/{held}")).data["member_entity_ids"] is None


async def test_a_merge_moves_aliases_and_memberships(live: Live) -> None:
    one, two = await mount(live, "one"), await mount(live, "two")
    target, source = await entity(live, "target", policies=["t"]), await entity(live, "source", policies=["s"])
    await alias(live, "a", one, target)
    moved = await alias(live, "b", two, source)
    held = await group(live, "g", member_entity_ids=[source])
    assert (await live.post("identity/entity/merge", {"to_entity_id": target, "from_entity_ids": source})).status == 204
    shown = (await live.get(f"identity/entity/id/{target}")).data
    assert shown["merged_entity_ids"] == [source]
    assert shown["policies"] == ["t"]
    assert [a["name"] for a in shown["aliases"]] == ["a", "b"]
    assert (await live.get(f"identity/entity-alias/id/{moved}")).data["merged_from_canonical_ids"] == [source]
    assert (await live.get(f"identity/group/id/{held}")).data["member_entity_ids"] == [target]
    assert (await live.get(f"identity/entity/id/{source}")).status == 404


async def test_of_two_aliases_at_one_mount_the_chosen_one_stays(live: Live) -> None:
    accessor = await mount(live)
    target, source = await entity(live, "target"), await entity(live, "source")
    await alias(live, "a", accessor, target)
    kept = await alias(live, "b", accessor, source)
    body = {"to_entity_id": target, "from_entity_ids": [source]}
    undecided = await live.post("identity/entity/merge", body)
    assert undecided.status == 400
    assert [row["alias"] for row in undecided.data] == ["a", "b"]
    body["conflicting_alias_ids_to_keep"] = ["nope"]
    assert (await live.post("identity/entity/merge", body)).status == 400
    body["conflicting_alias_ids_to_keep"] = [kept]
    assert (await live.post("identity/entity/merge", body)).status == 204
    assert [a["id"] for a in (await live.get(f"identity/entity/id/{target}")).data["aliases"]] == [kept]
    assert (
        await live.post("identity/lookup/entity", {"alias_name": "a", "alias_mount_accessor": accessor})
    ).status == 204


async def test_everything_is_there_after_a_restart(live: Live) -> None:
    accessor = await mount(live)
    made = await entity(live, "app", metadata={"k": "v"})
    await alias(live, "a", accessor, made)
    await group(live, "g", member_entity_ids=[made], policies=["p"])
    paths = [f"identity/entity/id/{made}", "identity/group/name/g"]
    before = [(await live.get(path)).data for path in paths]
    await live.server.sealing.seal()
    assert (await live.post("sys/unseal", {"key": live.unseal_key})).status == 200
    assert [(await live.get(path)).data for path in paths] == before


async def test_entities_and_tokens_are_counted(live: Live) -> None:
    await entity(live, "app")
    assert (await live.get("sys/internal/counters/entities")).data == {"counters": {"entities": {"total": 1}}}
    assert (await live.get("sys/internal/counters/tokens")).data == {"counters": {"service_tokens": {"total": 1}}}
