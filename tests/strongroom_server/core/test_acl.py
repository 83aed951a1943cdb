import time
import timeit
from functools import partial

import pytest

from strongroom_common.jsonx import Number
from strongroom_server.core.acl import compile_acl
from strongroom_server.core.builtin_policies import DEFAULT_POLICY
from strongroom_server.core.policies import parse_policy
from strongroom_server.sdk.request import Operation


def _acl(*texts, values=None, now=0):
    return compile_acl([parse_policy(f"p{index}", text) for index, text in enumerate(texts)], now).for_entity(
        values or {}
    )


def _grants(**paths):
    """Make a policy text of paths and the capabilities of each, several in one word: read_list."""
    return "\n".join(
        f'path "{path}" {{ capabilities = {str(words.split("_")).replace(chr(39), chr(34))} }}'
        for path, words in paths.items()
    )


PRIORITY = [
    pytest.param({"a/b": "read"}, {"a/b": "read", "a/b/": "read", "a": "deny", "a/bc": "deny"}, id="an_exact_path"),
    pytest.param({"a/*": "read"}, {"a/": "read", "a/b": "read", "a/b/c": "read", "a": "deny"}, id="a_prefix"),
    pytest.param({"a*": "read"}, {"a": "read", "ab/c": "read"}, id="a_prefix_within_a_word"),
    pytest.param({"*": "read"}, {"a": "read", "a/b": "read"}, id="everything"),
    pytest.param({"+": "read"}, {"a": "read", "a/": "read", "a/b": "deny"}, id="one_segment"),
    pytest.param({"a/+": "read"}, {"a/b": "read", "a/": "read", "a/b/c": "deny", "a": "deny"}, id="one_segment_below"),
    pytest.param({"a/+/": "list"}, {"a/q/": "list", "a/q": "deny"}, id="one_segment_and_a_slash"),
    pytest.param({"a/+/c": "read"}, {"a/b/c": "read", "a//c": "read", "a/b/d": "deny"}, id="an_inner_segment"),
    pytest.param({"a/+/c*": "read"}, {"a/b/cd/e": "read", "a/b/d": "deny", "a/b": "deny"}, id="a_segment_and_a_prefix"),
    pytest.param({"*/sth/*": "read", "a*b": "update", "a/+b/c": "list"},
                 {"q/sth/x": "deny", "*/sth/x": "read", "axb": "deny", "a*b": "update", "a/xb/c": "deny",
                  "a/+b/c": "list"}, id="wildcards_elsewhere_are_literal"),
    pytest.param({"a/b": "read", "a/*": "update", "a/+": "delete"}, {"a/b": "read", "a/c": "delete", "a/c/d": "update"},
                 id="exact_before_segment_before_prefix"),
    pytest.param({"s/*": "read", "s/+/p-*": "deny"}, {"s/x/p-1": "read", "s/x/other": "read"},
                 id="of_two_open_ends_the_one_with_fewer_pluses"),
    pytest.param({"s/example/*": "read", "s/+/restricted/*": "deny"},
                 {"s/example/restricted/b": "read", "s/zz/restricted/q": "deny"}, id="the_later_first_wildcard"),
    pytest.param({"secret/+/+/foo/*": "read", "secret/+/bar/foo/*": "update", "secret/a/+/foo/*": "list"},
                 {"secret/a/bar/foo/x": "list", "secret/b/bar/foo/x": "update", "secret/b/q/foo/x": "read"},
                 id="a_chain_of_segments"),
    pytest.param({"a/+/*": "read", "a/*": "update"}, {"a/b/c": "update"}, id="a_plain_prefix_before_a_plus_with_star"),
    pytest.param({"a/+/b": "read", "a/+/*": "update"}, {"a/x/b": "read", "a/x/c": "update"}, id="no_star_before_star"),
    pytest.param({"+/b": "read", "a/*": "update"}, {"a/b": "update", "c/b": "read"}, id="a_late_prefix_first"),
    pytest.param({"ab*": "read", "a*": "update", "abcd*": "delete"},
                 {"abc": "read", "abd": "read", "ac": "update", "abcde": "delete", "abcc": "read", "b": "deny"},
                 id="the_longest_prefix"),
    pytest.param({"a/*": "list_update", "a/+": "delete"}, {"a/b": "delete", "a/b/": "list_update"},
                 id="with_its_slash_before_without"),
    pytest.param({"/a/b": "read"}, {"a/b": "read", "/a/b": "read"}, id="slashes_in_front_do_not_count"),
    pytest.param({"": "read"}, {"a": "deny"}, id="an_empty_path_matches_nothing"),
    pytest.param({"a": "deny_read", "b": "sudo"}, {"a": "deny", "b": "sudo"}, id="deny_beats_what_stands_beside_it"),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "answers"), PRIORITY)
