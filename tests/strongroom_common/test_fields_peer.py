"""The same values to our kinds and to OpenBao's fields: both must read the same, or both refuse."""

import pytest

from strongroom_common.fields import Seconds
from tests.bao import dev_server
from tests.strongroom_common.test_fields import BAD, READINGS

pytestmark = pytest.mark.peer

FIELDS = {Seconds: "token_ttl", int: "token_num_uses", bool: "bind_secret_id"}
CASES = [
    pytest.param(kind, raw, wanted, id=f"{name}_{index}")
    for kind, name in FIELDS.items()
    for index, (raw, wanted) in enumerate(READINGS[kind])
    if kind is not int or wanted is BAD or wanted >= 0  # this field refuses negative numbers by itself
]


@pytest.fixture(scope="module")
def bao():
    with dev_server() as peer:
        assert peer.call("POST", "sys/auth/approle", {"type": "approle"})[0] == 204
        yield peer


@pytest.mark.parametrize(("kind", "raw", "wanted"), CASES)
def test_both_read_the_same(bao, kind, raw, wanted):
    name = FIELDS[kind]
    body = {"secret_id_bound_cidrs": "10.0.0.0/8", name: raw}  # a role must be bound by something
    status, answer = bao.call("POST", "auth/approle/role/r", body)
    assert status == (400 if wanted is BAD else 204), answer
    if wanted is not BAD:
        assert bao.call("GET", "auth/approle/role/r")[1]["data"][name] == wanted
    bao.call("DELETE", "auth/approle/role/r")
