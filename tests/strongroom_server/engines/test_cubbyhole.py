import pytest

from strongroom_server.engines.cubbyhole import Engine
from strongroom_server.sdk import codec
from strongroom_server.sdk.errors import InvalidRequest, NotFound, PermissionDenied
from strongroom_server.sdk.request import Caller, Operation, Request
from tests.strongroom_server.fakes import Mounted, caller


@pytest.fixture
def cubbyhole() -> Mounted:
    return Mounted(Engine)


async def test_a_token_finds_its_own_secrets_and_nobody_elses(cubbyhole: Mounted) -> None:
    mine, other = caller("aaa"), caller("bbb")
    await cubbyhole.ask("update", "a/b", codec.loads(b'{"n":9007199254740993,"f":1.10}'), caller=mine)
    read = await cubbyhole.ask("read", "a/b", caller=mine)
    assert codec.encode_sorted(read.data) == b'{"f":1.10,"n":9007199254740993}'
    assert (await cubbyhole.ask("list", "", caller=mine)).data == {"keys": ["a/"]}
    for operation, path in (("read", "a/b"), ("list", ""), ("list", "a")):
        with pytest.raises(NotFound):
            await cubbyhole.ask(operation, path, caller=other)
    assert await cubbyhole.store.list("") == ["aaa/"]


async def test_create_and_update_are_told_apart_per_token(cubbyhole: Mounted) -> None:
    await cubbyhole.ask("update", "a", {"x": 1}, caller=caller("aaa"))
    for token, there in (("aaa", True), ("bbb", False)):
        request = Request(Operation.CREATE, "a", caller=caller(token))
        assert await cubbyhole.engine.exists(request) is there


@pytest.mark.parametrize("who", [pytest.param(None, id="nobody"), pytest.param(Caller(), id="no_token")])
async def test_without_a_token_there_is_no_cubbyhole(cubbyhole: Mounted, who: Caller | None) -> None:
    with pytest.raises(PermissionDenied):
        await cubbyhole.ask("update", "a", {"x": 1}, caller=who)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("a", {}, id="nothing_to_write"),
        pytest.param("", {"x": 1}, id="no_path"),
        pytest.param("a/", {"x": 1}, id="a_folder"),
    ],
)
async def test_bad_writes_are_refused(cubbyhole: Mounted, path: str, body: dict[str, int]) -> None:
    with pytest.raises(InvalidRequest):
        await cubbyhole.ask("update", path, body, caller=caller("aaa"))