def test_one_pattern_decides(rules, answers):
    acl = _acl(_grants(**rules))
    assert {path: "_".join(acl.capabilities(path)) for path in answers} == answers


OPERATIONS = [
    pytest.param("read", "read", True, id="read"),
    pytest.param("list", "list", True, id="list"),
    pytest.param("create", "create", True, id="create"),
    pytest.param("update", "update", True, id="update"),
    pytest.param("delete", "delete", True, id="delete"),
    pytest.param("patch", "patch", True, id="patch"),
    pytest.param("create_update", "patch", False, id="patch_is_its_own"),
    pytest.param("read", "list", False, id="read_is_not_list"),
    pytest.param("update", "create", False, id="update_is_not_create"),
    pytest.param("update", "renew", True, id="renewing_is_updating"),
    pytest.param("update", "revoke", True, id="revoking_is_updating"),
    pytest.param("update", "rollback", True, id="rolling_back_is_updating"),
    pytest.param("deny", "read", False, id="deny"),
    pytest.param("sudo", "read", False, id="sudo_alone_grants_nothing"),
    pytest.param("deny", "help", True, id="help_is_for_everyone"),
]


@pytest.mark.parametrize(("words", "operation", "allowed"), OPERATIONS)
def test_operations(words, operation, allowed):
    assert _acl(_grants(a=words)).decide(Operation(operation), "a", {}).allowed is allowed


def test_help_needs_no_rule():
    assert _acl("").decide("help", "x", {}).allowed


LISTS = [
    pytest.param("s/team", "s/team", True, id="a_rule_without_slash_and_a_list_without"),
    pytest.param("s/team", "s/team/", True, id="a_rule_without_slash_and_a_list_with"),
    pytest.param("s/team/", "s/team", True, id="a_rule_with_slash_and_a_list_without"),
    pytest.param("s/team/*", "s/team", True, id="a_prefix_with_slash"),
    pytest.param("s/team/*", "s/tea", False, id="a_shorter_path"),
    pytest.param("s/+", "s/team", True, id="a_segment"),
    pytest.param("s/+", "s", True, id="an_empty_segment"),
    pytest.param("s/+", "s/team/x", False, id="two_segments"),
]


@pytest.mark.parametrize(("rule", "path", "allowed"), LISTS)
def test_lists_with_and_without_their_slash(rule, path, allowed):
    assert _acl(_grants(**{rule: "list"})).decide(Operation.LIST, path, {}).allowed is allowed


def test_a_read_with_a_slash_is_another_path():
    assert not _acl(_grants(**{"s/team": "read_list"})).decide(Operation.READ, "s/team/", {}).allowed


def test_sudo_paths_need_the_capability():
    acl = _acl(_grants(a="update_sudo", b="update"))
    assert acl.decide("update", "a", {}, sudo=True).allowed
    refusal = acl.decide("update", "b", {}, sudo=True)
    assert (refusal.allowed, refusal.reason) == (False, 'the path needs "sudo", which the rule does not grant')


def test_root_may_do_everything():
    acl = compile_acl([parse_policy("root", "")], 0)
    assert acl.root
    assert acl.decide("delete", "sys/raw/x", {}, sudo=True).root
    assert acl.capabilities("x") == ["root"]
    assert acl.reaches("x/")


def _with(condition, words="create_update_read_list_delete_patch"):
    names = str(words.split("_")).replace("'", '"')
    return f'path "a" {{ capabilities = {names} {condition} }}'


