import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom_common.hcl import HclError
from strongroom_server.core.builtin_policies import DEFAULT_POLICY, RESPONSE_WRAPPING_POLICY
from strongroom_server.core.policies import PolicyError, parse_policy


def _rules(text):
    return parse_policy("p", text).rules


def _rule(inside, path="a"):
    (rule,) = _rules(f'path "{path}" {{ {inside} }}')
    return rule


def test_a_rule_says_everything():
    (rule,) = _rules("""
      path "auth/token/create" {
        capabilities = ["create", "sudo"]
        allowed_parameters = { "Policies" = ["default", "dev"], ttl = [], "*" = [] }
        denied_parameters { "no_parent" = [true, 1, "x"] }
        required_parameters = ["Policies"]
        min_wrapping_ttl = "1s"
        max_wrapping_ttl = 90
        pagination_limit = "5"
        expiration = "2030-01-01T00:00:00Z"
        comment = "why"
      }""")
    assert rule.capabilities == {"create", "sudo"}
    assert rule.allowed_parameters == {"policies": ("default", "dev"), "ttl": (), "*": ()}
    assert rule.denied_parameters == {"no_parent": (True, 1, "x")}
    assert rule.required_parameters == ("policies",)
    assert (rule.min_wrapping_ttl, rule.max_wrapping_ttl, rule.pagination_limit) == (1, 90, 5)
    assert rule.expiration == 1893456000
    assert rule.line == 2


WRITE = {"create", "read", "update", "delete", "list"}


@pytest.mark.parametrize(
    ("inside", "capabilities"),
    [
        pytest.param("", set(), id="nothing"),
        pytest.param("capabilities = []", set(), id="an_empty_list"),
        pytest.param("capabilities = {}", set(), id="an_empty_object"),
        pytest.param('capabilities = ["patch", "scan"]', {"patch", "scan"}, id="a_list"),
        pytest.param('capabilities = ["deny", "read"]', {"deny"}, id="deny_leaves_nothing_else"),
        pytest.param('policy = ""', set(), id="an_empty_old_word"),
        pytest.param('policy = "read"', {"read", "list"}, id="old_read"),
        pytest.param('policy = "write"', WRITE, id="old_write"),
        pytest.param('policy = "sudo"', WRITE | {"sudo"}, id="old_sudo"),
        pytest.param('policy = "deny"', {"deny"}, id="old_deny"),
        pytest.param('policy = "read" capabilities = ["update"]', {"read", "list", "update"}, id="both_add_up"),
        pytest.param('capabilities = ["read"] capabilities = ["list"]', {"read", "list"}, id="a_list_twice_adds_up"),
        pytest.param('capabilities = ["read"] capabilities = []', {"read"}, id="an_empty_list_takes_nothing_away"),
        pytest.param('policy = "write" policy = "read"', {"read", "list"}, id="the_last_of_a_word_wins"),
    ],
)
def test_capabilities(inside, capabilities):
    assert _rule(inside).capabilities == capabilities


@pytest.mark.parametrize(
    ("inside", "seconds"),
    [
        pytest.param("min_wrapping_ttl = 90", 90, id="a_number"),
        pytest.param('min_wrapping_ttl = "1h30m"', 5400, id="a_duration"),
        pytest.param('min_wrapping_ttl = "1d"', 86400, id="days"),
        pytest.param("min_wrapping_ttl = 1.5", 1.5, id="a_fraction"),
        pytest.param('min_wrapping_ttl = ""', 0, id="an_empty_string_is_no_limit"),
        pytest.param("min_wrapping_ttl = -1", 0, id="a_negative_number_is_no_limit"),
    ],
)
def test_wrapping_times(inside, seconds):
    assert _rule(inside).min_wrapping_ttl == seconds


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('path "a" { capabilities = ["read"] }\npath "b" { capabilities = ["list"] }', id="hcl"),
        pytest.param('{"path": {"a": {"capabilities": ["read"]}, "b": {"capabilities": ["list"]}}}', id="json_object"),
        pytest.param('{"path": [{"a": {"capabilities": ["read"]}}, {"b": {"capabilities": ["list"]}}]}', id="a_list"),
        pytest.param('{"path": {"a": [{"capabilities": ["read"]}], "b": {"policy": "", "capabilities": ["list"]}}}',
                     id="json_with_an_inner_list"),
        pytest.param('name = "x" "path" "/a" { "capabilities" = ["read"] }, path "/b" "c" { capabilities = ["list"] }',
                     id="slashes_in_front_and_a_second_label_are_dropped"),
    ],
)  # fmt: skip
def test_the_same_rules_from_every_form(text):
    assert [(rule.path, sorted(rule.capabilities)) for rule in _rules(text)] == [("a", ["read"]), ("b", ["list"])]


@pytest.mark.parametrize("text", [pytest.param(" \n", id="blank"), pytest.param("# x", id="a_comment"), "{}"])
def test_a_text_without_rules_is_a_policy(text):
    assert _rules(text) == ()


