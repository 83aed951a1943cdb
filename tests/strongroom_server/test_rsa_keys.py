import asyncio

import pytest

from strongroom_server.lib.rsa_keys import RsaKeys
from strongroom_server.sdk.errors import Unavailable


async def filled(keys: RsaKeys, bits: int, count: int) -> None:
    while keys.ready(bits) < count:  # noqa: ASYNC110 - what is waited for happens in another process
        await asyncio.sleep(0.02)


async def test_keys_are_made_when_asked_for_and_then_ahead() -> None:
    keys = RsaKeys({2048: 3}, children=1)
    first, second = await asyncio.gather(keys.take(2048), keys.take(2048))
    assert first.key_size == second.key_size == 2048
    assert first.private_numbers() != second.private_numbers()
    await filled(keys, 2048, 3)
    assert (await asyncio.wait_for(keys.take(2048), 0.05)).key_size == 2048
    await keys.close()
    assert keys.ready(2048) == 0


async def test_who_waits_when_the_pool_closes_is_told() -> None:
    keys = RsaKeys({2048: 3}, children=1)
    waiting = asyncio.ensure_future(keys.take(4096))
    await asyncio.sleep(0.05)
    await keys.close()
    with pytest.raises(Unavailable):
        await waiting
    with pytest.raises(Unavailable):
        await keys.take(2048)


async def test_another_size_is_made_but_not_kept() -> None:
    keys = RsaKeys({}, children=1)
    assert (await keys.take(2048)).key_size == 2048
    await keys.close()
    assert keys.ready(2048) == 0


@pytest.mark.slow
async def test_the_loop_goes_on_while_keys_are_made() -> None:
    keys = RsaKeys({2048: 10}, children=1)
    taken, turns = asyncio.ensure_future(keys.take(4096)), 0
    while not taken.done():
        await asyncio.sleep(0.001)
        turns += 1
    await keys.close()
    assert turns > 10  # were the key made here, there would be two


async def test_who_comes_while_the_last_child_ends_is_served_too() -> None:
    keys = RsaKeys({}, children=1)
    try:
        for _ in range(3):
            await asyncio.wait_for(keys.take(1024, ahead=False), 30)
    finally:
        await keys.close()
