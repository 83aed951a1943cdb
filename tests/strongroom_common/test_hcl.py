import contextlib
import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom_common.hcl import HclError, blocks, one, parse, plain

ACCEPTED = [
    pytest.param("", {}, id="an_empty_text_has_no_items"),
    pytest.param("# x\n// y\n/* z\n{ */ a = 1 # end", {"a": 1}, id="comments_of_three_kinds"),
    pytest.param('a="b" /* c */ d = /* e */ "f"', {"a": "b", "d": "f"}, id="a_comment_stands_between_words"),
    pytest.param('a = "x # no comment"', {"a": "x # no comment"}, id="no_comment_within_a_string"),
    pytest.param("a = 1\r\nb = 2\r\n", {"a": 1, "b": 2}, id="carriage_return_and_newline"),
    pytest.param("a {\r b = 1 }", {"a": {"b": 1}}, id="a_lone_carriage_return_is_blank"),
    pytest.param("a=0640\nb=0x1F\nc=-3\nd=1.5\ne=-2e3\nf=.5\ng=1.\nh=-0x10",
                 {"a": 0o640, "b": 31, "c": -3, "d": 1.5, "e": -2000.0, "f": 0.5, "g": 1.0, "h": -16}, id="numbers"),
    pytest.param("a = 0159.5", {"a": 159.5}, id="a_leading_zero_before_a_fraction_is_no_octal"),
    pytest.param("a = true b = false", {"a": True, "b": False}, id="booleans_and_no_newline_between"),
    pytest.param('a = ["x", 1, 1.5, true, {b = 1}, [["y"]],]',
                 {"a": ["x", 1, 1.5, True, {"b": 1}, [["y"]]]}, id="a_list_of_all_kinds_with_a_trailing_comma"),
    pytest.param('a = [,"x",,"y"]', {"a": ["x", "y"]}, id="stray_commas_in_a_list"),
    pytest.param('a = [["x"] ["y"]]', {"a": [["x"], ["y"]]}, id="no_comma_needed_after_an_inner_list"),
    pytest.param("a = { b = 1, c = 2, }", {"a": {"b": 1, "c": 2}}, id="commas_between_items"),
    pytest.param("a { b=1 c=2 } d=3", {"a": {"b": 1, "c": 2}, "d": 3}, id="blocks_on_one_line"),
    pytest.param("a {}b = 1", {"a": {}, "b": 1}, id="nothing_needed_after_a_brace"),
    pytest.param('m "a" "b" { c = 1 }', {"m": {"a": {"b": {"c": 1}}}}, id="two_labels"),
    pytest.param('m a "b" { c = 1 }', {"m": {"a": {"b": {"c": 1}}}}, id="a_bare_label"),
    pytest.param('"quoted key" = 1\n"*" = []', {"quoted key": 1, "*": []}, id="quoted_keys"),
    pytest.param("a.b-c_1 = 1 é = 2 _x = 3", {"a.b-c_1": 1, "é": 2, "_x": 3}, id="bare_keys"),
    pytest.param(r'a = "\a\b\f\n\r\t\v\\\"\101\x41\u00e9\U0001F600"',
                 {"a": "\a\b\f\n\r\t\v\\\"AAé😀"}, id="go_escapes"),
    pytest.param(r'a = "\xc3\xa9\xff"', {"a": "é\ufffd"}, id="escaped_bytes_are_utf8"),
    pytest.param(r'a = "\ud800"', {"a": "\ufffd"}, id="half_a_surrogate_pair"),
    pytest.param('a = "x${foo("y")}z"', {"a": 'x${foo("y")}z'}, id="quotes_within_an_interpolation"),
    pytest.param('a = "${b{\n\\n}}\\n"', {"a": "${b{\n\\n}}\n"}, id="an_interpolation_is_taken_as_it_stands"),
    pytest.param('a = "$x %{y}"', {"a": "$x %{y}"}, id="a_dollar_alone"),
    pytest.param("a = <<E\n# x\n  // y\nE\nb = 1", {"a": "# x\n  // y\n", "b": 1}, id="a_heredoc"),
    pytest.param("a = <<E\nE\n", {"a": ""}, id="an_empty_heredoc"),
    pytest.param("a = <<E\nx\n  E\n", {"a": "x\n  "}, id="a_plain_heredoc_keeps_the_indentation_of_its_end"),
    pytest.param("a = <<E\nEE\nE x\nE\n", {"a": "EE\nE x\n"}, id="only_the_anchor_alone_ends_a_heredoc"),
    pytest.param("a = <<-E\n    x\n      y\n\n    E\n", {"a": "    x\n      y\n\n"}, id="one_short_line_keeps_all"),
    pytest.param("a = <<-E\n    x\n      y\n    E\n", {"a": "x\n  y\n"}, id="an_indented_heredoc"),
    pytest.param('a = [<<E\nx\nE\n, "y"]', {"a": ["x\n", "y"]}, id="a_heredoc_in_a_list"),
    pytest.param("a = <<E\r\nx\r\nE\r\n", {"a": "x\n"}, id="a_heredoc_with_carriage_returns"),
    pytest.param("a = 1\na = 2", {"a": 2}, id="the_last_of_a_key_wins"),
    pytest.param("a { b = 1 }\na { c = 2 }", {"a": {"b": 1, "c": 2}}, id="blocks_of_a_name_merge"),
    pytest.param('{"a": [1, 2,], "b": {"c": 3,},}', {"a": [1, 2], "b": {"c": 3}}, id="trailing_commas_in_json"),
    pytest.param('{"a": {"b": [1, 1.5, "x", null, true]}, "a": {"c": "\\u00e9\\/"}}',
                 {"a": {"b": [1, 1.5, "x", None, True], "c": "é/"}}, id="json"),
    pytest.param(' \n {"a": {}, "b": []} ', {"a": {}, "b": []}, id="json_after_blanks"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "settings"), ACCEPTED)