REFUSED = [
    pytest.param('path "a" { capabilities = ["READ"] }', 'At 1:12: path "a": invalid capability "READ"', id="case"),
    pytest.param('path "a" { capabilities = ["read", "write"] }', 'invalid capability "write"', id="an_unknown_word"),
    pytest.param('path "a" { capabilities = ["root"] }', 'invalid capability "root"', id="root_is_no_capability"),
    pytest.param('path "a" { capabilities = [1] }', 'invalid capability "1"', id="a_number_as_capability"),
    pytest.param('path "a" { capabilities = "read" }', "should be a list of strings", id="a_bare_string"),
    pytest.param('path "a" { capabilities = [true] }', "should be a list of strings", id="a_boolean"),
    pytest.param('path "a" { policy = "list" }', 'At 1:12: path "a": invalid policy "list"', id="a_wrong_old_word"),
    pytest.param('path "a" {\n  foo = 1\n bar = 2 }',
                 'At 2:3: path "a": invalid key "foo" on line 2, invalid key "bar" on line 3', id="unknown_keys"),
    pytest.param('path "a" {}\nmax_lease_ttl = "1h"', 'At 2:1: invalid key "max_lease_ttl" on line 2', id="a_setting"),
    pytest.param('path = { "a" = { capabilities = ["read"] } }', 'invalid key "a"', id="paths_as_an_hcl_object"),
    pytest.param('path "a" { path "b" {} }', 'invalid key "path"', id="a_path_in_a_path"),
    pytest.param('path = "x"', "path should be a block", id="a_string_as_path"),
    pytest.param('path "x/+*" {}', "invalid use of wildcards ('+*' is forbidden)", id="plus_and_star"),
    pytest.param('path "a+*/b" {}', "'+*' is forbidden", id="plus_and_star_within_words"),
    pytest.param('path "s/{{identity.entity.name" {}', "unbalanced templating characters", id="open_braces"),
    pytest.param('path "s/identity.entity.name}}" {}', "unbalanced templating characters", id="closed_before_opened"),
    pytest.param('path "s/{{{{a}}}}" {}', "unbalanced templating characters", id="braces_in_braces"),
    pytest.param('path "a" { min_wrapping_ttl = "x" }', 'error parsing min_wrapping_ttl: expected', id="no_time"),
    pytest.param('path "a" { min_wrapping_ttl = true }', 'error parsing min_wrapping_ttl', id="a_boolean_time"),
    pytest.param('path "a" { min_wrapping_ttl = "1h" max_wrapping_ttl = "1m" }',
                 "max_wrapping_ttl cannot be less than min_wrapping_ttl", id="most_below_least"),
    pytest.param('path "a" { allowed_parameters = "x" }', "should be a block or an object", id="a_string_as_map"),
    pytest.param('path "a" { allowed_parameters = { p = "x" } }',
                 'At 1:35: path "a": allowed_parameters "p" should be a list of values', id="a_string_as_values"),
    pytest.param('path "a" { required_parameters = "x" }', "should be a list of strings", id="a_string_as_required"),
    pytest.param('path "a" {\n list_scan_response_keys_filter_path = "a/b" }',
                 'At 2:2: path "a": list_scan_response_keys_filter_path: resulted in same path for two different keys',
                 id="a_filter_that_says_nothing_of_keys"),
    pytest.param('path "a" { list_scan_response_keys_filter_path = "a/{{ .key" }', "unclosed action",
                 id="an_open_filter"),
    pytest.param('path "a" { list_scan_response_keys_filter_path = "{{ .path }}{{ .nope }}" }', "{{ .key }} alone",
                 id="a_filter_with_another_field"),
    pytest.param('path "a" { pagination_limit = "x" }', "should be an integer", id="a_word_as_number"),
    pytest.param('path "a" { expiration = "2099-01-01T00:00:00:00Z" }', "invalid expiration time",
                 id="a_time_too_long"),
    pytest.param('path "a" { expiration = "tomorrow" }', "invalid expiration time", id="no_date"),
    pytest.param('path "a" { capabilities = ["read" }', "At 1:35: error parsing list", id="no_hcl"),
    pytest.param('{"path": {"a": {"capabilities": ["read"]}', "At 1:42: expected ','", id="no_json"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_a_bad_policy_is_refused_with_line_and_column(text, message):
    with pytest.raises(HclError) as caught:
        parse_policy("p", text)
    assert message in str(caught.value)


def test_an_end_in_no_year_that_can_be_shown_is_refused():  # the peer keeps it
    with pytest.raises(PolicyError, match="invalid expiration time"):
        _rules('path "a" { expiration = "999999999999" }')


def test_mistakes_in_rules_have_their_own_type():
    with pytest.raises(PolicyError) as caught:
        _rules('\n  path "a" { capabilities = ["x"] }')
    assert (caught.value.line, caught.value.column) == (2, 14)


def test_a_condition_that_cannot_be_checked_is_remembered():
    assert _rule('capabilities = ["read"] mfa_methods = ["x"]').unmet == "mfa_methods"


@pytest.mark.parametrize("text", [pytest.param(DEFAULT_POLICY, id="default"), RESPONSE_WRAPPING_POLICY])
def test_the_built_in_policies_are_well_formed(text):
    assert parse_policy("p", text).rules


@given(st.text(st.sampled_from('path "a" { capabilities=["read"] policy={}\n,+*/{{x}}')) | st.text())
def test_any_text_is_a_policy_or_refused(text):
    try:
        parse_policy("p", text)
    except HclError as error:
        assert str(error).startswith("At ")  # noqa: PT017 - whether it raises is chance here
