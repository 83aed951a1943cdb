"""What waits some minutes is fetched once, in time, and never by more than there is room for."""

from itertools import count

from strongroom_common.clock import FakeClock
from strongroom_server.core.identity.fleeting import LIFETIME, Fleeting


def fleeting(clock: FakeClock, most: int = 10) -> Fleeting[str]:
    numbers = count(1)
    return Fleeting(clock, most, lambda: f"key-{next(numbers)}")


def test_a_value_is_found_often_and_taken_once() -> None:
    kept = fleeting(FakeClock())
    text = kept.keep("a")
    assert [kept.find(text), kept.find(text), kept.take(text), kept.take(text), kept.find(text)] == [
        "a", "a", "a", None, None
    ]  # fmt: skip
    assert kept.take("unknown") is None


async def test_a_value_is_gone_at_its_end() -> None:
    clock = FakeClock()
    kept = fleeting(clock)
    text = kept.keep("a")
    await clock.advance(LIFETIME - 1)
    assert kept.find(text) == "a"
    await clock.advance(1)
    assert kept.take(text) is None


def test_the_oldest_go_where_there_are_too_many() -> None:
    kept = fleeting(FakeClock(), most=2)
    texts = [kept.keep(value) for value in "abc"]
    assert [kept.find(text) for text in texts] == [None, "b", "c"]