def test_a_text_says(text, settings):
    assert plain(parse(text)) == settings


REFUSED = [
    pytest.param("foo", "At 1:4: key 'foo' expected start of object ('{') or assignment ('=')", id="a_key_alone"),
    pytest.param("a { b }", "At 1:7: key 'b' expected start of object", id="a_key_alone_in_a_block"),
    pytest.param("a = 1\nb =", "At 2:4: Unknown token: EOF", id="a_key_whose_value_was_cut_off"),
    pytest.param("= 1", "At 1:1: no object keys found!", id="no_key"),
    pytest.param("a {{}}", "At 1:4: expected: IDENT | STRING got: LBRACE", id="a_block_without_a_key"),
    pytest.param("a b = 1", "At 1:5: nested object expected: LBRACE got: ASSIGN", id="a_label_on_an_assignment"),
    pytest.param("1 = 2", "At 1:1: expected: IDENT | STRING | ASSIGN | LBRACE got: NUMBER", id="a_number_as_key"),
    pytest.param("true = 2", "At 1:1: expected: IDENT", id="a_boolean_as_key"),
    pytest.param("a {", "At 1:4: object expected closing RBRACE got: EOF", id="an_open_block"),
    pytest.param("a {}\n}", "At 2:1: expected: IDENT | STRING | ASSIGN | LBRACE got: RBRACE", id="a_brace_too_many"),
    pytest.param("a {},, b {}", "At 1:6: expected: IDENT | STRING", id="two_commas_between_items"),
    pytest.param('a = ["x" "y"]', "At 1:10: error parsing list, expected comma or list end", id="no_comma"),
    pytest.param('a = ["é" }', "At 1:10: error parsing list, expected comma or list end", id="an_open_list"),
    pytest.param("a = [x]", "At 1:6: unexpected token while parsing list: IDENT", id="a_bare_word_in_a_list"),
    pytest.param("a = x", "At 1:5: Unknown token: IDENT x", id="a_bare_word_as_value"),
    pytest.param("a = 10s", "At 1:8: key 's'", id="a_duration_without_quotes"),
    pytest.param('a = "x\ny"', "At 1:5: literal not terminated", id="a_newline_in_a_string"),
    pytest.param('a = "x', "At 1:5: literal not terminated", id="an_open_string"),
    pytest.param('a = "${x"', "At 1:5: literal not terminated", id="an_open_interpolation"),
    pytest.param("a = 1 /* x", "At 1:7: comment not terminated", id="an_open_comment"),
    pytest.param("/ x", "At 1:1: expected '/' for comment", id="half_a_comment"),
    pytest.param("a = 'x'", "At 1:5: illegal char", id="single_quotes"),
    pytest.param("\ufeffa = 1", "At 1:1: illegal char", id="a_byte_order_mark"),
    pytest.param("a\u00a0= 1", "At 1:2: illegal char", id="a_no_break_space"),
    pytest.param('a = "\0"', "At 1:5: unexpected null character (0x00)", id="a_null_character"),
    pytest.param("a = \0", "At 1:5: unexpected null character (0x00)", id="a_null_character_alone"),
    pytest.param(r'a = "x\q"', "At 1:7: illegal char escape", id="an_unknown_escape"),
    pytest.param(r'a = "\1"', "At 1:6: illegal char escape", id="a_short_octal_escape"),
    pytest.param(r'a = "\400"', "At 1:6: illegal char escape", id="an_octal_escape_above_a_byte"),
    pytest.param(r'a = "\U00110000"', "At 1:6: illegal char escape", id="an_escape_beyond_unicode"),
    pytest.param("a = 0x", "At 1:5: illegal hexadecimal number", id="hexadecimal_without_digits"),
    pytest.param("a = 018", "At 1:5: illegal octal number", id="octal_with_an_eight"),
    pytest.param("a = " + "9" * 5000, "At 1:5: number is too long", id="a_number_of_5000_digits"),
    pytest.param("a = -", "At 1:5: Unknown token: SUB -", id="a_minus_alone"),
    pytest.param("a = +1", "At 1:5: Unknown token: ADD +", id="a_plus"),
    pytest.param("a = <E\n", "At 1:5: heredoc expected second '<', didn't see it", id="one_angle_bracket"),
    pytest.param("a = <<\n\n", "At 1:5: zero-length heredoc anchor", id="a_heredoc_without_anchor"),
    pytest.param("a = <<E F\nE\n", "At 1:5: invalid characters in heredoc anchor", id="an_anchor_of_two_words"),
    pytest.param("a = <<E\nx\nE", "At 1:5: heredoc not terminated", id="a_heredoc_without_newline_at_its_end"),
    pytest.param("a = <<-E\n  x\nE\n", "At 1:5: heredoc not terminated", id="an_indented_heredoc_whose_end_is_not"),
    pytest.param("a = " + "[" * 500, "nested too deeply", id="lists_nested_too_deeply"),
    pytest.param("a {" * 500, "nested too deeply", id="blocks_nested_too_deeply"),
    pytest.param('{"a":' * 500, "nested too deeply", id="json_nested_too_deeply"),
    pytest.param('{"a": 1,,}', "At 1:9: expected a quoted key", id="two_trailing_commas_in_json"),
    pytest.param('{"a": [,]}', "At 1:8: Expecting value", id="a_comma_alone_in_a_json_list"),
    pytest.param('{"a" 1}', "At 1:6: expected ':'", id="json_without_colon"),
    pytest.param('{"a": 1 "b": 2}', "At 1:9: expected ','", id="json_without_comma"),
    pytest.param('{"a": NaN}', "At 1:7: number", id="nan_is_no_json"),
    pytest.param('{"a": 1', "At 1:8: expected ','", id="json_cut_off"),
    pytest.param('{"a": 1}\nx', "At 2:1: end of text expected", id="text_after_json"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_a_text_is_refused(text, message):
    with pytest.raises(HclError) as caught:
        parse(text)
    assert message in str(caught.value)


def test_an_error_has_line_column_and_message():
    with pytest.raises(HclError) as caught:
        parse("a = 1\n  b = @")
    assert (caught.value.line, caught.value.column, caught.value.message) == (2, 7, "illegal char")


def test_order_duplicates_and_positions_are_kept():
    body = parse('path "x" { a = 1 }\nb = 2\n  path "x" { a = 3 }')
    assert [(i.key, i.labels, i.line, i.column) for i in body.items] == [
        ("path", ("x",), 1, 1), ("b", (), 2, 1), ("path", ("x",), 3, 3),
    ]  # fmt: skip
    assert [block.body.get("a").value for block in blocks(body, "path", 1)] == [1, 3]


def test_json_keeps_order_duplicates_and_positions():
    body = parse('{"a": 1,\n "b": {"c": 2},\n "a": 3}')
    assert [(i.key, i.line, i.column) for i in body.items] == [("a", 1, 2), ("b", 2, 2), ("a", 3, 2)]


FORMS = [
    pytest.param('listener "tcp" { a = 1 }\nlistener "unix" { a = 2 }', id="labelled_blocks"),
    pytest.param('{"listener": {"tcp": {"a": 1}, "unix": {"a": 2}}}', id="one_json_object"),
    pytest.param('{"listener": [{"tcp": {"a": 1}}, {"unix": {"a": 2}}]}', id="a_json_list_of_objects"),
    pytest.param('{"listener": {"tcp": [{"a": 1}]}, "listener": {"unix": {"a": 2}}}', id="a_json_key_given_twice"),
]


@pytest.mark.parametrize("text", FORMS)
def test_blocks_come_the_same_from_every_form(text):
    found = [(block.labels, plain(block.body)) for block in blocks(parse(text), "listener", 1)]
    assert found == [(("tcp",), {"a": 1}), (("unix",), {"a": 2})]


def test_more_labels_than_wanted_become_inner_blocks():
    (block,) = blocks(parse('a "x" "y" { z = 1 }'), "a", 1)
    assert (block.labels, plain(block.body)) == (("x",), {"y": {"z": 1}})


def test_fewer_labels_than_wanted_are_left_to_the_reader():
    (block,) = blocks(parse('a = { "x" = { z = 1 } }'), "a", 1)
    assert (block.labels, plain(block.body)) == ((), {"x": {"z": 1}})


def test_a_json_object_with_plain_settings_is_a_block_without_label():
    (block,) = blocks(parse('{"listener": {"type": "tcp", "telemetry": {}}}'), "listener", 1)
    assert block.labels == ()


def test_a_value_is_no_block():
    with pytest.raises(HclError, match="At 1:1: seal should be a block or an object"):
        list(blocks(parse("seal = 1"), "seal"))


def test_a_second_block_is_refused_where_one_is_wanted():
    assert one(parse(""), "seal") is None
    assert one(parse('seal "a" {}'), "seal", 1).labels == ("a",)
    with pytest.raises(HclError, match="At 2:1: only one seal block is permitted"):
        one(parse('seal "a" {}\nseal "b" {}'), "seal", 1)


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
keys = st.text(string.ascii_letters + "_", min_size=1).filter(lambda key: key not in ("true", "false"))
values = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def _hcl(value):
    if isinstance(value, dict):
        return "{" + " ".join(f"{_hcl(key)} = {_hcl(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_hcl, value)) + "]"
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(char):08x}" for char in value) + '"'
    return json.dumps(value)


@given(st.dictionaries(keys, values, max_size=5))
def test_what_is_printed_as_hcl_reads_back(settings):
    assert plain(parse("\n".join(f"{key} = {_hcl(value)}" for key, value in settings.items()))) == settings


@given(st.dictionaries(texts, values, max_size=5))
def test_what_is_printed_as_json_reads_back(settings):
    assert plain(parse(json.dumps(settings))) == settings


@given(st.text(st.sampled_from("a=1 \"{}[]<>\\n$,#/*-.\n\r\t'é0x\0E")) | st.text())
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(HclError):
        plain(parse(text))
