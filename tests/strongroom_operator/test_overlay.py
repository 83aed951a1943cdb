"""What a user writes over what the operator made."""

from typing import Any

import pytest

from strongroom_operator.overlay import overlay


@pytest.mark.parametrize(
    ("base", "over", "expected"),
    [
        pytest.param({"a": 1}, {}, {"a": 1}, id="nothing_changes_nothing"),
        pytest.param({"a": {"b": 1}}, {"a": {"c": 2}}, {"a": {"b": 1, "c": 2}}, id="maps_merge"),
        pytest.param({"a": [1, 2]}, {"a": [3]}, {"a": [3]}, id="plain_lists_are_replaced"),
        pytest.param(
            {"env": [{"name": "x", "value": "1"}, {"name": "y", "value": "2"}]},
            {"env": [{"name": "y", "value": "3"}, {"name": "z", "value": "4"}]},
            {"env": [{"name": "x", "value": "1"}, {"name": "y", "value": "3"}, {"name": "z", "value": "4"}]},
            id="named_items_merge_by_name_and_new_ones_follow",
        ),
        pytest.param(
            {"containers": [{"name": "a"}, {"name": "b"}]},
            {"containers": [{"name": "a", "$patch": "delete"}]},
            {"containers": [{"name": "b"}]},
            id="delete_removes_an_item",
        ),
        pytest.param({"a": {"b": 1}, "c": 2}, {"a": {"$patch": "delete"}}, {"c": 2}, id="delete_removes_a_map"),
        pytest.param({"a": {"b": 1}}, {"a": {"$patch": "replace", "c": 2}}, {"a": {"c": 2}}, id="replace_replaces"),
        pytest.param({}, {"a": {"b": {"$patch": "delete"}}}, {"a": {}}, id="delete_of_nothing_leaves_nothing"),
        pytest.param({"a": "x"}, {"a": {"b": 1}}, {"a": {"b": 1}}, id="another_kind_replaces"),
    ],
)
def test_merging(base: Any, over: Any, expected: Any) -> None:
    assert overlay(base, over) == expected