PARAMETERS = [
    pytest.param('allowed_parameters = { data = [] options = [] }', "update", {"data": {}}, True, id="an_allowed_key"),
    pytest.param('allowed_parameters = { data = [] }', "update", {"data": {}, "x": 1}, False, id="a_key_not_allowed"),
    pytest.param('allowed_parameters = { data = [] }', "update", {"DATA": 1}, True, id="names_in_any_case"),
    pytest.param('allowed_parameters = { data = [] }', "update", {}, True, id="no_keys_at_all"),
    pytest.param('allowed_parameters = { data = [] }', "read", {"x": "1"}, False, id="a_query_counts_for_a_read"),
    pytest.param('allowed_parameters = { data = [] }', "list", {"x": "1"}, True, id="not_for_a_list"),
    pytest.param('allowed_parameters = { data = [] }', "delete", {"x": "1"}, True, id="not_for_a_delete"),
    pytest.param('allowed_parameters = { data = [] }', "patch", {"x": "1"}, False, id="for_a_patch"),
    pytest.param('allowed_parameters = { "*" = [] }', "update", {"x": 1}, True, id="a_star_allows_every_key"),
    pytest.param('allowed_parameters = { "*" = ["y"] }', "update", {"x": 1}, True, id="whatever_its_values"),
    pytest.param('allowed_parameters = { "*" = ["y"] }', "update", {"*": 1}, True, id="one_named_star_too"),
    pytest.param('allowed_parameters = { "*" = [] l = ["x"] }', "update", {"l": "y"}, False, id="but_named_keys_hold"),
    pytest.param('denied_parameters = { key = [] }', "update", {"crt": 1, "key": 2}, False, id="a_denied_key"),
    pytest.param('denied_parameters = { key = [] }', "update", {"KEY": 2}, False, id="a_denied_key_in_capitals"),
    pytest.param('denied_parameters = { key = ["x"] }', "update", {"key": "y"}, True, id="another_value"),
    pytest.param('denied_parameters = { a = ["x"] a = ["y"] }', "update", {"a": "x"}, False, id="values_twice_add_up"),
    pytest.param('required_parameters = ["a"] required_parameters = ["b"]', "update", {"b": 1}, False, id="names_too"),
    pytest.param('denied_parameters = { "*" = ["x"] }', "update", {"q": 1}, False, id="a_star_denies_every_key"),
    pytest.param('denied_parameters = { "*" = [] }', "update", {}, True, id="but_not_a_request_without_keys"),
    pytest.param('denied_parameters = { a = [] } allowed_parameters { a = [] }', "update", {"a": 1}, False, id="deny"),
    pytest.param('required_parameters = ["Owner"]', "update", {"x": 1}, False, id="a_required_key_is_missing"),
    pytest.param('required_parameters = ["Owner"]', "update", {"owner": ""}, True, id="a_required_key_is_there"),
    pytest.param('required_parameters = ["Owner"]', "update", {"Owner": 1}, False, id="a_required_key_in_capitals"),
    pytest.param('required_parameters = ["Owner"]', "read", {}, False, id="required_for_a_read_too"),
    pytest.param('required_parameters = ["Owner"]', "list", {}, True, id="not_required_for_a_list"),
    pytest.param('required_parameters = ["Owner"]', "delete", {}, True, id="not_required_for_a_delete"),
    pytest.param('required_parameters = [<<E\nfoo\nE\n]', "update", {"foo": 1}, False, id="a_heredoc_has_a_newline"),
    pytest.param('pagination_limit = 2', "list", {"limit": "2"}, True, id="a_page_that_fits"),
    pytest.param('pagination_limit = 2', "list", {"limit": "3"}, False, id="a_page_too_long"),
    pytest.param('pagination_limit = 2', "list", {"limit": "-1"}, False, id="a_page_without_end"),
    pytest.param('mfa_methods = ["x"]', "read", {}, False, id="a_condition_that_cannot_be_checked"),
]  # fmt: skip


@pytest.mark.parametrize(("condition", "operation", "data", "allowed"), PARAMETERS)
def test_parameters(condition, operation, data, allowed):
    assert _acl(_with(condition)).decide(operation, "a", data).allowed is allowed


VALUES = [
    pytest.param('"*"', ["*"], ["a", "", "**"], id="a_star_alone_is_a_star"),
    pytest.param('"a*"', ["a", "ab"], ["ba", "", 1], id="a_beginning"),
    pytest.param('"*a"', ["a", "ba"], ["ab"], id="an_end"),
    pytest.param('"*a*"', ["a", "ab", "bab"], ["b"], id="a_middle"),
    pytest.param('"**"', ["", "x", "*"], [1], id="two_stars_are_any_text"),
    pytest.param('""', [""], ["x", None], id="an_empty_text"),
    pytest.param('"1"', ["1"], [1, True, Number("1.0")], id="a_text_is_no_number"),
    pytest.param("1", [1, Number("1.0")], [True, "1", 2], id="a_number_by_value"),
    pytest.param("1.5", [Number("1.5"), Number("1.50")], ["1.5", 1], id="a_fraction_by_value"),
    pytest.param("true", [True], ["true", 1, False], id="a_boolean"),
    pytest.param('["a", 1]', [["a", 1]], [["a"], ["a", True], "a", ["a*", 1]], id="a_list"),
    pytest.param('["a*"]', [["a*"]], [["ab"]], id="no_globs_within_a_list"),
    pytest.param("{ b = 1 }", [{"b": 1}], [{"b": True}, {"b": 1, "c": 2}, {}], id="an_object"),
]


