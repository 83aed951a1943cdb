import json
from typing import Any

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom_injector.patch import diff, encode

A, B, C = ({"name": name, "image": "1"} for name in "abc")


@pytest.mark.parametrize(
    ("old", "new", "operations"),
    [
        pytest.param({"a": 1}, {"a": 1}, [], id="nothing"),
        pytest.param({}, {"a/b~c": 1}, [{"op": "add", "path": "/a~1b~0c", "value": 1}], id="keys_are_escaped"),
        pytest.param({"a": 1}, {}, [{"op": "remove", "path": "/a"}], id="removed"),
        pytest.param({"a": 1}, {"a": True}, [{"op": "replace", "path": "/a", "value": True}], id="one_is_not_true"),
        pytest.param([A], [A, B], [{"op": "add", "path": "/1", "value": B}], id="appended"),
        pytest.param([A], [B, A], [{"op": "add", "path": "/0", "value": B}], id="put_first"),
        pytest.param(
            [A, C], [{**A, "x": 1}, B, C],
            [{"op": "add", "path": "/0/x", "value": 1}, {"op": "add", "path": "/1", "value": B}],
            id="changed_and_between",
        ),
        pytest.param([A, B], [B], [{"op": "replace", "path": "", "value": [B]}], id="taken_away"),
        pytest.param([A, B], [B, A], [{"op": "replace", "path": "", "value": [B, A]}], id="other_order"),
    ],
)  # fmt: skip
def test_smallest_patch(old: Any, new: Any, operations: list[dict[str, Any]]) -> None:
    assert diff(old, new) == operations


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab/~", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text("ab/~", max_size=2), inner, max_size=4)
        | st.fixed_dictionaries({"name": st.text("xy", max_size=1)}, optional={"image": inner})
    ),
    max_leaves=12,
)


@given(VALUES, VALUES)
def test_a_patch_makes_the_old_into_the_new(old: Any, new: Any) -> None:
    operations = json.loads(encode(diff({"v": old}, {"v": new})))
    assert json.dumps(jsonpatch.apply_patch({"v": old}, operations), sort_keys=True) == json.dumps(
        {"v": new}, sort_keys=True
    )
