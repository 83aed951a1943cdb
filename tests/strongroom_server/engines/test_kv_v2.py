import asyncio
import contextlib
from typing import Any

import pytest

from strongroom_server.engines.kv import Engine
from strongroom_server.sdk import codec
from strongroom_server.sdk.errors import InvalidRequest, NotFound, UnsupportedOperation
from strongroom_server.sdk.request import Operation, Request
from tests.strongroom_server.fakes import Mounted, PlainStore


async def open_kv(store: PlainStore | None = None) -> Mounted:
    return await Mounted(Engine, store, options={"version": "2"}).start()


@pytest.fixture
async def kv() -> Mounted:
    return await open_kv()


async def write(kv: Mounted, path: str, *values: Any) -> None:
    for value in values:
        await kv("update", f"data/{path}", data=value)


async def value(kv: Mounted, path: str, **which: Any) -> Any:
    response = await kv("read", f"data/{path}", **which)
    assert response.data is not None
    return response.status, codec.loads(codec.encode(response.data["data"]))


# -- values ---------------------------------------------------------------------------------------------------------


async def test_a_secret_comes_back_as_it_was_with_its_version(kv: Mounted) -> None:
    body = codec.loads(b'{"data":{"i":9007199254740993,"f":1.10,"e":1E3,"n":null,"l":[1,{"a":null}],"s":""}}')
    wrote = await kv.ask("update", "data/a/b", body)
    facts = {
        "created_time": "2023-11-14T22:13:20.000000000Z",
        "custom_metadata": None,
        "deletion_time": "",
        "destroyed": False,
        "version": 1,
    }
    assert wrote.data == facts
    read = await kv("read", "data/a/b")
    assert read.data is not None
    assert read.data["metadata"] == facts
    assert codec.encode(read.data["data"]) == (
        b'{"e":1E3,"f":1.10,"i":9007199254740993,"l":[1,{"a":null}],"n":null,"s":""}'
    )


@pytest.mark.parametrize("empty", [None, {}])
async def test_nothing_is_a_value_too(kv: Mounted, empty: Any) -> None:
    await write(kv, "a", {"x": 1}, empty)
    assert await value(kv, "a") == (200, empty)


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        pytest.param("0", 3, id="zero_is_the_latest"),
        pytest.param("-1", 3, id="negative_is_the_latest"),
        pytest.param("", 3, id="empty_is_the_latest"),
        pytest.param("2", 2, id="a_number_is_that_one"),
    ],
)
async def test_the_version_parameter_chooses(kv: Mounted, version: str, expected: int) -> None:
    await write(kv, "a", {"v": 1}, {"v": 2}, {"v": 3})
    assert await value(kv, "a", version=version) == (200, {"v": expected})


