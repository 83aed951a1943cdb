import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom_common.jsonx import Number, dumps, loads


@pytest.mark.parametrize(
    "text", ["9007199254740993", "1.50", "1E3", "-0.0", "1e400", "0.1000000000000000055", "12345678901234567890"]
)
def test_a_number_comes_back_as_it_went_in(text):
    assert dumps(loads(text)) == text
    assert dumps({"a": [loads(text)]}) == f'{{"a":[{text}]}}'


def test_integers_are_python_s_own_and_the_rest_keeps_its_text():
    assert loads('[1, 1.0, "1.0"]') == [1, Number("1.0"), "1.0"]
    assert [type(value) for value in loads('[1, 1.0, "1.0"]')] == [int, Number, str]
    assert repr(Number("1.50")) == "1.50"


@pytest.mark.parametrize("text", ["", "NaN", "Infinity", "[-Infinity]", "{", '{"a":1,}', "'a'", "9" * 5000, "\ufeff1"])
def test_anything_else_is_no_json(text):
    with pytest.raises(ValueError):  # noqa: PT011 - the standard library's own texts
        loads(text)


def test_characters_stay_as_they_are():
    assert dumps({"é<&>": '日\u2028\n"'}) == '{"é<&>":"日\u2028\\n\\""}'


def test_half_a_surrogate_pair_can_be_sent():
    assert dumps(loads(r'{"\ud800": "x\udc00y\ud83d\ude00"}')) == '{"\ufffd":"x\ufffdy😀"}'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param({}, "{}", id="an_empty_object"),
        pytest.param({"a": []}, '{\n  "a": []\n}', id="an_empty_list_inside"),
        pytest.param({"b": 1, "a": [1, {"c": None}]},
                     '{\n  "a": [\n    1,\n    {\n      "c": null\n    }\n  ],\n  "b": 1\n}', id="nested"),
        pytest.param("x\ny", '"x\\ny"', id="a_string"),
    ],
)  # fmt: skip
def test_indented_and_sorted(value, text):
    assert dumps(value, indent=2, sort_keys=True) == text


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(values, st.sampled_from([None, 2]))
def test_what_is_printed_reads_back(value, indent):
    assert loads(dumps(value, indent=indent)) == value
    assert json.loads(dumps(value)) == value


def test_nan_cannot_be_printed():
    with pytest.raises(ValueError, match="JSON"):
        dumps(float("nan"))
