from typing import Any

import pytest

from strongroom_server.engines.kv import Engine
from strongroom_server.sdk import codec
from strongroom_server.sdk.errors import InvalidRequest, NotFound, UnsupportedOperation
from strongroom_server.sdk.request import Operation, Request
from tests.strongroom_server.fakes import Mounted


@pytest.fixture
async def kv() -> Mounted:
    return await Mounted(Engine).start()


async def test_what_is_written_is_read_with_its_exact_numbers(kv: Mounted) -> None:
    body = codec.loads(b'{"big":12345678901234567890123,"exact":1.10,"exp":1E3,"n":null,"data":{"x":[1.0,{}]}}')
    answer = await kv.ask("update", "data/x", body)
    assert answer.data is None
    assert answer.status == 0
    read = await kv("read", "data/x")
    assert codec.encode_sorted(read.data) == (
        b'{"big":12345678901234567890123,"data":{"x":[1.0,{}]},"exact":1.10,"exp":1E3,"n":null}'
    )


async def test_names_are_listed_with_folders_and_deleted_ones_are_gone(kv: Mounted) -> None:
    for path in ("a", "a/b", "z/y/x", "кл", "d='x?#"):
        await kv("update", path, v=1)
    assert await kv.keys("") == ["a", "a/", "d='x?#", "z/", "кл"]
    assert await kv.keys("z") == await kv.keys("z/") == ["y/"]
    await kv("delete", "a/b")
    await kv("delete", "a/b")
    with pytest.raises(NotFound):
        await kv.keys("a")
    with pytest.raises(NotFound):
        await kv("read", "a/b")


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        pytest.param({"ttl": "1h"}, 3600, id="a_duration"),
        pytest.param({"lease": 90}, 90, id="seconds_under_the_old_name"),
        pytest.param({"ttl": "1h", "lease": "2h"}, 3600, id="ttl_goes_before_lease"),
        pytest.param({"ttl": "bad", "lease": "2h"}, 2764800, id="a_bad_one_is_the_mounts_default"),
        pytest.param({"ttl": "1d"}, 86400, id="days"),
        pytest.param({"ttl": "1500ms"}, 1, id="whole_seconds"),
        pytest.param({"ttl": None}, 0, id="null_is_none"),
        pytest.param({"ttl": True}, 2764800, id="a_boolean_is_no_duration"),
        pytest.param({"ttl": {}}, 2764800, id="an_object_is_no_duration"),
        pytest.param({"x": 1}, 2764800, id="nothing_said_is_the_mounts_default"),
    ],
)
async def test_the_ttl_key_says_when_to_look_again(kv: Mounted, body: dict[str, Any], seconds: int) -> None:
    await kv.ask("update", "t", body)
    lease = (await kv("read", "t")).lease
    assert lease is not None
    assert (lease.kind, lease.ttl, lease.renewable) == ("", seconds, False)


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        pytest.param("a", {}, "missing data fields", id="an_empty_body"),
        pytest.param("", {"x": 1}, "missing path", id="no_path"),
        pytest.param("a/", {"x": 1}, "cannot write to a path ending in '/'", id="a_folder"),
    ],
)
async def test_bad_writes_change_nothing(kv: Mounted, path: str, body: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        await kv.ask("update", path, body)
    assert await kv.store.list("") == []


async def test_policies_can_tell_create_from_update(kv: Mounted) -> None:
    assert await kv.engine.exists(Request(Operation.CREATE, "a")) is False
    await kv("update", "a", x=1)
    assert await kv.engine.exists(Request(Operation.CREATE, "a")) is True


async def test_patch_is_not_for_version_1(kv: Mounted) -> None:
    with pytest.raises(UnsupportedOperation):
        await kv("patch", "a", x=1)


@pytest.mark.parametrize("version", ["0", "3", "x"])
def test_other_versions_are_refused(version: str) -> None:
    with pytest.raises(InvalidRequest, match="version"):
        Engine.choose({"version": version})
