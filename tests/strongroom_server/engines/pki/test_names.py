from typing import Any

import pytest

from strongroom_common.fields import parse
from strongroom_server.engines.pki import names
from strongroom_server.engines.pki.role import Role
from strongroom_server.engines.pki.subject import HOSTNAME, to_ascii
from strongroom_server.lib.globs import fits
from strongroom_server.sdk.errors import InvalidRequest


def passes(name: str, **fields: Any) -> bool:
    role = parse(Role, fields).value
    return names.name_passes(role, name, role.allowed_domains)


ANY = {"allow_any_name": True}
BELOW = {"allowed_domains": "example.test", "allow_subdomains": True}
BARE = {"allowed_domains": "example.test", "allow_bare_domains": True}
GLOB = {"allowed_domains": "*.example.test,foo-*", "allow_glob_domains": True}


@pytest.mark.parametrize(("fields", "name", "allowed"), [
    pytest.param(ANY, "a.b", True, id="any_name"),
    pytest.param(ANY, "*", True, id="any_name_and_a_lone_star"),
    pytest.param(ANY, "me@x.y", True, id="any_name_and_an_address"),
    pytest.param(ANY, "a_b", False, id="a_name_with_an_underscore_is_no_hostname"),
    pytest.param(ANY, "-a", False, id="a_label_does_not_start_with_a_hyphen"),
    pytest.param(ANY, "foo.*.x", False, id="a_wildcard_counts_in_the_first_label_only"),
    pytest.param(ANY, "me@@x.y", False, id="two_signs_are_no_address"),
    pytest.param({**ANY, "enforce_hostnames": False}, "a b", True, id="hostnames_not_enforced"),
    pytest.param(BARE, "example.test", True, id="the_bare_domain"),
    pytest.param(BARE, "EXAMPLE.test", True, id="the_bare_domain_in_another_case"),
    pytest.param(BARE, "me@example.test", True, id="an_address_at_the_bare_domain"),
    pytest.param(BARE, "a.example.test", False, id="bare_domains_are_no_subdomains"),
    pytest.param({**BARE, "allowed_domains": "*.example.test"}, "*.example.test", True, id="a_literal_wildcard"),
    pytest.param({**BARE, "allowed_domains": "*.example.test"}, "a.example.test", False, id="which_is_no_glob"),
    pytest.param({**BARE, "allowed_domains": "me@example.test"}, "you@example.test", False, id="another_address"),
    pytest.param(BELOW, "a.b.example.test", True, id="subdomains_at_any_depth"),
    pytest.param(BELOW, "example.test", False, id="subdomains_without_the_domain"),
    pytest.param(BELOW, "xexample.test", False, id="a_domain_ends_at_a_dot"),
    pytest.param(BELOW, "me@a.example.test", True, id="an_address_below"),
    pytest.param(BELOW, "me@example.test", False, id="an_address_at_the_domain_itself"),
    pytest.param(BELOW, "*.example.test", True, id="a_wildcard_below"),
    pytest.param(BELOW, "w*.example.test", True, id="a_wildcard_within_a_label"),
    pytest.param(BELOW, "*.*.example.test", False, id="two_wildcards"),
    pytest.param(BELOW, "**.example.test", False, id="two_stars"),
    pytest.param({**BELOW, "allow_wildcard_certificates": False}, "*.example.test", False, id="no_wildcards"),
    pytest.param(GLOB, "a.b.example.test", True, id="a_glob_matches_across_dots"),
    pytest.param(GLOB, "foo-x", True, id="a_glob_at_the_end"),
    pytest.param(GLOB, "example.test", False, id="a_glob_with_a_dot_needs_it"),
    pytest.param({}, "localhost", True, id="localhost"),
    pytest.param({}, "a.localhost", False, id="nothing_below_localhost"),
    pytest.param(BELOW, "a.localhost", True, id="below_localhost_where_subdomains_are_allowed"),
    pytest.param({**BELOW, "allow_localhost": False}, "a.localhost", False, id="but_not_without_localhost"),
    pytest.param({}, "localhost6", False, id="which_is_one_name_only"),
    pytest.param({"allow_localhost": False}, "localhost", False, id="no_localhost"),
    pytest.param({}, "a.b", False, id="nothing_is_allowed_by_default"),
])  # fmt: skip
def test_a_name_passes_if_the_role_says_so(fields: dict[str, Any], name: str, allowed: bool) -> None:
    assert passes(name, **fields) is allowed


@pytest.mark.parametrize(("name", "expected"), [
    pytest.param("ünï.test", "xn--n-nga1b.test", id="letters_of_other_scripts_become_punycode"),
    pytest.param("*.ünï.test", "*.xn--n-nga1b.test", id="below_a_wildcard_too"),
    pytest.param("A.B", "A.B", id="ascii_stays_as_it_is"),
])  # fmt: skip
def test_names_become_ascii(name: str, expected: str) -> None:
    assert to_ascii(name) == expected


@pytest.mark.parametrize("name", ["a..b", "a.b.", "x" * 64, "", "a" * 63 + "." + ".".join(["b" * 60] * 4)])
def test_impossible_labels_are_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match="invalid label"):
        to_ascii(name)


@pytest.mark.parametrize(("glob", "text", "matches"), [
    pytest.param("spiffe://td/*", "spiffe://td/ns/x", True, id="across_slashes"),
    pytest.param("a.c", "abc", False, id="a_dot_is_a_dot"),
    pytest.param("*", "", True, id="a_star_is_also_nothing"),
    pytest.param("a*b*c", "a-b-b-c", True, id="several_stars"),
])  # fmt: skip
def test_a_glob_has_stars_only(glob: str, text: str, matches: bool) -> None:
    assert fits((glob,), text) is matches


def test_hostnames_take_no_time_to_refuse() -> None:
    assert HOSTNAME.fullmatch("a" * 5000 + "!") is None
    assert HOSTNAME.fullmatch("a-" * 3000 + "!") is None