async def test_a_version_that_is_no_number_is_refused_and_one_that_is_not_there_not_found(kv: Mounted) -> None:
    await write(kv, "a", {})
    with pytest.raises(InvalidRequest, match="version"):
        await kv("read", "data/a", version="abc")
    with pytest.raises(NotFound):
        await kv("read", "data/a", version="2")
    with pytest.raises(NotFound):
        await kv("read", "data/none")


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        pytest.param("a", {}, "no data provided", id="nothing"),
        pytest.param("a", {"options": {}}, "no data provided", id="options_alone"),
        pytest.param("a", {"data": "text"}, '"data": expected an object', id="a_text_is_no_secret"),
        pytest.param("a", {"data": [1]}, '"data": expected an object', id="a_list_is_no_secret"),
        pytest.param("a/", {"data": {}}, "cannot write to a path ending in '/'", id="a_folder"),
        pytest.param("", {"data": {}}, "cannot write to a path ending in '/'", id="the_top_folder"),
        pytest.param("a", {"data": {}, "options": {"cas": "x"}}, "error parsing check-and-set", id="cas_of_letters"),
        pytest.param("a", {"data": {}, "options": {"cas": {}}}, "error parsing check-and-set", id="cas_of_nothing"),
        pytest.param("a", {"data": {}, "options": {"cas": 7}}, "did not match the current version", id="wrong_cas"),
    ],
)
async def test_bad_writes_change_nothing(kv: Mounted, path: str, body: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        await kv.ask("update", f"data/{path}", body)
    assert await kv.store.list("") == []


@pytest.mark.parametrize("cas", [1, "1"])
async def test_cas_compares_with_the_current_version(kv: Mounted, cas: Any) -> None:
    assert (await kv("update", "data/a", data={}, options={"cas": 0})).data
    with pytest.raises(InvalidRequest, match="did not match"):
        await kv("update", "data/a", data={}, options={"cas": 0})
    assert (await kv("update", "data/a", data={}, options={"cas": cas})).data


@pytest.mark.parametrize("where", ["config", "metadata/a"])
async def test_cas_can_be_required_by_mount_or_secret(kv: Mounted, where: str) -> None:
    await kv("update", where, cas_required=True)
    with pytest.raises(InvalidRequest, match="check-and-set parameter required for this call"):
        await kv("update", "data/a", data={})
    await kv("update", "data/a", data={"a": 1}, options={"cas": 0})
    with pytest.raises(InvalidRequest, match="check-and-set parameter required for this call"):
        await kv("patch", "data/a", data={"a": 2})
    await kv("patch", "data/a", data={"a": 2}, options={"cas": 1})


async def test_of_parallel_writes_with_the_same_cas_one_wins(kv: Mounted) -> None:
    tries = [kv("update", "data/a", data={"i": i}, options={"cas": 0}) for i in range(20)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(not isinstance(result, Exception) for result in results) == 1
    await asyncio.gather(*(kv("update", "data/b", data={"i": i}) for i in range(8)))
    assert (await kv.data("metadata/b"))["current_version"] == 8


async def test_readers_never_fall_between_a_value_and_its_successor(kv: Mounted) -> None:
    await kv("update", "metadata/a", max_versions=1)
    await write(kv, "a", {"v": 0})

    async def read() -> list[int]:
        seen = []
        for _ in range(30):
            seen.append((await value(kv, "a"))[1]["v"])
            await asyncio.sleep(0)  # falls out of step with the writer
        return seen

    seen, _ = await asyncio.gather(read(), write(kv, "a", *({"v": i} for i in range(1, 60))))
    assert seen == sorted(seen)
    assert len(set(seen)) > 5


# -- patch ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        pytest.param({"a": None}, {"b": {"c": 1}}, id="null_removes"),
        pytest.param({"b": {"c": None, "d": [1]}}, {"a": 1, "b": {"d": [1]}}, id="objects_merge"),
        pytest.param({"b": 2}, {"a": 1, "b": 2}, id="anything_else_replaces"),
        pytest.param({"q": {"r": None, "t": 1}}, {"a": 1, "b": {"c": 1}, "q": {"t": 1}}, id="nulls_do_not_stay"),
        pytest.param({}, {"a": 1, "b": {"c": 1}}, id="an_empty_one_changes_nothing_but_the_version"),
        pytest.param(None, None, id="null_is_null"),
    ],
)
async def test_patch_merges(kv: Mounted, patch: Any, expected: Any) -> None:
    await write(kv, "a", {"a": 1, "b": {"c": 1}})
    answer = await kv("patch", "data/a", data=patch)
    assert answer.data is not None
    assert answer.data["version"] == 2
    assert await value(kv, "a") == (200, expected)


async def test_patch_keeps_exact_numbers_it_does_not_touch(kv: Mounted) -> None:
    await kv.ask("update", "data/a", codec.loads(b'{"data":{"n":9007199254740993,"f":1.10}}'))
    await kv("patch", "data/a", data={"x": 1})
    data = (await kv.data("data/a"))["data"]
    assert codec.encode(data) == b'{"f":1.10,"n":9007199254740993,"x":1}'


async def test_patch_needs_a_live_version(kv: Mounted) -> None:
    with pytest.raises(NotFound):
        await kv("patch", "data/a", data={"x": 1})
    await write(kv, "a", {"x": 1})
    await kv("delete", "data/a")
    answer = await kv("patch", "data/a", data={"x": 2})
    assert answer.status == 404
    assert answer.data is not None
    assert answer.data["version"] == 1


# -- delete, undelete, destroy --------------------------------------------------------------------------------------


async def test_delete_hides_undelete_shows_destroy_is_for_good(kv: Mounted) -> None:
    await write(kv, "a", {"v": 1}, {"v": 2})
    await kv("delete", "data/a")
    deleted = await kv("read", "data/a")
    assert deleted.status == 404
    assert deleted.data is not None
    assert deleted.data["data"] is None
    assert deleted.data["metadata"]["deletion_time"] == "2023-11-14T22:13:20.000000000Z"
    assert await value(kv, "a", version=1) == (200, {"v": 1})
    await kv("update", "undelete/a", versions=[1, 2, 99])
    assert await value(kv, "a") == (200, {"v": 2})
    await kv("update", "destroy/a", versions=[2, 99])
    await kv("update", "undelete/a", versions=[2])
    gone = await kv("read", "data/a")
    assert gone.status == 404
    assert gone.data is not None
    assert gone.data["metadata"]["destroyed"] is True
    assert await kv.store.list("data/a/") == ["1"]


