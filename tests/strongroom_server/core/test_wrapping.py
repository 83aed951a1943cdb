"""Response wrapping: an answer that can be opened once."""

import asyncio
import json

import pytest

from tests.strongroom_server.live import Live


async def wrapped(live: Live, ttl: int = 60) -> str:
    await live.post("secret/data/a", {"data": {"x": 1}})
    answer = await live.get("secret/data/a", wrap_ttl=ttl)
    assert answer.body["data"] is None
    token: str = answer.body["wrap_info"]["token"]
    return token


async def test_it_opens_once(live: Live) -> None:
    token = await wrapped(live)
    opened = await live.post("sys/wrapping/unwrap", token=token)
    assert opened.data["data"] == {"x": 1}
    assert (await live.post("sys/wrapping/unwrap", token=token)).status == 400
    assert (await live.post("sys/wrapping/unwrap", {"token": token})).status == 400


@pytest.mark.parametrize("in_header", [pytest.param(True, id="by_its_own_token"), pytest.param(False, id="by_another")])
async def test_of_many_at_once_one_opens_it(live: Live, in_header: bool) -> None:
    token = await wrapped(live)
    call = {"token": token} if in_header else {"body": {"token": token}}
    answers = await asyncio.gather(*(live.post("sys/wrapping/unwrap", **call) for _ in range(20)))
    assert sum(answer.status == 200 for answer in answers) == 1


async def test_looking_does_not_use_it_up(live: Live) -> None:
    token = await wrapped(live, ttl=90)
    for _ in range(3):
        looked = await live.post("sys/wrapping/lookup", {"token": token}, token="")
        assert looked.data["creation_ttl"] == 90
        assert looked.data["creation_path"] == "secret/data/a"
    assert (await live.post("sys/wrapping/unwrap", token=token)).status == 200


async def test_it_ends_unopened(live: Live) -> None:
    token = await wrapped(live, ttl=5)
    await live.clock.advance(6)
    assert (await live.post("sys/wrapping/unwrap", token=token)).status == 400


async def test_rewrapping_hands_it_on(live: Live) -> None:
    first = await wrapped(live)
    answer = await live.post("sys/wrapping/rewrap", {"token": first})
    second = answer.body["wrap_info"]["token"]
    assert (await live.post("sys/wrapping/unwrap", {"token": first})).status == 400
    assert (await live.post("sys/wrapping/unwrap", {"token": second})).data["data"] == {"x": 1}


async def test_own_data_can_be_wrapped(live: Live) -> None:
    answer = await live.post("sys/wrapping/wrap", {"any": ["thing", 1]}, wrap_ttl=60)
    token = answer.body["wrap_info"]["token"]
    assert (await live.post("sys/wrapping/unwrap", token=token)).data == {"any": ["thing", 1]}
    assert (await live.post("sys/wrapping/wrap", {"any": 1})).status == 400


async def test_older_clients_read_it_where_it_lies(live: Live) -> None:
    token = await wrapped(live)
    held = (await live.get("cubbyhole/response", token=token)).data["response"]
    assert json.loads(held)["data"]["data"] == {"x": 1}
    assert (await live.get("cubbyhole/response", token=token)).status == 403


async def test_what_is_opened_can_be_wrapped_again(live: Live) -> None:
    first = await wrapped(live)
    answer = await live.post("sys/wrapping/unwrap", {"token": first}, wrap_ttl=60)
    assert answer.body["data"] is None
    assert answer.body["wrap_info"]["creation_path"] == "sys/wrapping/unwrap"
    second = answer.body["wrap_info"]["token"]
    assert (await live.post("sys/wrapping/unwrap", token=second)).data["data"] == {"x": 1}


async def test_its_token_opens_nothing_else(live: Live) -> None:
    token = await wrapped(live)
    assert (await live.get("secret/data/a", token=token)).status == 403
