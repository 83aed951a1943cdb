"""The same rules and paths to our tables and to OpenBao's: both must give the same capabilities."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strongroom_common.hcl import HclError
from strongroom_server.core.acl import compile_acl
from strongroom_server.core.policies import parse_policy
from tests.bao import dev_server
from tests.strongroom_server.core.test_acl import PRIORITY
from tests.strongroom_server.core.test_policies import REFUSED

pytestmark = pytest.mark.peer


@pytest.fixture(scope="module")
def bao():
    with dev_server() as peer:
        for name in ("p", "q"):
            assert peer.call("PUT", f"sys/policies/acl/{name}", {"policy": "name = 1"})[0] == 204
        assert peer.call("POST", "sys/mounts/kv", {"type": "kv"})[0] == 204
        assert peer.call("POST", "kv/x", {"here": "already"})[0] == 204
        yield peer


@pytest.fixture(scope="module")
def token(bao):
    _, answer = bao.call("POST", "auth/token/create", {"policies": ["p", "q"], "no_default_policy": True})
    return answer["auth"]["client_token"]


def _compare(bao, token, texts, paths):
    for name, text in zip(("p", "q"), texts, strict=True):
        assert bao.call("PUT", f"sys/policies/acl/{name}", {"policy": text})[0] == 204
    _, answer = bao.call("POST", "sys/capabilities", {"token": token, "paths": paths})
    acl = compile_acl([parse_policy("p", texts[0]), parse_policy("q", texts[1])], 0)
    assert {path: acl.capabilities(path) for path in paths} == {
        path: answer["data"][path.lstrip("/")] for path in paths
    }


def _text(rules):
    listed = {words: ", ".join(f'"{word}"' for word in words.split("_")) for words in {w for _, w in rules}}
    return "\n".join(f'path "{path}" {{ capabilities = [{listed[words]}] }}' for path, words in rules) or "name = 1"


@pytest.mark.parametrize(("rules", "answers"), PRIORITY)
def test_both_agree_on_priorities(bao, token, rules, answers):
    paths = [path for path in answers if not path.startswith("/")]
    _compare(bao, token, [_text(list(rules.items())), "name = 1"], paths)


_segments = st.sampled_from(["a", "b", "ab", "a+b", "+", "a*", ""])
_patterns = st.builds(
    lambda parts, end: "/".join(parts) + end,
    st.lists(_segments, min_size=1, max_size=4),
    st.sampled_from(["", "*", "/*", "/"]),
).filter(lambda path: "+*" not in path and path.strip("/*"))
_words = st.sampled_from(["read", "list", "update_create", "sudo", "deny", "delete_patch"])
_rules = st.lists(st.tuples(_patterns, _words), max_size=6)
_paths = st.builds(
    "/".join, st.lists(st.sampled_from(["a", "b", "ab", "abc", "a+b", ""]), min_size=1, max_size=4)
).filter(lambda path: path.strip("/") and not path.startswith("/"))


@settings(max_examples=400, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(first=_rules, second=_rules, paths=st.lists(_paths, min_size=1, max_size=8, unique=True))
def test_both_agree_on_any_rules(bao, token, first, second, paths):
    _compare(bao, token, [_text(first), _text(second)], paths)


_names = st.sampled_from(["p", "q", "P", '"*"', '"p q"'])
_values = st.sampled_from(['"a"', '"a*"', '"*a"', '"*"', '""', "true", "false", "[]", '["a"]', '{ x = "y" }', "{}"])
_maps = st.dictionaries(_names, st.lists(_values, max_size=2), min_size=1, max_size=2).map(
    lambda found: "{ " + " ".join(f"{name} = [{', '.join(values)}]" for name, values in found.items()) + " }"
)
_conditions = st.lists(
    st.one_of(
        _maps.map("allowed_parameters = {}".format), _maps.map("denied_parameters = {}".format),
        st.lists(st.sampled_from(['"p"', '"q"', '"P"']), max_size=2).map(
            lambda names: f"required_parameters = [{', '.join(names)}]"
        ),
        st.sampled_from(["min_wrapping_ttl = 5", 'max_wrapping_ttl = "1m"', "max_wrapping_ttl = 0"]),
    ),
    max_size=3,
).map(" ".join)  # fmt: skip
_bodies = st.dictionaries(
    st.sampled_from(["p", "q", "P", "z", "p q", "*"]),
    st.sampled_from(["a", "ab", "ba", "", "*", True, False, None, [], ["a"], {"x": "y"}, {}]), max_size=3,
)  # fmt: skip
_requests = st.lists(st.tuples(_bodies, st.sampled_from([0, 4, 5, 60, 61])), min_size=1, max_size=4)


@settings(max_examples=80, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(first=_conditions, second=_conditions, requests=_requests)
def test_both_agree_on_parameters(bao, token, first, second, requests):
    """Of numbers we think otherwise: see ``grants._same``."""
    texts = [f'path "kv/x" {{ capabilities = ["create", "update"] {inside} }}' for inside in (first, second)]
    for name, text in zip(("p", "q"), texts, strict=True):
        assert bao.call("PUT", f"sys/policies/acl/{name}", {"policy": text})[0] == 204
    acl = compile_acl([parse_policy("p", texts[0]), parse_policy("q", texts[1])], 0)
    for body, wrap_ttl in requests:
        status, _ = bao.call("POST", "kv/x", body, token, {"X-Vault-Wrap-TTL": str(wrap_ttl)} if wrap_ttl else {})
        allowed = acl.decide("update", "kv/x", body, wrap_ttl).allowed
        assert allowed is (status != 403), (texts, body, wrap_ttl)


@pytest.mark.parametrize("text", [pytest.param(case.values[0], id=case.id) for case in REFUSED])
def test_both_refuse(bao, text):
    with pytest.raises(HclError):
        parse_policy("p", text)
    if not text.startswith("{"):  # the peer's reader of JSON takes much that is none
        assert bao.call("PUT", "sys/policies/acl/t", {"policy": text})[0] == 400