@pytest.mark.parametrize("versions", [[1, 2], "1,2", ["1", "2"]], ids=["numbers", "a_text", "texts"])
async def test_versions_may_be_given_in_several_ways(kv: Mounted, versions: Any) -> None:
    await write(kv, "a", {}, {}, {})
    await kv("update", "delete/a", versions=versions)
    facts = (await kv.data("metadata/a"))["versions"]
    assert [bool(facts[number]["deletion_time"]) for number in "123"] == [True, True, False]


@pytest.mark.parametrize("operation", ["delete", "undelete", "destroy"])
async def test_versions_must_be_named_but_need_not_exist(kv: Mounted, operation: str) -> None:
    bodies: list[dict[str, Any]] = [{}, {"versions": []}]
    for body in bodies:
        with pytest.raises(InvalidRequest, match=r"(?i)no version number provided"):
            await kv.ask("update", f"{operation}/a", body)
    with pytest.raises(InvalidRequest, match="versions"):
        await kv("update", f"{operation}/a", versions="x")
    assert (await kv("update", f"{operation}/a", versions=[1])).data is None
    assert await kv.store.list("") == []


async def test_deleting_again_keeps_the_first_moment(kv: Mounted) -> None:
    await write(kv, "a", {})
    await kv("delete", "data/a")
    await kv.clock.advance(60)
    await kv("delete", "data/a")
    await kv("delete", "data/none")
    facts = (await kv.data("metadata/a"))["versions"]["1"]
    assert facts["deletion_time"] == facts["created_time"]


@pytest.mark.parametrize(
    ("mount", "secret", "seconds"),
    [
        pytest.param("1h", "2h", 3600, id="the_sooner_one_of_the_mount"),
        pytest.param("1h", "30m", 1800, id="the_sooner_one_of_the_secret"),
        pytest.param("1h", "0s", 3600, id="the_mounts_alone"),
        pytest.param("0s", "2h", 7200, id="the_secrets_alone"),
        pytest.param("-1s", "2h", None, id="switched_off_by_the_mount"),
    ],
)
async def test_versions_end_by_themselves(kv: Mounted, mount: str, secret: str, seconds: int | None) -> None:
    await kv("update", "config", delete_version_after=mount)
    await kv("update", "metadata/a", delete_version_after=secret)
    await write(kv, "a", {"x": 1})
    assert await value(kv, "a") == (200, {"x": 1})
    await kv.clock.advance((seconds or 10**6) + 0.001)
    assert (await value(kv, "a"))[0] == (200 if seconds is None else 404)
    await kv("update", "undelete/a", versions=[1])
    assert await value(kv, "a") == (200, {"x": 1})


async def test_the_first_version_is_called_the_oldest_once_the_next_one_takes_its_place(kv: Mounted) -> None:
    await kv("update", "metadata/a", max_versions=3)
    for oldest in (0, 0, 1, 2):
        await write(kv, "a", {"v": 1})
        assert (await kv.data("metadata/a"))["oldest_version"] == oldest


# -- pruning and metadata -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mount", "secret", "oldest", "kept"),
    [
        pytest.param(0, 0, 3, 10, id="ten_where_nobody_says"),
        pytest.param(3, 0, 10, 3, id="as_the_mount_says"),
        pytest.param(0, 2, 11, 2, id="as_the_secret_says"),
        pytest.param(3, 2, 10, 3, id="the_larger_of_both"),
        pytest.param(0, 20, 0, 12, id="more_than_there_are"),
    ],
)
async def test_old_versions_fall_out_with_their_values(
    kv: Mounted, mount: int, secret: int, oldest: int, kept: int
) -> None:
    await kv("update", "config", max_versions=mount)
    await kv("update", "metadata/a", max_versions=secret)
    await write(kv, "a", *({"v": i} for i in range(12)))
    facts = await kv.data("metadata/a")
    assert (facts["current_version"], facts["oldest_version"], len(facts["versions"])) == (12, oldest, kept)
    assert len(await kv.store.list("data/a/")) == kept
    if oldest:
        with pytest.raises(NotFound):
            await kv("read", "data/a", version=oldest - 1)