@pytest.mark.parametrize(("value", "same", "other"), VALUES)
def test_values_of_parameters(value, same, other):
    acl = _acl(_with(f"allowed_parameters = {{ p = [{value}] }}"))
    assert [acl.decide("update", "a", {"p": each}).allowed for each in same] == [True] * len(same)
    assert [acl.decide("update", "a", {"p": each}).allowed for each in other] == [False] * len(other)


WRAPPING = [
    pytest.param(
        'min_wrapping_ttl = "10s" max_wrapping_ttl = 60', {0: False, 5: False, 10: True, 60: True, 61: False}, id="both"
    ),
    pytest.param("max_wrapping_ttl = 60", {0: False, 30: True, 61: False}, id="a_maximum_makes_wrapping_mandatory"),
    pytest.param("min_wrapping_ttl = 10", {0: False, 9: False, 9999: True}, id="so_does_a_minimum"),
    pytest.param('min_wrapping_ttl = "0"', {0: True, 5: True}, id="zero_is_no_limit"),
]


@pytest.mark.parametrize(("condition", "answers"), WRAPPING)
def test_wrapping_times(condition, answers):
    acl = _acl(_with(condition))
    assert {ttl: acl.decide("read", "a", {}, ttl).allowed for ttl in answers} == answers


MERGING = [
    pytest.param(["", ""], "update", {}, 0, True, id="capabilities_add_up"),
    pytest.param(["allowed_parameters = { a = [1] }", ""], "update", {"b": 1}, 0, False, id="a_restriction_stays"),
    pytest.param(["allowed_parameters = { a = [1] }", "allowed_parameters = { b = [] }"], "update", {"b": 1}, 0, True,
                 id="allowed_keys_join"),
    pytest.param(["allowed_parameters = { a = [1] }", "allowed_parameters = { a = [2] }"], "update", {"a": 1}, 0, True,
                 id="allowed_values_join"),
    pytest.param(["allowed_parameters = { a = [1] }", "allowed_parameters = { a = [] }"], "update", {"a": 9}, 0, True,
                 id="any_value_beats_a_list"),
    pytest.param(["denied_parameters = { a = [1] }", "denied_parameters = { a = [2] }"], "update", {"a": 2}, 0, False,
                 id="denied_values_join"),
    pytest.param(["denied_parameters = { a = [1] }", "denied_parameters = { a = [] }"], "update", {"a": 9}, 0, False,
                 id="every_value_denied_beats_a_list"),
    pytest.param(['required_parameters = ["a"]', 'required_parameters = ["b"]'], "update", {"a": 1}, 0, False,
                 id="required_keys_join"),
    pytest.param(["min_wrapping_ttl = 10", "min_wrapping_ttl = 30"], "read", {}, 10, True, id="the_smaller_minimum"),
    pytest.param(["max_wrapping_ttl = 10", "max_wrapping_ttl = 30"], "read", {}, 11, False, id="the_smaller_maximum"),
    pytest.param(["min_wrapping_ttl = 10", "max_wrapping_ttl = 5"], "read", {}, 10, False, id="limits_that_clash"),
]  # fmt: skip


@pytest.mark.parametrize(("conditions", "operation", "data", "wrap_ttl", "allowed"), MERGING)
def test_rules_of_one_path_merge_across_policies(conditions, operation, data, wrap_ttl, allowed):
    first, second = (_with(condition, words) for condition, words in zip(conditions, ("read", "update"), strict=True))
    for texts in ([first, second], [second, first], [first + "\n" + second]):
        assert _acl(*texts).decide(operation, "a", data, wrap_ttl).allowed is allowed


def test_deny_wins_within_a_path_whichever_policy_comes_first():
    deny, grant = _grants(a="deny"), _with("allowed_parameters = { x = [] }")
    assert _acl(deny, grant).capabilities("a") == ["deny"]
    assert _acl(grant, deny).capabilities("a") == ["deny"]


