import asyncio
import time

import pytest

from strongroom_common.clock import FakeClock, SystemClock, rfc3339


async def test_sleepers_wake_in_order_and_see_their_own_moment():
    clock, woken = FakeClock(time=0), []

    async def sleeper(seconds):
        await clock.sleep(seconds)
        woken.append((seconds, clock.now()))

    tasks = [asyncio.create_task(sleeper(seconds)) for seconds in (3, 1, 2, 9)]
    await clock.advance(5)
    assert woken == [(1, 1), (2, 2), (3, 3)]
    assert clock.now() == 5
    await clock.advance(5)
    await asyncio.gather(*tasks)
    assert woken[-1] == (9, 9)


async def test_one_who_sleeps_again_is_woken_again():
    clock, ticks = FakeClock(time=0), []

    async def ticker():
        while True:
            await clock.sleep(1)
            ticks.append(clock.now())

    task = asyncio.create_task(ticker())
    await clock.advance(3.5)
    assert ticks == [1, 2, 3]
    task.cancel()


async def test_a_cancelled_sleeper_does_not_stop_time():
    clock = FakeClock(time=0)
    task = asyncio.create_task(clock.sleep(1))
    await asyncio.sleep(0)
    task.cancel()
    await clock.advance(2)
    assert task.cancelled()


async def test_no_time_at_all_is_over_at_once():
    clock = FakeClock()
    await clock.sleep(0)
    await clock.sleep(-1)


async def test_the_machine_s_clock():
    clock = SystemClock()
    before = clock.now()
    await clock.sleep(0.001)
    assert before < clock.now() <= time.time()


@pytest.mark.parametrize(
    ("moment", "text"),
    [(0, "1970-01-01T00:00:00.000000Z"), (1700000000.25, "2023-11-14T22:13:20.250000Z")],
)
def test_a_moment_is_printed(moment, text):
    assert rfc3339(moment) == text