async def test_metadata_shows_every_setting(kv: Mounted) -> None:
    await kv("update", "metadata/a", custom_metadata={"a": "b", "n": 1, "t": True}, max_versions="3",
             delete_version_after="3h2m1s", cas_required=True)  # fmt: skip
    assert await kv.data("metadata/a") == {
        "cas_required": True,
        "created_time": "2023-11-14T22:13:20.000000000Z",
        "current_metadata_version": 1,
        "current_version": 0,
        "custom_metadata": {"a": "b", "n": "1", "t": "1"},
        "delete_version_after": "3h2m1s",
        "max_versions": 3,
        "metadata_cas_required": False,
        "oldest_version": 0,
        "updated_time": "2023-11-14T22:13:20.000000000Z",
        "versions": {},
    }
    with pytest.raises(NotFound):
        await kv("read", "data/a")
    wrote = await kv("update", "data/a", data={}, options={"cas": 0})
    assert wrote.data is not None
    assert wrote.data["custom_metadata"] == {"a": "b", "n": "1", "t": "1"}
    assert wrote.data["deletion_time"] == "2023-11-15T01:15:21.000000000Z"


async def test_an_empty_write_of_metadata_makes_nothing(kv: Mounted) -> None:
    await kv("update", "metadata/a")
    with pytest.raises(NotFound):
        await kv("read", "metadata/a")


async def test_a_write_of_metadata_keeps_what_it_does_not_name(kv: Mounted) -> None:
    await kv("update", "metadata/a", custom_metadata={"a": "b"}, max_versions=3)
    await kv("update", "metadata/a", cas_required=True)
    facts = await kv.data("metadata/a")
    assert (facts["custom_metadata"], facts["max_versions"], facts["cas_required"]) == ({"a": "b"}, 3, True)
    await kv("update", "metadata/a", custom_metadata={})
    assert (await kv.data("metadata/a"))["custom_metadata"] is None


@pytest.mark.parametrize(
    ("patch", "custom", "versions"),
    [
        pytest.param({"custom_metadata": {"a": None, "z": "q"}}, {"b": "c", "z": "q"}, 3, id="custom_metadata_merges"),
        pytest.param({"custom_metadata": None}, None, 3, id="null_empties"),
        pytest.param({"max_versions": None}, {"a": "b", "b": "c"}, 0, id="null_resets"),
        pytest.param({"max_versions": "7"}, {"a": "b", "b": "c"}, 7, id="others_are_set"),
        pytest.param({}, {"a": "b", "b": "c"}, 3, id="nothing_changes_nothing"),
    ],
)
async def test_patching_metadata(kv: Mounted, patch: dict[str, Any], custom: Any, versions: int) -> None:
    with pytest.raises(NotFound):
        await kv.ask("patch", "metadata/a", patch)
    await kv("update", "metadata/a", custom_metadata={"a": "b", "b": "c"}, max_versions=3)
    assert (await kv.ask("patch", "metadata/a", patch)).data is None
    facts = await kv.data("metadata/a")
    assert (facts["custom_metadata"], facts["max_versions"]) == (custom, versions)


@pytest.mark.parametrize("operation", ["update", "patch"])
@pytest.mark.parametrize(
    ("custom", "messages"),
    [
        pytest.param({f"k{i}": "v" for i in range(65)}, ["at most 64 keys, provided 65"], id="too_many_keys"),
        pytest.param({"k" * 129: "v"}, ["is 129 but must be 0 < len(key) <= 128"], id="a_long_key"),
        pytest.param({"k": "ü" * 257}, ["is 514 but must be 0 < len(value) <= 512"], id="a_long_value_in_bytes"),
        pytest.param({"k": "v\n"}, ['value for key "k" contains unprintable'], id="a_line_break"),
        pytest.param({"k": [1]}, ["value for key 'k' must be a string"], id="a_list"),
        pytest.param({"": "v", "k": ""}, ["is 0 but must be 0 < len(key)", "is 0 but must be 0 < len(value)"],
                     id="all_that_is_wrong_at_once"),
        pytest.param("x=y", ['"custom_metadata": expected an object'], id="a_text"),
    ],
)  # fmt: skip
async def test_custom_metadata_has_limits(kv: Mounted, operation: str, custom: Any, messages: list[str]) -> None:
    await kv("update", "metadata/a", max_versions=1)
    with pytest.raises(InvalidRequest) as error:
        await kv(operation, "metadata/a", custom_metadata=custom)
    assert len(error.value.messages) == len(messages)
    for message, said in zip(messages, error.value.messages, strict=True):
        assert message in said


