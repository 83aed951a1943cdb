import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import pytest

from strongroom_server.lib import ec_keys
from strongroom_server.lib.ec_keys import EcKey
from strongroom_server.lib.x509 import PublicPart, key_bits, key_kind, key_pem, load_key, public_part

_PATIENCE = 60  # seconds: only a bound, for a machine that has much else to do

EcKeys = partial(ec_keys.EcKeys, few=0)  # the first to ask starts the child


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(_PATIENCE):
        while not true():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.01)


@asynccontextmanager
async def pool(keys: ec_keys.EcKeys) -> AsyncIterator[ec_keys.EcKeys]:
    try:
        yield keys
    finally:
        await keys.close()


async def taken(keys: ec_keys.EcKeys, bits: int, count: int) -> list[EcKey]:
    found: list[EcKey] = []
    while len(found) < count:
        if key := keys.take(bits):
            found.append(key)
        else:
            await until(lambda: keys.ready(bits) > 0)
    return found


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("bits", [pytest.param(256, id="p_256"), pytest.param(384, id="p_384")])
async def test_a_key_is_printed_as_the_server_prints_it(bits: int) -> None:
    async with pool(EcKeys()) as keys:
        for text, public in await taken(keys, bits, 5):
            key = load_key(text)
            assert (key_kind(key), key_bits(key)) == ("ec", bits)
            assert key_pem(key) == text
            assert public_part(key) == public


async def test_no_two_keys_are_the_same() -> None:
    async with pool(EcKeys()) as keys:
        assert len({key.public for key in await taken(keys, 256, 600)}) == 600


async def test_a_few_of_a_size_are_not_worth_a_child() -> None:
    async with pool(EcKeys({256: 8, 384: 8}, few=3, idle=3600)) as keys:
        for bits in (256, 384, 256, 384, 256, 384):
            assert keys.take(bits) is None
            await asyncio.sleep(0)
        assert not keys.child()
        assert keys.take(256) is None
        await until(lambda: keys.ready(256) == 8)
        assert keys.ready(384) == 0


async def test_the_first_to_ask_starts_the_child_and_those_after_find_keys() -> None:
    async with pool(EcKeys({256: 16}, idle=3600)) as keys:
        assert keys.take(256) is None
        await until(lambda: keys.ready(256) == 16)
        assert keys.child()
        assert keys.take(256) is not None
        assert keys.ready(384) == 0


async def test_a_pool_is_filled_again_when_more_than_a_quarter_is_used() -> None:
    async with pool(EcKeys({256: 16}, idle=3600)) as keys:
        await taken(keys, 256, 1)
        await until(lambda: keys.ready(256) >= 15)
        while keys.ready(256) >= 12:
            assert keys.take(256)
        await until(lambda: keys.ready(256) >= 15)


async def test_both_sizes_are_filled_at_once() -> None:
    async with pool(EcKeys({256: 8, 384: 8})) as keys:
        assert keys.take(256) is keys.take(384) is None
        await until(lambda: keys.ready(256) == keys.ready(384) == 8)


@pytest.mark.parametrize("bits", [224, 521, 0])
async def test_of_other_sizes_there_are_none_and_no_child(bits: int) -> None:
    async with pool(EcKeys()) as keys:
        assert keys.take(bits) is None
        await asyncio.sleep(0)
        assert not keys.child()


async def test_a_child_without_calls_ends_and_another_serves_the_next() -> None:
    async with pool(EcKeys({256: 8}, idle=0.01)) as keys:
        await taken(keys, 256, 1)
        for _ in range(2):
            await until(lambda: keys.child() == 0)
            await taken(keys, 256, 12)


async def test_closing_leaves_neither_child_nor_keys() -> None:
    keys = EcKeys({256: 8}, idle=3600)
    await taken(keys, 256, 1)
    child = keys.child()
    await keys.close()
    assert gone(child)
    assert keys.child() == keys.ready(256) == 0
    assert keys.take(256) is None
    await keys.close()
    assert keys.child() == 0


async def test_closing_while_the_child_starts_leaves_none() -> None:
    keys = EcKeys()
    keys.take(256)
    await asyncio.sleep(0)
    await keys.close()
    assert keys.child() == keys.ready(256) == 0


async def test_closing_what_was_never_used_does_nothing() -> None:
    await EcKeys().close()


async def test_a_killed_child_is_replaced_and_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    async with pool(EcKeys({256: 8}, idle=3600, retry=0)) as keys:
        await taken(keys, 256, 1)
        await until(lambda: keys.ready(256) >= 7)
        killed = keys.child()
        os.kill(killed, signal.SIGKILL)
        await until(lambda: gone(killed))
        with caplog.at_level(logging.ERROR, "lib.ec_keys"):
            assert len(await taken(keys, 256, 20)) == 20
        assert keys.child() not in {0, killed}
    assert [record.message for record in caplog.records] == ["the process that makes EC keys failed"]


async def test_after_a_failure_there_are_no_keys_for_a_while_and_closing_does_not_wait() -> None:
    keys = EcKeys({256: 8}, idle=3600, retry=3600)
    await taken(keys, 256, 1)
    os.kill(keys.child(), signal.SIGKILL)
    while keys.take(256):
        pass
    await until(lambda: keys.child() == 0)
    while keys.take(256):
        pass
    await asyncio.sleep(0)
    assert keys.take(256) is None
    assert keys.child() == 0
    async with asyncio.timeout(_PATIENCE):
        await keys.close()


def test_a_key_does_not_show_itself() -> None:
    assert repr(EcKey("secret", PublicPart(b"public", b"name"))) == "EcKey(...)"
