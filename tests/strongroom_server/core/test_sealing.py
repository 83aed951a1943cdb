"""Initialising, unsealing, sealing; and that a sealed server answers nothing."""

import pytest

from strongroom_server.sdk.request import Operation
from tests.strongroom_server.live import Live, start_live


async def initialized(shares: int, threshold: int) -> tuple[Live, list[str], str]:
    live = await start_live(dev_mode=False)
    answer = await live.post("sys/init", {"secret_shares": shares, "secret_threshold": threshold}, token="")
    assert answer.status == 200, answer
    return live, answer.body["keys"], answer.body["root_token"]


@pytest.mark.parametrize(
    ("shares", "threshold"),
    [
        pytest.param(1, 1, id="one_share"),
        pytest.param(5, 3, id="three_of_five"),
        pytest.param(3, 3, id="all_of_three"),
        pytest.param(10, 2, id="two_of_ten"),
    ],
)
async def test_the_threshold_opens_and_not_one_share_less(shares: int, threshold: int) -> None:
    live, keys, root = await initialized(shares, threshold)
    for done in range(threshold):
        assert (await live.get("sys/seal-status", token="")).body["progress"] == done
        assert (await live.get("sys/mounts", token=root)).status == 503
        answer = await live.post("sys/unseal", {"key": keys[-1 - done]}, token="")
        assert answer.status == 200
    assert answer.body["sealed"] is False
    assert (await live.get("sys/mounts", token=root)).status == 200


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"secret_shares": 5, "secret_threshold": 6}, id="more_needed_than_there_are"),
        pytest.param({"secret_shares": 5, "secret_threshold": 1}, id="one_of_many"),
        pytest.param({"secret_shares": 0, "secret_threshold": 0}, id="none_at_all"),
        pytest.param({"secret_shares": 256, "secret_threshold": 3}, id="more_than_the_field_has"),
        pytest.param({}, id="nothing_said"),
    ],
)
async def test_impossible_numbers_initialise_nothing(body: dict[str, int]) -> None:
    live = await start_live(dev_mode=False)
    assert (await live.post("sys/init", body, token="")).status == 400
    assert (await live.get("sys/init", token="")).body == {"initialized": False}


async def test_only_the_first_init_counts() -> None:
    live, _, _ = await initialized(1, 1)
    again = await live.post("sys/init", {"secret_shares": 1, "secret_threshold": 1}, token="")
    assert again.status == 400


async def test_wrong_shares_open_nothing_and_are_forgotten() -> None:
    live, keys, _ = await initialized(5, 3)
    _, others, _ = await initialized(5, 3)
    for key in (keys[0], keys[1]):
        await live.post("sys/unseal", {"key": key}, token="")
    wrong = await live.post("sys/unseal", {"key": others[2]}, token="")
    assert wrong.status == 400
    assert (await live.get("sys/seal-status", token="")).body["progress"] == 0
    for key in keys[:3]:
        last = await live.post("sys/unseal", {"key": key}, token="")
    assert last.body["sealed"] is False


async def test_the_same_share_twice_counts_once() -> None:
    live, keys, _ = await initialized(3, 2)
    for _ in range(4):
        answer = await live.post("sys/unseal", {"key": keys[0]}, token="")
    assert answer.body["sealed"] is True
    assert answer.body["progress"] == 1
    assert (await live.post("sys/unseal", {"reset": True}, token="")).body["progress"] == 0


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("", id="empty"),
        pytest.param("zz!", id="neither_hex_nor_base64"),
        pytest.param("00ff", id="short"),
    ],
)
async def test_what_can_be_no_share_is_refused(key: str) -> None:
    live, _, _ = await initialized(3, 2)
    assert (await live.post("sys/unseal", {"key": key}, token="")).status == 400


async def test_a_sealed_server_answers_nothing(live: Live) -> None:
    await live.post("secret/data/a", {"data": {"x": "hidden"}})
    await live.server.sealing.seal()
    open_paths = {"sys/health", "sys/seal-status", "sys/init", "sys/leader", "sys/unseal"}
    paths = {path.template for path in live.server.sealed_sys.paths}
    for template in sorted(paths):
        path = "sys/" + template.split("{")[0].rstrip("/")
        for operation in (Operation.LIST, Operation.DELETE, Operation.PATCH):
            answer = await live.ask(operation, path)
            unknown = 404 if operation is Operation.LIST else 405
            assert answer.status == (unknown if path in open_paths else 503), (path, operation, answer)
    for path in ("secret/data/a", "auth/token/lookup-self", "cubbyhole/x", "nothing/here"):
        assert (await live.get(path)).status == 503
    health = await live.get("sys/health", token="")
    assert (health.status, health.body["sealed"]) == (503, True)


async def test_a_sealed_server_leads_nobody(live: Live) -> None:
    assert (await live.get("sys/leader", token="")).body["is_self"] is True
    await live.server.sealing.seal()
    answer = await live.get("sys/leader", token="")
    assert (answer.status, answer.body["ha_enabled"], answer.body["is_self"]) == (200, False, False)


async def test_what_was_written_is_there_after_unsealing(live: Live) -> None:
    await live.post("secret/data/a", {"data": {"x": 1.5}})
    await live.server.sealing.seal()
    await live.post("sys/unseal", {"key": live.unseal_key}, token="")
    assert (await live.get("secret/data/a")).data["data"] == {"x": "1.5"}


async def test_a_server_is_sealed_when_it_says_so(live: Live) -> None:
    assert (await live.post("sys/seal")).status == 204
    assert (await live.get("sys/seal-status", token="")).body["sealed"] is True
    assert (await live.get("secret/data/a")).status == 503


async def test_who_may_not_seal_does_not(live: Live) -> None:
    token = await live.make_token(policies=["default"])
    assert (await live.post("sys/seal", token=token)).status == 403
    assert (await live.get("sys/seal-status", token="")).body["sealed"] is False