@pytest.mark.parametrize("where", ["config", "metadata/a"])
async def test_metadata_has_a_cas_of_its_own(kv: Mounted, where: str) -> None:
    await kv("update", "metadata/a", max_versions=1, metadata_cas=0)
    await kv("update", where, metadata_cas_required=True)
    current = (await kv.data("metadata/a"))["current_metadata_version"]
    for operation in ("update", "patch"):
        with pytest.raises(InvalidRequest, match="metadata check-and-set parameter required"):
            await kv(operation, "metadata/a", max_versions=2)
        with pytest.raises(InvalidRequest, match="metadata check-and-set parameter does not match"):
            await kv(operation, "metadata/a", max_versions=2, metadata_cas=current + 1)
    await kv("patch", "metadata/a", max_versions=2, metadata_cas=current)


async def test_what_the_mount_demands_a_secret_cannot_waive(kv: Mounted) -> None:
    await kv("update", "config", cas_required=True)
    answer = await kv("update", "metadata/a", cas_required=False)
    assert answer.warnings == [
        '"cas_required" set to false, but is mandated by backend config. This value will be ignored.'
    ]


async def test_deleting_metadata_leaves_nothing(kv: Mounted) -> None:
    await write(kv, "a", {}, {}, {})
    await kv("delete", "metadata/a")
    await kv("delete", "metadata/a")
    assert await kv.store.list("") == []


async def test_lists_show_folders_and_pages(kv: Mounted) -> None:
    for path in ("l/a", "l/b/c", "l/b", "l/z", "top"):
        await write(kv, path, {})
    assert await kv.keys("metadata") == await kv.keys("metadata/") == ["l/", "top"]
    assert await kv.keys("metadata/l") == await kv.keys("metadata/l/") == ["a", "b", "b/", "z"]
    assert await kv.keys("metadata/l", after="a", limit="2") == ["b", "b/"]
    assert await kv.keys("metadata/l", limit="-1") == ["a", "b", "b/", "z"]
    detailed = (await kv("list", "detailed-metadata/l")).data
    assert detailed is not None
    assert detailed["keys"] == ["a", "b", "b/", "z"]
    assert detailed["key_info"]["b/"] == {}
    assert detailed["key_info"]["a"]["current_version"] == 1
    with pytest.raises(NotFound):
        await kv.keys("metadata/none")


# -- subkeys, config ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("depth", "expected"),
    [
        pytest.param(0, {"a": {"b": {"c": None, "d": None}, "e": None}, "f": None}, id="all"),
        pytest.param(1, {"a": None, "f": None}, id="one_level"),
        pytest.param(2, {"a": {"b": None, "e": None}, "f": None}, id="two_levels"),
        pytest.param(-1, {"a": None, "f": None}, id="negative_is_one"),
    ],
)
async def test_subkeys_show_the_structure_alone(kv: Mounted, depth: int, expected: Any) -> None:
    await write(kv, "a", {"a": {"b": {"c": 1, "d": [{"x": 2}]}, "e": {}}, "f": "secret"})
    assert (await kv.data("subkeys/a", depth=depth))["subkeys"] == expected


async def test_subkeys_of_what_is_gone(kv: Mounted) -> None:
    await write(kv, "a", None)
    assert (await kv.data("subkeys/a"))["subkeys"] is None
    await kv("delete", "data/a")
    answer = await kv("read", "subkeys/a")
    assert answer.status == 404
    assert answer.data is not None
    assert answer.data["metadata"]["version"] == 1
    with pytest.raises(NotFound):
        await kv("read", "subkeys/none")


async def test_config_is_partly_updated_and_survives_a_restart(kv: Mounted) -> None:
    empty = {"cas_required": False, "delete_version_after": "0s", "max_versions": 0, "metadata_cas_required": False}
    assert await kv.data("config") == empty
    await kv("update", "config", max_versions=3)
    await kv("update", "config", delete_version_after="90m")
    expected = empty | {"max_versions": 3, "delete_version_after": "1h30m0s"}
    assert await kv.data("config") == expected
    assert await (await open_kv(kv.store)).data("config") == expected
    with pytest.raises(InvalidRequest, match="delete_version_after"):
        await kv("update", "config", delete_version_after="x")


async def test_another_servers_change_of_config_is_seen_once_told(kv: Mounted) -> None:
    other = await open_kv(kv.store)
    await kv.data("config")
    await other("update", "config", cas_required=True)
    kv.engine.invalidate("config")
    assert (await kv.data("config"))["cas_required"] is True


