import pytest

from strongroom_server.core.acl import compile_acl
from strongroom_server.core.policies import parse_policy
from strongroom_server.core.policy_templates import UnsafeTemplateValue, resolve

VALUES = {
    "identity.entity.id": "e-1",
    "identity.entity.name": "svc-a",
    "identity.entity.metadata.empty": "",
    "identity.entity.metadata.star": "*",
    "identity.entity.metadata.plus": "a+b",
    "identity.entity.metadata.slash": "blue/sub",
    "identity.entity.metadata.braces": "{{identity.entity.id}}",
    "identity.groups.names.ops.id": "g-1",
}


@pytest.mark.parametrize(
    ("path", "resolved"),
    [
        pytest.param("s/{{identity.entity.id}}/*", "s/e-1/*", id="a_value"),
        pytest.param("s/{{ identity.entity.name }}", "s/svc-a", id="blanks_within_the_braces"),
        pytest.param("{{identity.entity.id}}/x-{{identity.entity.name}}-y", "e-1/x-svc-a-y", id="two_values"),
        pytest.param("s/{{identity.groups.names.ops.id}}", "s/g-1", id="a_group"),
        pytest.param("s/{{identity.entity.metadata.empty}}/x", "s//x", id="an_empty_value"),
        pytest.param("s/{{identity.entity.metadata.none}}/x", None, id="no_such_value"),
        pytest.param("s/{{identity.groups.names.*.id}}", None, id="a_star_in_the_selector_matches_nothing"),
        pytest.param("s/{{}}", None, id="an_empty_selector"),
        pytest.param("s/{{identity.entity.metadata.braces}}", "s/{{identity.entity.id}}", id="values_are_no_templates"),
        pytest.param("s/plain", "s/plain", id="a_path_without_template"),
    ],
)
def test_templates_are_filled_in(path, resolved):
    assert resolve(path, VALUES) == resolved


UNSAFE = [pytest.param("star", id="a_star"), pytest.param("plus", id="a_plus"), pytest.param("slash", id="a_slash")]


@pytest.mark.parametrize("key", UNSAFE)
def test_what_would_widen_the_path_is_never_put_in(key):
    with pytest.raises(UnsafeTemplateValue) as caught:
        resolve(f"s/{{{{identity.entity.metadata.{key}}}}}/*", VALUES)
    assert VALUES[f"identity.entity.metadata.{key}"] not in str(caught.value).partition(" holds ")[0].replace("/*", "")


def _acl(*rules, values=VALUES):
    text = "\n".join(f'path "{path}" {{ capabilities = ["{word}"] }}' for path, word in rules)
    return compile_acl([parse_policy("p", text)], 0).for_entity(values)


@pytest.mark.parametrize("key", UNSAFE)
def test_a_grant_with_an_unsafe_value_grants_nothing(key):
    acl = _acl((f"s/{{{{identity.entity.metadata.{key}}}}}/*", "read"), ("a", "read"))
    assert [acl.capabilities(path) for path in ("s/x/y", "s/blue/sub/y", "s/a+b/y", "s/*/y")] == [["deny"]] * 4
    assert acl.capabilities("a") == ["read"]


@pytest.mark.parametrize("key", UNSAFE)
def test_a_deny_with_an_unsafe_value_is_not_lost(key):
    with pytest.raises(UnsafeTemplateValue):
        _acl((f"s/{{{{identity.entity.metadata.{key}}}}}", "deny"), ("a", "read"))


def test_without_an_entity_templated_rules_grant_nothing():
    acl = _acl(("s/{{identity.entity.id}}", "read"), ("a", "read"), values={})
    assert (acl.capabilities("s/e-1"), acl.capabilities("s/{{identity.entity.id}}")) == (["deny"], ["deny"])
    assert acl.capabilities("a") == ["read"]


@pytest.mark.parametrize(
    ("rules", "path", "capabilities"),
    [
        pytest.param([("s/{{identity.entity.id}}", "read"), ("s/e-1", "list")], "s/e-1", ["list", "read"], id="exact"),
        pytest.param([("s/{{identity.entity.id}}/*", "read"), ("s/e-1/*", "list")], "s/e-1/x",
                     ["list", "read"], id="prefix"),
        pytest.param([("s/{{identity.entity.id}}", "deny"), ("s/e-1", "list")], "s/e-1", ["deny"], id="deny"),
        pytest.param([("s/{{identity.entity.id}}/*", "read"), ("s/*", "list")], "s/e-1/x", ["read"], id="priority"),
        pytest.param([("+/{{identity.entity.id}}/x", "read"), ("a", "list")], "q/e-1/x", ["read"], id="a_segment"),
        pytest.param([("{{identity.entity.id}}/*", "read"), ("{{identity.entity.id}}/*", "list")], "e-1/x",
                     ["list", "read"], id="twice"),
    ],
)  # fmt: skip
def test_templated_rules_merge_with_the_others(rules, path, capabilities):
    assert _acl(*rules).capabilities(path) == capabilities


def test_entities_share_what_does_not_depend_on_them():
    rules = [("a/*", "read"), ("b", "read"), ("s/{{identity.entity.id}}", "read")]
    text = "\n".join(f'path "{path}" {{ capabilities = ["{word}"] }}' for path, word in rules)
    base = compile_acl([parse_policy("p", text)], 0)
    first, second = (base.for_entity({"identity.entity.id": name}) for name in ("x", "y"))
    assert first.find("a/1") is second.find("a/1")
    assert first.find("b") is second.find("b")
    assert (first.capabilities("s/x"), second.capabilities("s/x")) == (["read"], ["deny"])
