from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom_common.fields import (
    KINDS,
    Alias,
    Cidrs,
    FieldError,
    Ints,
    Names,
    Object,
    Pairs,
    Seconds,
    SignedSeconds,
    Size,
    Strings,
    fields,
    parse,
    public,
)
from strongroom_common.jsonx import Number
from strongroom_common.secret import Secret

BAD = object()


def _read(kind, raw):
    try:
        return KINDS[kind].parse(raw)
    except (ValueError, TypeError, OverflowError):
        return BAD


READINGS = {
    str: [
        ("a", "a"), ("", ""), (1, "1"), (Number("1.50"), "1.50"), (True, "1"), (False, "0"),
        ([], BAD), (["a"], BAD), ({}, BAD),
    ],
    int: [
        (5, 5), ("5", 5), ("-5", -5), ("+1", 1), ("-0", 0), ("", 0), (True, 1), ("0x10", 16), ("010", 8), ("0b11", 3),
        ("0o17", 15), ("1_000", 1000), ("0xb1", 177), (Number("1.5"), BAD), (Number("90.0"), BAD), (Number("1e3"), BAD),
        ("1.5", BAD), (" 5", BAD), ("5 ", BAD), ("08", BAD), ("_1", BAD), ("1__0", BAD), ("0_8", BAD), ("٣", BAD),
        ("1h", BAD), ("true", BAD), ([1], BAD), ({}, BAD), (2**63 - 1, 2**63 - 1), (2**63, BAD), ("9" * 20, BAD),
        ("9" * 5000, BAD), ("0x", BAD),
    ],
    float: [
        (1, 1.0), (Number("1.5"), 1.5), ("2.5", 2.5), ("1e3", 1000.0), (True, 1.0), ("nan", BAD), ("inf", BAD),
        (" 1", BAD), ("1_0", BAD), ("", BAD), ([], BAD),
    ],
    bool: [
        (True, True), (False, False), (1, True), (0, False), ("", False), ("true", True), ("TRUE", True),
        ("True", True), ("t", True), ("F", False), ("1", True), ("0", False), ("tRue", BAD), ("yes", BAD), ("on", BAD),
        (" true", BAD), (2, BAD), (-1, BAD), (Number("1.0"), BAD), ([], BAD), ({}, BAD),
    ],
    SignedSeconds: [
        (90, 90), (-1, -1), ("-1", -1), ("-1m", -60), ("2d", 172800), ("", 0), (Number("1.0"), BAD), ("x", BAD),
    ],
    Seconds: [
        (90, 90), (0, 0), ("90", 90), ("+90", 90), ("010", 10), ("", 0), ("1m30s", 90), ("1.5h", 5400), ("2d", 172800),
        ("1500ms", 1), ("1ns", 0), ("106751d", 9223286400), (9223372036, 9223372036), (-1, BAD), ("-90", BAD),
        ("-1h", BAD), (Number("1.5"), BAD), (Number("90.0"), BAD), ("1.5", BAD), (" 90 ", BAD), ("1d12h", BAD),
        ("1.5d", BAD), ("1h1", BAD), ("1_0", BAD), ("5M", BAD), ("1w", BAD), ("abc", BAD), (True, BAD), ([], BAD),
        ({}, BAD), ("106752d", BAD), (9223372037, BAD), ("9" * 5000, BAD), ("１", BAD),
    ],
    Names: [
        ("a,b", ("a", "b")), (" a , b ,", ("a", "b")), (["a,b", " c ", ""], ("a,b", "c")), ("", ()), ([], ()), ({}, ()),
        (1, ("1",)), (True, ("1",)), ([1, True, Number("1.5")], ("1", "1", "1.5")), ({"a": 1}, BAD), ([[]], BAD),
    ],
    Strings: [("a,b", ("a,b",)), (["a", 1], ("a", "1")), ("", ()), ([], ()), ({}, BAD), ([{}], BAD)],
    Ints: [([1, "2"], (1, 2)), ("1,2", (1, 2)), ("", ()), (3, (3,)), (["x"], BAD), ({}, BAD)],
    Pairs: [
        ({"a": "b"}, {"a": "b"}), ({"a": 1, "b": True, "c": None}, {"a": "1", "b": "1", "c": ""}),
        ("a=b,c=d", {"a": "b,c=d"}), (["a=b", "c=d=e"], {"a": "b", "c": "d=e"}), ("a = b", {"a ": " b"}), ({}, {}),
        ([{"a": ""}, {"b": "c"}], {"a": "", "b": "c"}),
        ([], {}), ("", BAD), ("abc", BAD), (1, BAD), ({"a": [1]}, BAD), ({"a": {}}, BAD), (["a"], BAD),
    ],
    Object: [({"a": 1}, {"a": 1}), ({}, {}), ([], {}), ([{"a": 1}, {"b": 2}], {"a": 1, "b": 2}), ("", BAD),
             ("{}", BAD), ([1], BAD), ([{}, 1], BAD), (1, BAD)],
    Size: [
        (1024, 1024), ("1024", 1024), ("32MiB", 33554432), ("1mb", 1000000), ("1 kb", 1000), ("2GiB", 2**31),
        ("x", BAD), ("-1", BAD), ("1.5kb", BAD), ([], BAD),
    ],
    Cidrs: [
        ("10.0.0.0/8, ::1", ("10.0.0.0/8", "::1")), (["10.1.2.3/8"], ("10.1.2.3/8",)), ("", ()), ("x", BAD),
        ("10.0.0.0/33", BAD), ("10.0.0", BAD),
    ],
    Any: [(None, None), ([1], [1])],
}  # fmt: skip
CASES = [pytest.param(kind, raw, wanted, id=f"{kind.__name__}_{str(raw)[:20]!r}_{index}")
         for kind, cases in READINGS.items() for index, (raw, wanted) in enumerate(cases)]  # fmt: skip


