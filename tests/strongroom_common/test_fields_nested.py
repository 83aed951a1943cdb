"""Fields that are objects of their own."""

from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from strongroom_common.fields import FieldError, Seconds, parse


@dataclass(frozen=True)
class Leaf:
    name: Annotated[str, "A name."]
    ttl: Annotated[Seconds, "How long."] = Seconds(60)


@dataclass(frozen=True)
class Tree:
    one: Annotated[Leaf, "One leaf."] = Leaf("default")
    many: Annotated[tuple[Leaf, ...], "Leaves."] = ()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param({}, Tree(), id="absent_ones_take_their_default"),
        pytest.param({"one": {"name": "a"}}, Tree(one=Leaf("a")), id="an_object_is_parsed"),
        pytest.param({"one": None}, Tree(), id="null_is_absent"),
        pytest.param(
            {"many": [{"name": "a", "ttl": "1m"}, {"name": "b", "ttl": 5}]},
            Tree(many=(Leaf("a"), Leaf("b", Seconds(5)))),
            id="a_list_of_objects_is_parsed_in_order",
        ),
    ],
)
def test_nested_values(raw: dict[str, Any], expected: Tree) -> None:
    assert parse(Tree, raw).value == expected


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        pytest.param({"one": {}}, "one: missing required field 'name'", id="a_missing_value_names_its_place"),
        pytest.param({"one": 3}, 'field "one": expected an object', id="a_number_is_no_object"),
        pytest.param({"many": [{"name": "a", "ttl": "x"}]}, 'many: .*"ttl": expected a duration', id="within_a_list"),
        pytest.param({"many": ["a"]}, 'field "many": expected a list of objects', id="a_list_of_something_else"),
    ],
)
def test_errors_name_the_place(raw: dict[str, Any], message: str) -> None:
    with pytest.raises(FieldError, match=message):
        parse(Tree, raw)
