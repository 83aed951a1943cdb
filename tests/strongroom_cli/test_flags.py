import pytest

from strongroom_cli.errors import UsageError
from strongroom_cli.flags import Flag, parse

FLAGS = (
    Flag("field", ""),
    Flag("force", "", "bool", alias="f"),
    Flag("renewable", "", "bool", True),
    Flag("version", "", "int"),
    Flag("ttl", "", "duration"),
    Flag("policy", "", "list"),
    Flag("metadata", "", "pairs"),
)


@pytest.mark.parametrize(
    ("words", "given", "arguments"),
    [
        pytest.param(["-field=x", "p"], {"field": "x"}, ["p"], id="a_value_after_equals"),
        pytest.param(["-field", "x", "p"], {"field": "x"}, ["p"], id="a_value_as_the_next_word"),
        pytest.param(["--field=x", "p"], {"field": "x"}, ["p"], id="two_dashes"),
        pytest.param(["-field=a=b"], {"field": "a=b"}, [], id="equals_signs_in_a_value"),
        pytest.param(["-field=", "p"], {"field": ""}, ["p"], id="an_empty_value"),
        pytest.param(["-field", "-x"], {"field": "-x"}, [], id="a_value_that_looks_like_a_flag"),
        pytest.param(["-force", "p"], {"force": True}, ["p"], id="a_boolean_takes_no_word"),
        pytest.param(["-f", "p"], {"force": True}, ["p"], id="a_short_name"),
        pytest.param(["-force=false"], {"force": False}, [], id="a_boolean_with_a_value"),
        pytest.param(["-renewable=F"], {"renewable": False}, [], id="a_boolean_in_go_s_spelling"),
        pytest.param(["p", "-field=x"], {"field": "x"}, ["p"], id="a_flag_after_an_argument"),
        pytest.param(["p", "-x=1", "-y"], {}, ["p", "-x=1", "-y"], id="unknown_words_after_an_argument_are_data"),
        pytest.param(["p", "-"], {}, ["p", "-"], id="a_dash_is_an_argument"),
        pytest.param(["-", "-force"], {"force": True}, ["-"], id="a_dash_in_front"),
        pytest.param(["--", "-field=x"], {}, ["-field=x"], id="everything_after_two_dashes_is_an_argument"),
        pytest.param(["-version=-1"], {"version": -1}, [], id="a_number_below_zero"),
        pytest.param(["-ttl=1h30m"], {"ttl": 5400.0}, [], id="a_duration"),
        pytest.param(["-ttl", "90"], {"ttl": 90}, [], id="a_duration_in_seconds"),
        pytest.param(["-policy=a", "-policy", "b"], {"policy": ["a", "b"]}, [], id="a_list"),
        pytest.param(["-metadata=a=1", "-metadata", "b=c=d"], {"metadata": {"a": "1", "b": "c=d"}}, [], id="pairs"),
    ],
)
def test_words_become_options_and_arguments(words, given, arguments):
    options, rest = parse(FLAGS, words)
    assert rest == arguments
    for name, value in given.items():
        assert options.given(name)
        assert options._value(name) == value


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["-fild=x"], "flag provided but not defined: -fild\nDid you mean -field\\?", id="a_slip"),
        pytest.param(["-nosuch"], "flag provided but not defined: -nosuch$", id="an_unknown_flag"),
        pytest.param(["-field"], "flag needs an argument: -field", id="no_value"),
        pytest.param(["-force=perhaps"], 'boolean value "perhaps" for -force: strconv.ParseBool', id="no_boolean"),
        pytest.param(["-version=x"], 'invalid value "x" for flag -version: strconv.ParseInt', id="no_number"),
        pytest.param(["-version=1_0"], "invalid syntax", id="a_number_as_python_has_it"),
        pytest.param(
            ["-ttl=soon"], 'invalid value "soon" for flag -ttl: time: invalid duration "soon"', id="no_duration"
        ),
        pytest.param(["-metadata=a"], 'invalid value "a" for flag -metadata: missing = in KV pair', id="no_pair"),
    ],
)
def test_what_is_wrong_is_said_as_go_says_it(words, message):
    with pytest.raises(UsageError, match=message):
        parse(FLAGS, words)


def test_defaults_hold_where_nothing_was_given():
    options, _ = parse(FLAGS, [])
    assert (options.text("field"), options.on("force"), options.on("renewable")) == ("", False, True)
    assert (options.number("version"), options.seconds("ttl"), options.items("policy")) == (0, 0.0, [])
    assert options.pairs("metadata") == {}
    assert not options.given("renewable")
