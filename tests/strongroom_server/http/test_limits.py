"""What is settled by counting signs is settled as by looking at every value."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom_server.http.limits import JsonLimits, TooComplex

TEXTS = st.text('a,:"[]{}\\ é', max_size=8) | st.sampled_from(["},{", "}, {", "],[", "]", "[" * 9, "x" * 12])
VALUES = st.recursive(
    st.none() | st.integers(0, 99) | TEXTS,
    lambda inside: st.lists(inside, max_size=7) | st.dictionaries(TEXTS, inside, max_size=4),
    max_leaves=25,
)
FORMS: list[dict[str, Any]] = [{}, {"separators": (",", ":")}, {"indent": 1}, {"ensure_ascii": False}]


def refused(check: Any, *given_: Any) -> bool:
    try:
        check(*given_)
    except TooComplex:
        return True
    return False


@settings(max_examples=300, deadline=None)
@given(VALUES, st.sampled_from(FORMS), st.integers(1, 6), st.integers(3, 12), st.integers(1, 40))
def test_counting_refuses_what_looking_does(
    value: Any, form: dict[str, Any], depth: int, entries: int, strings: int
) -> None:
    limits = JsonLimits(depth, text=10, entries=entries, elements=entries, strings=strings, memory=1 << 20)
    assert refused(limits.check, json.dumps(value, **form).encode(), value) is refused(limits._walk, value)