@pytest.mark.parametrize(("kind", "raw", "wanted"), CASES)
def test_a_kind_reads(kind, raw, wanted):
    found = _read(kind, raw)
    assert found == wanted
    assert type(found) is type(wanted)


@pytest.mark.parametrize("kind", [str, Names, Strings, Pairs])
@pytest.mark.parametrize("raw", [Number("1.5"), [Number("1.5")], {"a": Number("1.5")}], ids=["one", "list", "object"])
def test_texts_that_came_as_numbers_are_texts(kind, raw):
    """What is stored as a text is read as one again."""
    found = _read(kind, raw)
    if found is not BAD:
        texts = [found] if isinstance(found, str) else found.values() if isinstance(found, dict) else found
        assert {type(text) for text in texts} == {str}


def test_every_kind_has_its_table():
    assert READINGS.keys() == KINDS.keys()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False).map(lambda x: Number(repr(x))),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(list(KINDS)), json_values)
def test_any_value_is_read_or_refused(kind, raw):
    _read(kind, raw)


@dataclass(frozen=True)
class Role:
    name: Annotated[str, "What it is called."]
    ttl: Annotated[Seconds, "How long.", Alias("lease", "period")] = Seconds(60)
    mode: Annotated[Literal["a", "b"], "Which way."] = "a"
    password: Annotated[Secret[str], "Its secret."] = field(default_factory=lambda: Secret(""))
    limit: Annotated[int | None, "At most."] = None
    tags: Annotated[Names, "Words.", "a mark is no text", 7] = Names(())


def test_a_schema_is_taken_apart():
    ttl = fields(Role)["ttl"]
    assert list(fields(Role)) == ["name", "ttl", "mode", "password", "limit", "tags"]
    assert (ttl.help, ttl.default, ttl.aliases, ttl.kind) == ("How long.", 60, ("lease", "period"), KINDS[Seconds])
    assert (fields(Role)["mode"].choices, fields(Role)["password"].sensitive) == (("a", "b"), True)
    assert (fields(Role)["limit"].optional, fields(Role)["tags"].marks) == (True, (7,))


def test_what_was_sent_is_remembered():
    given_role = parse(Role, {"name": "x", "lease": "1m", "color": "red", "shape": 1})
    assert given_role.value == Role("x", Seconds(60))
    assert given_role.sent == {"name", "ttl"}
    assert given_role.ignored == ("color", "shape")


def test_a_name_beats_its_aliases():
    for body in ({"lease": 1, "ttl": 2}, {"ttl": 2, "lease": 1}):
        assert parse(Role, {"name": "x", **body}).value.ttl == 2


def test_null_is_the_default():
    assert parse(Role, {"name": "x", "ttl": None, "limit": None}).value == Role("x")


def test_a_partial_update_changes_what_was_sent_alone():
    stored = Role("x", Seconds(5), "b", Secret("s"), 3)
    assert parse(Role, {"name": "x", "limit": 4}).over(stored) == Role("x", Seconds(5), "b", Secret("s"), 4)
    assert parse(Role, {"name": "x"}).over(None) == Role("x")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        pytest.param({}, "missing required field 'name': expected a string", id="a_missing_value"),
        pytest.param({"name": None}, "missing required field 'name'", id="null_for_a_required_value"),
        pytest.param({"name": "x", "ttl": "soon"},
                     'error converting input for field "ttl": expected a duration such as 90', id="a_kind"),
        pytest.param({"name": "x", "lease": "soon"}, 'for field "ttl": expected', id="an_alias"),
        pytest.param({"name": "x", "mode": "c"}, "field 'mode' must be one of 'a', 'b'", id="a_choice"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_told_by_name_and_expectation(raw, message):
    with pytest.raises(FieldError) as caught:
        parse(Role, raw)
    assert message in str(caught.value)


def test_an_error_never_tells_the_value():
    for raw in ({"name": ["hunter2"]}, {"name": "x", "mode": "hunter2"}, {"name": "x", "ttl": "hunter2"}):
        with pytest.raises(FieldError) as caught:
            parse(Role, raw)
        assert "hunter2" not in str(caught.value)


def test_a_read_shows_all_but_secrets():
    assert public(Role("x", password=Secret("s"))) == {"name": "x", "ttl": 60, "mode": "a", "limit": None, "tags": ()}
