"""Conditions keep the time of their last change, and only news becomes an Event."""

from strongroom_operator.conditions import Condition, changes, merge

EARLIER, LATER = 1_700_000_000.0, 1_700_000_100.0


def test_a_status_that_stays_keeps_its_time_though_the_reason_changes() -> None:
    first = merge([], [Condition("Ready", "False", "A", "a")], generation=1, now=EARLIER)
    second = merge(first, [Condition("Ready", "False", "B", "b")], generation=2, now=LATER)
    assert second[0]["lastTransitionTime"] == first[0]["lastTransitionTime"] == "2023-11-14T22:13:20Z"
    assert (second[0]["reason"], second[0]["observedGeneration"]) == ("B", 2)


def test_a_new_status_has_a_new_time() -> None:
    first = merge([], [Condition("Ready", "False", "A")], generation=1, now=EARLIER)
    second = merge(first, [Condition("Ready", "True", "A")], generation=1, now=LATER)
    assert second[0]["lastTransitionTime"] == "2023-11-14T22:15:00Z"


def test_conditions_of_others_stay() -> None:
    others = [{"type": "Theirs", "status": "True"}]
    merged = merge(others, [Condition("Ready", "True", "A")], generation=1, now=EARLIER)
    assert [item["type"] for item in merged] == ["Ready", "Theirs"]


def test_long_messages_are_cut() -> None:
    merged = merge([], [Condition("Ready", "False", "A", "x" * 5000)], generation=1, now=EARLIER)
    assert len(merged[0]["message"]) == 1024


def test_news_is_a_new_status_or_reason() -> None:
    known = merge([], [Condition("A", "True", "x"), Condition("B", "True", "x")], generation=1, now=EARLIER)
    seen = [Condition("A", "True", "x", "other words"), Condition("B", "True", "y"), Condition("C", "True", "z")]
    assert [condition.type for condition in changes(known, seen)] == ["B", "C"]
