import threading

import pytest

from strongroom_agent.loop import BackOff, Loop
from strongroom_common.clock import FakeClock


def test_timers_run_in_their_order_and_cancelled_ones_do_not():
    clock, seen = FakeClock(), []
    loop = Loop(clock)
    loop.after(3, lambda: (seen.append("third"), loop.stop(7)))
    loop.after(1, lambda: (seen.append("first"), setattr(clock, "time", clock.time + 5)))
    loop.after(2, lambda: seen.append("second"))
    loop.after(2, lambda: seen.append("never")).cancel()
    clock.time += 1
    assert loop.run() == 7
    assert seen == ["first", "second", "third"]


def test_outcomes_come_back_to_the_loops_thread():
    loop, seen = Loop(FakeClock()), []

    def failed(outcome):
        with pytest.raises(KeyError):
            outcome.get()
        loop.stop(0)

    def done(outcome):
        seen.append((outcome.get(), threading.current_thread()))
        loop.start(lambda: {}["x"], failed)

    loop.start(threading.current_thread, done)
    assert loop.run() == 0
    worker, deciding = seen[0]
    assert deciding is threading.current_thread()
    assert worker is not deciding


def test_no_more_jobs_run_at_once_than_allowed():
    loop, seen, running, lock = Loop(FakeClock(), jobs=2), [], [0, 0], threading.Lock()
    gate = threading.Barrier(2)

    def work():
        with lock:
            running[0] += 1
            running[1] = max(running)
        gate.wait(5)
        with lock:
            running[0] -= 1

    for _ in range(6):
        loop.start(work, lambda _: (seen.append(1), len(seen) == 6 and loop.stop(0)))
    assert loop.run() == 0
    assert running == [0, 2]


def test_the_first_stop_counts():
    loop = Loop(FakeClock())
    loop.post(lambda: (loop.stop(3), loop.stop(4)))
    assert loop.run() == 3


def test_pauses_double_up_to_a_limit_and_are_spread():
    back_off = BackOff(1, 8, lambda: 0.0)
    assert [back_off.next() for _ in range(5)] == [1, 2, 4, 8, 8]
    back_off.reset()
    assert back_off.next() == 1
    assert BackOff(1, 8, lambda: 1.0).next() == 0.75
