"""Go's way of printing, YAML, and policies laid out: pure functions from values to text."""

import subprocess

import pytest
import yaml as reference
from hypothesis import given
from hypothesis import strategies as st

from strongroom_cli import gotext, yaml
from strongroom_cli.hclformat import format_policy
from strongroom_common.jsonx import Number
from tests.bao import program


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(None, "<nil>", id="nothing"),
        pytest.param(True, "true", id="true"),
        pytest.param("a b", "a b", id="a_string"),
        pytest.param(9007199254740993, "9007199254740993", id="an_integer"),
        pytest.param(Number("1.50"), "1.50", id="a_number_keeps_its_text"),
        pytest.param(["a", None, ["b"]], "[a <nil> [b]]", id="a_list"),
        pytest.param({"b": 1, "a": {"c": None}}, "map[a:map[c:<nil>] b:1]", id="a_map_is_sorted"),
        pytest.param([], "[]", id="an_empty_list"),
        pytest.param({}, "map[]", id="an_empty_map"),
    ],
)
def test_values_are_printed_as_go_prints_them(value, text):
    assert gotext.text(value) == text


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        pytest.param("ttl", 3600, "1h", id="seconds_by_name"),
        pytest.param("token_period", 90, "1m30s", id="seconds_by_ending"),
        pytest.param("lease_max", 5, "5s", id="seconds_of_old"),
        pytest.param("ttl", "90", "90", id="a_string_stays"),
        pytest.param("ttl", True, "true", id="a_boolean_is_no_number"),
        pytest.param("subtitle", 90, "90", id="another_name"),
    ],
)
def test_seconds_are_shown_as_durations(key, value, text):
    assert gotext.field(key, value) == text


def test_a_table_has_columns_and_a_rule():
    assert gotext.table([("Key", "Value"), ("a", ""), ("long name", " x ")]) == (
        "Key          Value\n---          -----\na            n/a\nlong name    x"
    )


@pytest.mark.parametrize(
    ("title", "width", "text"),
    [
        pytest.param("Data", 10, "== Data ==", id="even"),
        pytest.param("Data", 17, "====== Data ======", id="odd_is_rounded_up"),
        pytest.param("Secret Path", 3, "== Secret Path ==", id="never_less_than_two_signs"),
    ],
)
def test_banners_are_as_wide_as_their_table(title, width, text):
    assert gotext.banner(title, width) == text


def test_lines_are_broken_evenly():
    assert gotext.wrapped("aaa bbb cc ddddd", 9) == "aaa bbb\ncc ddddd"
    assert gotext.wrapped("a" * 20 + " b", 9, "  ") == "  " + "a" * 20 + "\n  b"


_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_TRICKY = [
    "yes", "No", "1.5", "0x1f", "1e3", "2026-01-01", "~", "|", "1:30", ".inf", "a:", "?", "---", "...", "é", "=", "!x",
    "&x", "*x", "0o7", "<<",
]  # fmt: skip
_SPACED = ["a: b", "a #b", "- a", "a\n", "\na", "a\n\n", " a\nb", "a\n b", "\u2028", "\x85", "\ufeff", "\x7f", "", " "]
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | _texts | st.sampled_from(_TRICKY + _SPACED),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=8,
)


@given(_json)
def test_yaml_reads_back_as_what_it_was(value):
    assert reference.safe_load(yaml.dumps(value)) == value


def test_yaml_keeps_the_text_of_numbers():
    assert yaml.dumps({"a": Number("1.50"), "b": 9007199254740993}) == "a: 1.50\nb: 9007199254740993\n"


_POLICIES = [
    pytest.param('path "a" { capabilities = ["read"] }', id="one_line"),
    pytest.param(
        """# top
path "a/*" {capabilities=["read","list"]
allowed_parameters = { "a" = ["b"]
 "ccc"=[] }
}
path "b" {
  # inside
  policy = "write"   // trailing
  min_wrapping_ttl = 100
  capabilities = ["read", "list",]
}


/* block
comment */
path "c" { }
name = "x"
""",
        id="comments_and_alignment",
    ),
    pytest.param('path "a" {\n comment = <<EOF\nhi\n there\nEOF\n capabilities = ["read"]\n}\n', id="a_heredoc"),
    pytest.param(
        """path "a" { denied_parameters = { "*" = [] }
 capabilities = ["read"]

 min_wrapping_ttl = 1


 # c1
 max_wrapping_ttl = 2 # t1
 comment = "write" # t22
 required_parameters = []
 allowed_parameters = { "x" = [], "yyy" = ["a"] }
}
// alone

# for c
path "c" {
  # only comment
}
path "d" {
  capabilities = [
  "read", # why
  "list"
  ]
  # end
}""",
        id="runs_of_settings",
    ),
    pytest.param('name = "y"\npath "a" {capabilities = ["read"] # one\n}', id="a_comment_at_the_end"),
    pytest.param(
        """path "a" {
  capabilities = ["read",
  "list"]
  min_wrapping_ttl = "1s"
  max_wrapping_ttl = "90s" # x
}
path "aa" { capabilities = [
] }""",
        id="lists_over_lines",
    ),
]


@pytest.mark.peer
@pytest.mark.parametrize("policy", _POLICIES)
def test_policies_are_laid_out_as_bao_does(policy, tmp_path):
    path = tmp_path / "p.hcl"
    path.write_text(policy)
    subprocess.run([program(), "policy", "fmt", str(path)], check=True, capture_output=True)
    assert format_policy(policy) == path.read_text()


@pytest.mark.parametrize("policy", _POLICIES)
def test_a_formatted_policy_stays_as_it_is(policy):
    once = format_policy(policy)
    assert format_policy(once) == once


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        pytest.param('path "a" { capabilities = ["read" }', "At 1:35: ", id="a_list_that_does_not_end"),
        pytest.param('{"path": {}}', "JSON", id="json"),
    ],
)
def test_what_is_no_policy_is_refused(policy, message):
    with pytest.raises(ValueError, match=message):
        format_policy(policy)
