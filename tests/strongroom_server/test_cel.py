"""Programs in the Common Expression Language: what they may name, what they make up, and how they fail."""

import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from strongroom_server.lib.cel import Made, Program, ProgramError

GIVEN = frozenset({"claims", "now"})
MESSAGES = {"pb.Auth": frozenset({"policies", "alias", "period"}), "logical.Alias": frozenset({"name"})}
CLAIMS = {"sub": "bob", "n": 3, "f": 1.5, "groups": ["dev", "ops"], "m": {"a": "b"}, "nothing": None, "yes": True}


def run(expression: str, *variables: tuple[str, str]) -> Any:
    program = Program(variables, expression, GIVEN, MESSAGES)
    return program.run({"claims": CLAIMS, "now": datetime(2026, 1, 1, tzinfo=UTC)})


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ('claims.sub == "bob" ? "yes" : "no"', "yes"),
        ("claims.groups", ["dev", "ops"]),
        ("claims.m", {"a": "b"}),
        ("claims.nothing", None),
        ("claims.yes", True),
        ("claims.n + 1", 4),
        ("claims.f * 2.0", 3.0),
        ('claims.groups.map(g, "team-" + g)', ["team-dev", "team-ops"]),
        ('claims.groups.map(g, "team-" + g) == ["team-dev", "team-ops"]', True),
        ('claims.groups.filter(g, g != "ops")', ["dev"]),
        ('claims.groups.exists(g, g == "ops") && !claims.groups.all(g, g == "ops")', True),
        ('claims.groups.map(a, claims.groups.map(b, a + b))[0][1]', "devops"),
        ("has(claims.m.a) && !has(claims.m.b)", True),
        ("claims.n == 3.0 && claims.n > 2.5 && 3u <= claims.n && 3.5 >= claims.n", True),
        ('claims.n == "3" || claims.sub == 1 || claims.m == [1] || 1 == true', False),
        ('claims.n != "3"', True),
        ('("b" + "ob") == claims.sub', True),
        ('now > timestamp("2025-12-31T23:00:00Z") && now - timestamp("2025-12-31T23:00:00Z") == duration("1h")', True),
        ('claims.sub.matches("^b[o]b$") && claims.sub.startsWith("b") && claims.sub.contains("ob")', True),
        ("size(claims.groups) == claims.groups.size()", True),
        ("string(claims.n) + string(true)", "3true"),
        ('type("a") == string && type(1) == int && type(string(1)) == string && type(1) != string', True),
    ],
)  # fmt: skip
def test_what_an_expression_is_worth(expression: str, value: Any) -> None:
    found = run(expression)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ('"Ab".lowerAscii() + "Ab".upperAscii()', "abAB"),
        ('"abc".substring(1) + "abc".substring(0, 1) + "abc".charAt(1) + "abc".charAt(3)', "bcab"),
        ('[ "abab".indexOf("b"), "abab".indexOf("b", 2), "abab".lastIndexOf("b"), "a".indexOf("x") ]', [1, 3, 3, -1]),
        ('"a,b,c".split(",").join("-") + "a,b,c".split(",", 2).join("-") + ["a"].join()', "a-b-ca-b,ca"),
        ('"aXbX".replace("X", "-") + "aXbX".replace("X", "-", 1)', "a-b-a-bX"),
        ('" a ".trim() + "abc".reverse()', "acba"),
        ('"%s is %d or %.2f, %b of %x %% %s".format(["a", 7, 2.5, 5, 255, true])', "a is 7 or 2.50, 101 of ff % true"),
        ('strings.quote("a\\"b")', '"a\\"b"'),
        ('math.greatest(1, 5, 3) + math.least([4, 2]) + math.abs(-1)', 8),
        ("math.ceil(1.2) + math.floor(1.8)", 3.0),
        ('base64.encode(b"x") + string(base64.decode("eA"))', "eA==x"),
        ("lists.range(3) + [3, 1, 2].sort() + [1, 1].distinct() + [[1], 2].flatten() + [1, 2, 3].slice(1, 2)",
         [0, 1, 2, 1, 2, 3, 1, 1, 2, 2]),
        ('sets.contains([1, 2], [2]) && sets.intersects([1], [1, 3]) && sets.equivalent([1, 2], [2, 1, 1])', True),
        ('sets.contains([1], ["1"])', False),
        ('regex.replace("abab", "b", "c") + regex.extract("v1.2", "v([0-9])")', "acac1"),
        ('check_valid_email("a.b@example.com") && !check_valid_email("a@") && !check_valid_email("a b@c.d")', True),
    ],
)  # fmt: skip
def test_what_the_functions_give(expression: str, value: Any) -> None:
    assert run(expression) == value


