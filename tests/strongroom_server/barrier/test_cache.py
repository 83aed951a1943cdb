import pytest

from strongroom_server.barrier.cache import ABSENT, EntryCache


def keep(cache: EntryCache, key: str, value: bytes | None) -> None:
    cache.end_read(key, cache.begin_read(key), value)


def test_the_least_recently_used_entry_goes_first():
    cache = EntryCache(max_entries=2)
    keep(cache, "a", b"1")
    keep(cache, "b", b"2")
    assert cache.look_up("a") == b"1"
    keep(cache, "c", None)
    assert cache.look_up("b") is ABSENT
    assert cache.look_up("a") == b"1"
    assert cache.look_up("c") is None


def test_the_cache_stays_within_its_bytes():
    cache = EntryCache(max_bytes=10_000)
    for number in range(100):
        keep(cache, f"k{number}", b"x" * 500)
    assert 0 < cache.size <= 10_000
    keep(cache, "huge", b"x" * 5000)
    assert cache.look_up("huge") is ABSENT
    assert cache.look_up("k99") == b"x" * 500
    keep(cache, "k99", b"x" * 5000)
    assert cache.look_up("k99") is ABSENT  # the older value must not stay
    cache.forget_all()
    assert (cache.size, len(cache)) == (0, 0)


@pytest.mark.parametrize("limits", [{"max_entries": 0}, {"max_bytes": 0}], ids=str)
def test_a_cache_of_nothing_keeps_nothing(limits: dict[str, int]):
    cache = EntryCache(**limits)
    keep(cache, "a", b"1")
    assert cache.look_up("a") is ABSENT
    assert cache.size == 0


def test_a_write_is_kept_and_one_that_failed_is_not():
    cache = EntryCache()
    cache.end_read("a", cache.begin_read("a"), None)
    cache.begin_write(["a"])
    cache.end_write({"a": b"1"}, done=True)
    assert cache.look_up("a") == b"1"
    cache.begin_write(["a"])
    cache.end_write({"a": b"2"}, done=False)
    assert cache.look_up("a") is ABSENT


def test_a_read_that_overlaps_a_write_is_not_kept():
    cache = EntryCache()
    reading = cache.begin_read("a")
    cache.begin_write(["a"])
    cache.end_write({"a": b"new"}, done=True)
    cache.end_read("a", reading, b"old")
    assert cache.look_up("a") == b"new"


def test_a_read_that_an_invalidation_overtakes_is_not_kept():
    cache = EntryCache()
    reading = cache.begin_read("a")
    cache.forget("a")
    cache.end_read("a", reading, b"old")
    assert cache.look_up("a") is ABSENT
    reading = cache.begin_read("a")
    cache.forget_all()
    cache.end_read("a", reading, b"old")
    assert cache.look_up("a") is ABSENT


def test_overlapping_writes_of_one_key_are_not_kept_until_all_have_ended():
    cache = EntryCache()
    for _ in range(3):
        cache.begin_write(["a"])
    for value in (b"1", b"2", b"3"):
        cache.end_write({"a": value}, done=True)
        assert cache.look_up("a") is ABSENT
    cache.end_read("a", cache.begin_read("a"), b"3")
    cache.begin_write(["a"])
    cache.end_write({"a": b"4"}, done=True)
    assert cache.look_up("a") == b"4"


def test_what_nobody_has_read_takes_no_room():
    cache = EntryCache()
    cache.begin_write(["a"])
    cache.end_write({"a": b"1"}, done=True)
    assert cache.look_up("a") is ABSENT
    assert not len(cache)


def test_a_failed_read_leaves_nothing_behind():
    cache = EntryCache()
    cache.end_read("a", cache.begin_read("a"), ABSENT)
    assert cache.look_up("a") is ABSENT
    assert not cache._reading