def test_a_decision_names_the_rule_and_its_policies():
    acl = _acl(_grants(**{"s/*": "read"}), _grants(**{"s/*": "list", "s/x/*": "deny"}))
    refused = acl.decide("update", "s/q", {})
    assert (refused.allowed, refused.path, refused.policies) == (False, "s/*", ("p0", "p1"))
    assert refused.reason == 'the rule does not grant "update"'
    assert acl.decide("read", "s/x/q", {}).reason == "the rule denies everything"
    assert acl.decide("read", "t", {}).reason == 'no rule of p0, p1 matches "t"'
    assert acl.decide("read", "s/q", {}).policies == ("p0", "p1")


def test_a_reason_never_tells_a_value():
    acl = _acl(_with('allowed_parameters = { p = ["x"] } denied_parameters = { q = ["hunter2"] }'))
    for data in ({"p": "hunter2"}, {"q": "hunter2"}, {"z": "hunter2"}):
        assert "hunter2" not in acl.decide("update", "a", data).reason


def test_everything_that_matches_is_told_best_first():
    acl = _acl(_grants(**{"a/*": "read", "a/b": "list", "+/b": "read", "*": "read", "c": "read"}))
    assert [grant.path for grant in acl.matching("a/b")] == ["a/b", "a/*", "+/b", "*"]


def test_templates_are_filled_in_when_rules_are_compiled():
    text = _grants(**{"s/{{identity.entity.name}}/*": "read"})
    assert _acl(text, values={"identity.entity.name": "x"}).capabilities("s/x/1") == ["read"]
    assert _acl(text).capabilities("s/x/1") == ["deny"]


def test_rules_end_when_they_expire():
    text = ('path "a" { capabilities = ["read"] expiration = 100 }\n'
            'path "b" { capabilities = ["read"] expiration = 200 }')  # fmt: skip
    acl = _acl(text, now=150)
    assert (acl.capabilities("a"), acl.capabilities("b"), acl.valid_until) == (["deny"], ["read"], 200)


REACH = [
    pytest.param({"secret/data/x": "read"}, True, id="a_path_below"),
    pytest.param({"secret/data/*": "read"}, True, id="a_prefix_below"),
    pytest.param({"sec*": "read"}, True, id="a_prefix_above"),
    pytest.param({"+/data/x": "read"}, True, id="a_segment_in_its_place"),
    pytest.param({"secret/+/x": "read"}, True, id="a_segment_below"),
    pytest.param({"secret/": "list"}, True, id="the_mount_itself"),
    pytest.param({"secret/data/x": "deny"}, False, id="a_denial_below"),
    pytest.param({"secrets/data/x": "read"}, False, id="another_mount"),
    pytest.param({"sys/+/secret": "read"}, False, id="a_segment_elsewhere"),
]


@pytest.mark.parametrize(("rules", "reached"), REACH)
def test_who_may_know_of_a_mount(rules, reached):
    assert _acl(_grants(**rules)).reaches("secret/") is reached


def test_the_default_policy_lets_a_token_look_after_itself():
    acl = _acl(DEFAULT_POLICY, values={"identity.entity.id": "e", "identity.entity.name": "n"})
    allowed = {
        "auth/token/lookup-self": "read", "auth/token/renew-self": "update", "auth/token/revoke-self": "update",
        "sys/capabilities-self": "update", "cubbyhole/x": "create", "sys/wrapping/unwrap": "update",
        "identity/entity/id/e": "read", "identity/entity/name/n": "read", "sys/leases/renew": "update",
        "identity/oidc/provider/x/authorize": "read", "sys/tools/hash/sha2-256": "update",
    }  # fmt: skip
    assert [path for path, operation in allowed.items() if not acl.decide(operation, path, {}).allowed] == []
    assert not acl.decide("read", "secret/data/x", {}).allowed
    assert not acl.decide("read", "identity/entity/id/other", {}).allowed


@pytest.mark.slow
def test_a_thousand_policies_do_not_slow_a_decision_down():
    one = _grants(**{"secret/data/app/*": "read"})
    many = _acl(
        one, *(_grants(**{f"secret/data/team{i}/*": "read", f"secret/metadata/team{i}/x": "read"}) for i in range(1000))
    )
    for path in ("secret/data/app/x/y", "secret/metadata/team500/x"):
        decide = partial(many.decide, Operation.READ, path, {})
        seconds = min(timeit.repeat(decide, timer=time.process_time, number=1000, repeat=5)) / 1000
        assert seconds < 10e-6  # 1 to 2 is usual