def test_messages_and_variables() -> None:
    made = run(
        "pb.Auth{policies: all, alias: who, period: 60}",
        ("all", 'claims.groups + ["x"]'),
        ("who", "logical.Alias{name: claims.sub}"),
    )
    alias = Made("logical.Alias", {"name": "bob"})
    assert made == Made("pb.Auth", {"policies": ["dev", "ops", "x"], "alias": alias, "period": 60})


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        pytest.param("", "invalid CEL syntax: line 1", id="nothing"),
        pytest.param("true\n  ??", "invalid CEL syntax: line 2, column ", id="no_expression"),
        pytest.param("claims.?x.orValue(1)", "invalid CEL syntax", id="optional_values"),
        pytest.param("a" * 70_000, "more than 65536 characters", id="far_too_long"),
        pytest.param("nosuch == 1", "undeclared reference to 'nosuch'", id="a_name_that_is_not_there"),
        pytest.param("claims.groups.map(g, h)", "undeclared reference to 'h'", id="another_name_in_a_macro"),
        pytest.param("claims.groups.map(g, g) == g", "undeclared reference to 'g'", id="a_macro_s_name_outside"),
        pytest.param("claims.groups.map(1, 1)", "the macro 'map' takes", id="a_macro_without_a_name"),
        pytest.param("claims.groups.map(g)", "the macro 'map' takes", id="a_macro_without_an_expression"),
        pytest.param("nosuch(1)", "undeclared reference to 'nosuch'", id="a_function"),
        pytest.param("claims.sub.format_map(claims)", "undeclared reference to 'format_map'", id="a_method_of_python"),
        pytest.param("pb.Other{}", "undeclared reference to 'pb.Other'", id="a_message"),
        pytest.param("pb.Auth{entity_id: 'x'}", "undefined field 'entity_id'", id="a_field"),
        pytest.param("true ? pb.Auth{policies: [logical.Alias{id: 1}]} : 1", "undefined field 'id'", id="deeper"),
    ],
)
def test_what_is_no_program(expression: str, reason: str) -> None:
    with pytest.raises(ProgramError) as error:
        Program((), expression, GIVEN, MESSAGES)
    assert reason in str(error.value)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        pytest.param("claims", "1", "variable[0].claims: overlapping identifier", id="a_name_that_is_taken"),
        pytest.param("a b", "1", "variable[0]: 'a b' is no name", id="no_name"),
        pytest.param("a", "b", "variable[0].a: undeclared reference to 'b'", id="a_later_variable"),
        pytest.param("a", "?", "variable[0].a: invalid CEL syntax", id="no_expression"),
    ],
)
def test_what_is_no_variable(name: str, text: str, reason: str) -> None:
    with pytest.raises(ProgramError) as error:
        Program([(name, text), ("b", "1")], "true", GIVEN, MESSAGES)
    assert reason in str(error.value)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        pytest.param("claims.nosuch", "no such key: nosuch", id="a_claim_that_is_not_there"),
        pytest.param('claims.nosuch == "a"', "no such key: nosuch", id="compared"),
        pytest.param("claims.nosuch != 1", "no such key: nosuch", id="compared_the_other_way"),
        pytest.param("claims.groups.filter(g, g.x == 1)", "no such overload", id="in_a_filter"),
        pytest.param('{"a": claims.nosuch}', "unexpected type", id="in_a_map"),
        pytest.param("pb.Auth{policies: claims.nosuch}", "unexpected type", id="in_a_message"),
        pytest.param("claims.sub + 1", "no such overload", id="kinds_that_do_not_fit"),
        pytest.param("claims.sub.__class__", "no such overload", id="the_library_s_insides"),
        pytest.param("claims.__class__", "no such key: __class__", id="insides_of_a_map"),
        pytest.param("1 / 0", "division by zero", id="a_division_by_zero"),
        pytest.param("lists.range(100000000).size()", "failed to evaluate", id="more_than_fits"),
        pytest.param('"%s %s".format(["a"])', "failed to evaluate", id="too_few_values"),
        pytest.param('"abc".substring(4)', "failed to evaluate", id="beyond_the_end"),
        pytest.param("pb", "unexpected type", id="a_name_space"),
        pytest.param("int", "unexpected type", id="a_type"),
        pytest.param("(" * 400 + "1" + ")" * 400, "failed to evaluate", id="too_deep"),
    ],
)
def test_what_fails_fails_without_telling_values(expression: str, reason: str) -> None:
    with pytest.raises(ProgramError) as error:
        run(expression)
    assert reason in str(error.value)
    assert "bob" not in str(error.value)


def test_a_variable_that_fails_is_named() -> None:
    with pytest.raises(ProgramError, match=r"failed to evaluate variables: variable\[1\]\.b: .* no such key: x"):
        run("true", ("a", "1"), ("b", "claims.x"))


def test_the_process_keeps_its_depth() -> None:
    before = sys.getrecursionlimit()
    assert run("true") is True
    assert sys.getrecursionlimit() == before
