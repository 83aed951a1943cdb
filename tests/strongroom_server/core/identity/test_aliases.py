"""Aliases of entities and of groups, and finding by them."""

from typing import Any

import pytest

from tests.strongroom_server.core.identity.people import alias, entity, group, mount
from tests.strongroom_server.live import Live


async def test_an_alias_shows_its_mount(live: Live) -> None:
    accessor, made = await mount(live), await entity(live, "app")
    answer = await live.post("identity/entity-alias", {
        "name": "Ann", "mount_accessor": accessor, "entity_id": made, "custom_metadata": {"a": "b"},
    })  # fmt: skip
    shown = (await live.get(f"identity/entity-alias/id/{answer.data['id']}")).data
    assert shown | {"creation_time": "", "last_update_time": ""} == {
        "canonical_id": made, "creation_time": "", "custom_metadata": {"a": "b"}, "id": answer.data["id"],
        "last_update_time": "", "local": False, "merged_from_canonical_ids": None, "metadata": None,
        "mount_accessor": accessor, "mount_path": "auth/up/", "mount_type": "approle", "name": "Ann",
        "namespace_id": "root",
    }  # fmt: skip
    await live.delete("sys/auth/up")
    assert "mount_path" not in (await live.get(f"identity/entity-alias/id/{answer.data['id']}")).data


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        pytest.param("", {"name": "x"}, "must be provided", id="no_mount"),
        pytest.param("", {"mount_accessor": "MOUNT"}, "must be provided", id="no_name"),
        pytest.param("", {"name": "x", "mount_accessor": "nope"}, "invalid mount accessor", id="an_unknown_mount"),
        pytest.param("", {"name": "x", "mount_accessor": "MOUNT", "canonical_id": "nope"}, "canonical", id="nobody"),
        pytest.param("", {"name": "x", "mount_accessor": "MOUNT", "canonical_id": "APP"}, "exists", id="a_second_one"),
        pytest.param("/id/nope", {"name": "x"}, "invalid alias ID", id="an_unknown_alias"),
        pytest.param("/id/ALIAS", {"name": "BOB"}, "already exists", id="the_name_of_another"),
        pytest.param("/id/ALIAS", {"canonical_id": "OTHER"}, "already has", id="to_one_who_has_one_at_the_mount"),
    ],
)
async def test_aliases_that_cannot_be(live: Live, path: str, body: dict[str, Any], message: str) -> None:
    names = {"MOUNT": await mount(live), "APP": await entity(live, "app"), "OTHER": await entity(live, "other")}
    names["ALIAS"] = await alias(live, "ann", names["MOUNT"], names["APP"])
    await alias(live, "bob", names["MOUNT"], names["OTHER"])
    before = (await live.list("identity/entity-alias/id")).data
    body = {key: names.get(value, value) for key, value in body.items()}
    answer = await live.post(f"identity/entity-alias{path.replace('ALIAS', names['ALIAS'])}", body)
    assert answer.status == 400
    assert message in answer.errors[0]
    assert (await live.list("identity/entity-alias/id")).data == before


async def test_an_alias_goes_to_another_entity(live: Live) -> None:
    accessor, one, two = await mount(live), await entity(live, "one"), await entity(live, "two")
    moved = await alias(live, "ann", accessor, one)
    again = await live.post("identity/entity-alias", {"name": "ANN", "mount_accessor": accessor, "canonical_id": two})
    assert again.data == {"canonical_id": two, "id": moved}
    assert (await live.get("identity/entity/name/one")).data["aliases"] == []
    assert (await live.get("identity/entity/name/two")).data["aliases"][0]["name"] == "ANN"
    assert (await live.post(f"identity/entity-alias/id/{moved}", {})).status == 204
    await live.delete(f"identity/entity-alias/id/{moved}")
    assert (await live.get(f"identity/entity-alias/id/{moved}")).status == 404


async def test_the_older_paths_are_the_same(live: Live) -> None:
    accessor = await mount(live)
    made = await live.post("identity/persona", {"name": "ann", "mount_accessor": accessor})
    shown = await live.get(f"identity/alias/id/{made.data['id']}")
    assert shown.data == (await live.get(f"identity/entity-alias/id/{made.data['id']}")).data


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        pytest.param({"id": "APP"}, 200, id="by_id"),
        pytest.param({"name": "APP_NAME"}, 200, id="by_name"),
        pytest.param({"alias_id": "ALIAS"}, 200, id="by_alias"),
        pytest.param({"alias_name": "ANN", "alias_mount_accessor": "MOUNT"}, 200, id="by_alias_name_and_mount"),
        pytest.param({"name": "nobody"}, 204, id="an_unknown_name"),
        pytest.param({"id": "nobody"}, 204, id="an_unknown_id"),
        pytest.param({"alias_name": "ann", "alias_mount_accessor": "nope"}, 204, id="an_unknown_mount"),
        pytest.param({}, 400, id="nothing_asked"),
        pytest.param({"alias_name": "ann"}, 400, id="an_alias_name_without_a_mount"),
        pytest.param({"id": "APP", "name": "APP_NAME"}, 400, id="two_questions"),
    ],
)
@pytest.mark.parametrize("kind", ["entity", "group"])
async def test_looking_up(live: Live, kind: str, asked: dict[str, str], status: int) -> None:
    names = {"MOUNT": await mount(live), "APP_NAME": "app"}
    if kind == "entity":
        names["APP"] = await entity(live, "app")
        names["ALIAS"] = await alias(live, "ann", names["MOUNT"], names["APP"])
    else:
        names["APP"] = await group(live, "app", type="external")
        body = {"name": "ann", "mount_accessor": names["MOUNT"], "canonical_id": names["APP"]}
        names["ALIAS"] = (await live.post("identity/group-alias", body)).data["id"]
    asked = {key: names.get(value, value) for key, value in asked.items()}
    answer = await live.post(f"identity/lookup/{kind}", asked)
    assert answer.status == status
    if status == 200:
        assert answer.data == (await live.get(f"identity/{kind}/id/{names['APP']}")).data