# -- routes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "path", "start"),
    [
        pytest.param("read", "x/y", "Invalid path for a versioned K/V secrets engine", id="a_read_like_version_1"),
        pytest.param("update", "x", "Invalid path for a versioned K/V secrets engine", id="a_write_like_version_1"),
        pytest.param("list", "", "Invalid path for a versioned K/V secrets engine", id="a_list_like_version_1"),
        pytest.param("read", "datax", "Invalid path for a versioned K/V secrets engine", id="almost_data"),
        pytest.param("read", "data", "Non-listing operations on the root", id="the_top_of_data"),
        pytest.param("delete", "metadata/", "Non-listing operations on the root", id="the_top_of_metadata"),
    ],
)
async def test_wrong_paths_give_hints(kv: Mounted, operation: str, path: str, start: str) -> None:
    answer = await kv(operation, path, x=1)
    assert answer.status == 404
    assert answer.warnings[0].startswith(start)


@pytest.mark.parametrize(
    ("operation", "path"), [("list", "data"), ("list", "data/a"), ("read", "destroy/a"), ("delete", "config")]
)
async def test_other_operations_on_known_paths_are_unsupported(kv: Mounted, operation: str, path: str) -> None:
    with pytest.raises(UnsupportedOperation):
        await kv(operation, path)


@pytest.mark.parametrize("name", ["a+b", "d='x", "q?x#y", "sp ace", "кл", "🔑", "back\\slash", "a/1", "a/1/2"])
async def test_odd_names_round_trip(kv: Mounted, name: str) -> None:
    await write(kv, "a", {"other": 1})
    await write(kv, name, {"n": name})
    assert await value(kv, name) == (200, {"n": name})
    assert name.split("/", maxsplit=1)[0] + "/" * ("/" in name) in await kv.keys("metadata")
    assert await value(kv, "a") == (200, {"other": 1})


async def test_policies_can_tell_create_from_update(kv: Mounted) -> None:
    async def exists(path: str) -> bool | None:
        return await kv.engine.exists(Request(Operation.CREATE, path))

    assert await exists("data/a") is False
    await write(kv, "a", {})
    await kv("delete", "data/a")
    assert await exists("data/a") is True
    assert await exists("metadata/a") is True
    assert await exists("config") is None
    assert await exists("delete/a") is None


async def test_unknown_parameters_are_named(kv: Mounted) -> None:
    answer = await kv("update", "data/a", data={}, extra=1, version=4)
    assert answer.warnings == ["Endpoint ignored these unrecognized parameters: [extra]"]


# -- upgrade --------------------------------------------------------------------------------------------------------


async def test_an_upgrade_makes_each_secret_the_first_version_of_itself() -> None:
    old = Mounted(Engine)
    await old.ask("update", "metadata/x", codec.loads(b'{"n":1.10}'))
    await old("update", "a", v=2)
    new = await open_kv(old.store)
    assert await new.keys("metadata") == ["a", "metadata/"]
    assert await value(new, "a") == (200, {"v": 2})
    data = (await new.data("data/metadata/x"))["data"]
    assert codec.encode(data) == b'{"n":1.10}'
    assert (await new.data("metadata/a"))["current_version"] == 1
    assert await new.store.list("v1/") == []
    await (await open_kv(new.store))("update", "data/a", data={"v": 3})


def test_a_mount_goes_from_version_1_to_2_and_not_back() -> None:
    old, new = Mounted(Engine), Mounted(Engine, options={"version": "2"})
    assert old.engine.check_options({"version": "2"})[0].startswith("Upgrading mount from version 1 to version 2")
    assert old.engine.check_options({"version": "1"}) == []
    assert new.engine.check_options({"version": "2", "x": "y"}) == []
    with pytest.raises(InvalidRequest, match="unknown kv version"):
        old.engine.check_options({"version": "3"})
    for version in ("1", ""):
        with pytest.raises(InvalidRequest, match="cannot downgrade mount from version 2"):
            new.engine.check_options({"version": version})


@pytest.mark.parametrize("operation", [*Operation])
@pytest.mark.parametrize("path", ["", "/", "data", "data/", "data//", "metadata//", "config/x", "delete/ ", "🔑"])
async def test_no_path_is_a_bug(kv: Mounted, operation: Operation, path: str) -> None:
    with contextlib.suppress(InvalidRequest, NotFound, UnsupportedOperation):
        await kv(operation, path, data={}, versions=[1])
