from typing import Any

import pytest

from strongroom_common.fields import parse
from strongroom_server.lib.cidr import allows, inside
from strongroom_server.lib.tokenparams import TokenParams, login, same_policies, shown, updated
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.request import Connection, Operation, Request


def write(stored: TokenParams | None, **body: Any) -> TokenParams:
    return updated(parse(TokenParams, body), stored, Request(Operation.UPDATE, "role/r", body))


def test_a_read_shows_every_parameter() -> None:
    assert shown(write(None)) == {
        "token_bound_cidrs": (),
        "token_explicit_max_ttl": 0,
        "token_max_ttl": 0,
        "token_no_default_policy": False,
        "token_num_uses": 0,
        "token_period": 0,
        "token_policies": (),
        "token_strictly_bind_ip": False,
        "token_ttl": 0,
        "token_type": "default",
    }


def test_older_names_are_shown_while_they_are_used() -> None:
    role = write(None, policies="A,b", ttl="1h", bound_cidrs="127.0.0.1/32")
    assert {name: shown(role)[name] for name in ("policies", "ttl", "bound_cidrs")} == {
        "policies": ("a", "b"),
        "ttl": 3600,
        "bound_cidrs": ("127.0.0.1",),
    }
    role = write(role, token_policies="c")
    assert "policies" not in shown(role)
    assert shown(role)["ttl"] == shown(role)["token_ttl"] == 3600
    role = write(role, token_ttl="3h", ttl="4h")
    assert shown(role)["ttl"] == shown(role)["token_ttl"] == 10800
    role = write(role, token_ttl="5h", old_names=["policies"])
    assert not {"ttl", "policies", "old_names"} & set(shown(role))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param({"token_ttl": "3h", "token_max_ttl": "2h"}, "cannot be greater than", id="ttl_over_max"),
        pytest.param({"token_num_uses": -1}, "'token_num_uses' cannot be negative", id="negative_uses"),
        pytest.param({"token_type": "bad"}, "invalid 'token_type' value \"bad\"", id="no_such_type"),
        pytest.param({"token_type": "batch", "token_period": 3}, "periodic", id="a_periodic_batch_token"),
        pytest.param({"token_type": "batch", "token_num_uses": 3}, "limited use", id="a_counted_batch_token"),
    ],
)
def test_contradictions_are_refused(body: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        write(None, **body)


def test_an_empty_type_is_the_mounts() -> None:
    assert write(None, token_type="").token_type == "default"


def test_a_login_carries_the_parameters() -> None:
    role = write(
        None, token_ttl=1, token_max_ttl=2, token_explicit_max_ttl=3, token_period=4, token_policies="p",
        token_bound_cidrs="10.0.0.0/8", token_no_default_policy=True, token_num_uses=5, token_type="service",
    )  # fmt: skip
    auth = login(role, Request(Operation.UPDATE, "login"))
    assert (auth.ttl, auth.max_ttl, auth.explicit_max_ttl, auth.period) == (1, 2, 3, 4)
    assert (auth.policies, auth.bound_cidrs, auth.num_uses) == (("p",), ("10.0.0.0/8",), 5)
    assert (auth.no_default_policy, auth.token_type) == (True, "service")


def test_a_token_can_be_bound_to_the_address_of_its_login() -> None:
    request = Request(Operation.UPDATE, "login", connection=Connection("10.1.2.3"))
    assert login(write(None, token_strictly_bind_ip=True), request).bound_cidrs == ("10.1.2.3",)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (["a", "default"], ["A"], True),
        (["a"], ["a", "b"], False),
        ([], ["default"], True),
        (["root", "x"], ["root"], True),
    ],
)
def test_policies_are_compared_without_default(one: list[str], other: list[str], same: bool) -> None:
    assert same_policies(one, other) is same


@pytest.mark.parametrize(
    ("networks", "address", "allowed"),
    [
        pytest.param([], "", True, id="no_bound"),
        pytest.param(["10.0.0.0/8", "127.0.0.0/8"], "127.0.0.1", True, id="the_second_of_two"),
        pytest.param(["10.1.2.3/8"], "10.9.9.9", True, id="host_bits_do_not_matter"),
        pytest.param(["10.0.0.0/8"], "::ffff:10.0.0.1", True, id="an_ipv4_address_in_ipv6_clothes"),
        pytest.param(["fe80::/10"], "fe80::1%eth0", True, id="a_link_local_address_with_its_interface"),
        pytest.param(["10.0.0.0/8"], "11.0.0.1", False, id="outside"),
        pytest.param(["10.0.0.0/8"], "", False, id="an_unknown_address"),
        pytest.param(["10.0.0.0/8"], "junk", False, id="no_address"),
        pytest.param(["junk"], "10.0.0.1", False, id="no_network"),
        pytest.param(["::/0"], "10.0.0.1", False, id="the_other_family"),
    ],
)
def test_networks_allow(networks: list[str], address: str, allowed: bool) -> None:
    assert allows(networks, address) is allowed


@pytest.mark.parametrize(
    ("inner", "outer", "within"),
    [
        (["10.1.0.0/16"], ["10.0.0.0/8", "127.0.0.0/8"], True),
        (["11.0.0.0/8"], ["10.0.0.0/8"], False),
        (["10.0.0.0/7"], ["10.0.0.0/8"], False),
        (["::1/128"], ["0.0.0.0/0"], False),
        ([], ["10.0.0.0/8"], True),
        (["1.2.3.4"], [], True),
    ],
)
def test_networks_lie_inside_others(inner: list[str], outer: list[str], within: bool) -> None:
    assert inside(inner, outer) is within
