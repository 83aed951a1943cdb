"""The same tokens, roles and logins from us and OpenBao: status and answer must be the same, but for ids and times.

Where the peer calls a client's fault its own (500), ours is 400 or 404.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from strongroom_server.sdk.request import Operation
from tests.bao import Peer, dev_server
from tests.strongroom_server.live import Live

pytestmark = pytest.mark.peer

Step = tuple[str, str, dict[str, Any] | None]
A: dict[str, Any] = {"policies": ["a"]}


def made(*bodies: dict[str, Any]) -> list[Step]:
    """Return the steps that make a token of each body and look it up."""
    return [step for body in bodies for step in (("POST", "auth/token/create", body), _LOOK)]


def by_role(role: dict[str, Any], *bodies: dict[str, Any]) -> list[Step]:
    """Return the steps that write a role, read it, and make tokens by it, as root and as <parent>."""
    steps: list[Step] = [("POST", "auth/token/roles/r", role), ("GET", "auth/token/roles/r", None)]
    for body in bodies:
        steps += [("POST", "auth/token/create/r", body), _LOOK, ("POST", "auth/token/create/r <parent>", body), _LOOK]
    return [*steps, ("DELETE", "auth/token/roles/r", None)]


_LOOK: Step = ("POST", "auth/token/lookup", {"token": "<client_token>"})
_RENEW: Step = ("POST", "auth/token/renew", {"token": "<client_token>"})
_PARENT: list[Step] = [
    ("POST", "sys/policies/acl/maker", {"policy": 'path "auth/token/*" { capabilities = ["create", "update"] }'}),
    ("POST", "auth/token/create", {"id": "the-parent", "policies": ["maker"], "ttl": "9h"}),
]

TOKENS = made(
    {}, {"ttl": "1h"}, {"ttl": 90}, {"ttl": "9000h"}, {"lease": "2h"}, {"policies": ["B", " c ", "b"]},
    {"policies": ["root"]}, {"policies": ["root", "a"]}, {"policies": ["root"], "ttl": "1h"},
    A | {"no_default_policy": True}, {"no_default_policy": True}, A | {"period": "1h"}, A | {"period": "9000h"},
    A | {"period": "9000h", "explicit_max_ttl": "8000h"}, A | {"explicit_max_ttl": "1h"},
    A | {"explicit_max_ttl": "1h", "ttl": "2h"}, A | {"explicit_max_ttl": "9000h"},
    A | {"period": "1h", "explicit_max_ttl": "30m"}, A | {"num_uses": 3}, A | {"num_uses": -3},
    A | {"display_name": "my name!"}, A | {"display_name": "token"}, A | {"meta": {"k": "v"}}, A | {"renewable": False},
    A | {"no_parent": True}, A | {"type": "batch"}, A | {"type": "batch", "num_uses": 1},
    A | {"type": "batch", "period": "1h"}, A | {"type": "batch", "explicit_max_ttl": "1h"},
    {"policies": ["root"], "type": "batch"}, A | {"type": "x"}, A | {"id": "a.b"}, A | {"id": "hvs.x"},
    A | {"id": "s.x"}, {"policies": ["response-wrapping"]}, A | {"entity_alias": "x"},
)  # fmt: skip

ROLES = _PARENT + [
    step
    for role, bodies in (
        ({}, [{}, A, {"policies": ["root"]}, {"policies": ["default"]}, {"period": "1h"}]),
        ({"allowed_policies": "A,b"}, [{}, A, {"policies": ["c"]}, A | {"no_default_policy": True}]),
        ({"allowed_policies_glob": "d*"}, [{}, {"policies": ["d1"]}, A]),
        ({"disallowed_policies": ["A"]}, [{}, A, {"policies": ["b"]}]),
        ({"disallowed_policies_glob": ["a*"]}, [A, {"policies": ["b"]}]),
        ({"disallowed_policies": ["default"]}, [{}, A]),
        ({"allowed_policies": "root"}, [{}, {"policies": ["default"]}]),
        ({"allowed_policies": "a", "token_no_default_policy": True}, [{}, {"policies": ["default"]}]),
        ({"allowed_policies": "a", "orphan": True, "path_suffix": "suf"}, [{}]),
        ({"allowed_policies": "a", "period": "1h"}, [{}, {"ttl": "5m"}, {"explicit_max_ttl": "30m"}]),
        ({"allowed_policies": "a", "token_explicit_max_ttl": "1h"}, [{}, {"ttl": "5h"}, {"explicit_max_ttl": "30m"}]),
        ({"allowed_policies": "a", "token_num_uses": 2}, [{}, {"num_uses": 1}, {"num_uses": 5}]),
        ({"allowed_policies": "a", "renewable": False}, [{}]),
        ({"allowed_policies": "a", "token_type": "batch"}, []),
        ({"allowed_policies": "a", "token_type": "batch", "orphan": True, "renewable": False}, [{}]),
        ({"allowed_policies": "a", "token_type": "default-batch"}, [{}, {"type": "service"}]),
        ({"allowed_policies": "a", "bound_cidrs": ["10.0.0.1/32", "10.0.0.0/8"]}, [{}]),
        ({"path_suffix": "../x"}, []),
        ({"token_num_uses": -1}, []),
        ({"token_type": "x"}, []),
        ({"allowed_policies": "a", "allowed_entity_aliases": ["Al", "b*"]}, [{"entity_alias": "al"}]),
    )
    for step in by_role(role, *bodies)
]

RENEWALS: list[Step] = [
    step
    for body in (A | {"ttl": "1h"}, A | {"period": "1h"}, A | {"ttl": "1h", "explicit_max_ttl": "2h"},
                 A | {"renewable": False}, {"policies": ["root"]})  # no limit is near: the peer has a clock of its own
    for step in (
        ("POST", "auth/token/create", body), _RENEW,
        ("POST", "auth/token/renew", {"token": "<client_token>", "increment": "90m"}), _RENEW,
        ("POST", "auth/token/renew", {"token": "<client_token>", "increment": "1m"}),
        ("POST", "auth/token/renew-accessor", {"accessor": "<accessor>", "increment": "33m"}),
    )
]  # fmt: skip

APPROLE: list[Step] = [
    ("POST", "sys/auth/ar", {"type": "approle"}),
    ("POST", "auth/ar/role/R", {"policies": "B,a", "period": "5m", "secret_id_num_uses": 5, "secret_id_ttl": "10m"}),
    ("GET", "auth/ar/role/r", None),
    ("GET", "auth/ar/role/r/policies", None),
    ("POST", "auth/ar/role/r/policies", {"token_policies": "c"}),
    ("GET", "auth/ar/role/r/policies", None),
    ("DELETE", "auth/ar/role/none/policies", None),
    ("POST", "auth/ar/role/r/period", {}),
    ("POST", "auth/ar/role/r", {"secret_id_bound_cidrs": "1.2.3.4"}),
    ("GET", "auth/ar/role/r/role-id", None),
    ("POST", "auth/ar/role/r/secret-id", {"metadata": "k=v, l=m", "num_uses": 2, "ttl": "5m"}),
    ("POST", "auth/ar/role/r/secret-id/lookup", {"secret_id": "<secret_id>"}),
    ("POST", "auth/ar/login", {"role_id": " <role_id>\n", "secret_id": "<secret_id>\n"}),
    _LOOK,
    ("POST", "auth/ar/role/r/secret-id", {"num_uses": 6}),
    ("POST", "auth/ar/role/r/secret-id", {"ttl": "11m"}),
    ("LIST", "auth/ar/role/none/secret-id", None),
    ("POST", "auth/ar/role/r", {"token_max_ttl": "9000h"}),
    ("DELETE", "auth/ar/role/r", None),
    ("POST", "auth/ar/login", {"role_id": "<role_id>", "secret_id": "<secret_id>"}),
    _RENEW,
]

USERPASS: list[Step] = [
    ("POST", "sys/auth/up", {"type": "userpass"}),
    ("POST", "auth/up/users/U", {"password": "p", "token_policies": ["x"], "policies": ["y"], "ttl": "1h"}),
    ("GET", "auth/up/users/u", None),
    ("POST", "auth/up/login/u", {"password": "p"}),
    _LOOK,
    ("POST", "auth/up/login/u", {"password": "q"}),
    ("POST", "auth/up/login/ghost", {"password": "q"}),
    ("POST", "auth/up/login/u@d -", {"password": "q"}),
    ("POST", "auth/up/users/u", {"token_type": "batch", "token_period": "1h"}),
    ("POST", "auth/up/users/u", {"token_ttl": "2h", "token_max_ttl": "1h"}),
    ("POST", "auth/up/users/u", {"token_no_default_policy": True, "token_policies": ""}),
    ("POST", "auth/up/login/u", {"password": "p"}),
    ("POST", "auth/up/users/u", {"token_policies": "root"}),
    ("POST", "auth/up/login/u", {"password": "p"}),
    ("POST", "auth/up/users/n", {}),
]


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    with dev_server() as server:
        yield server


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(TOKENS, id="tokens"),
        pytest.param(ROLES, id="token_roles"),
        pytest.param(RENEWALS, id="renewals"),
        pytest.param(APPROLE, id="approle"),
        pytest.param(USERPASS, id="userpass"),
    ],
)
async def test_the_same_requests_give_the_same_answers(live: Live, peer: Peer, steps: list[Step]) -> None:
    ours: dict[str, str] = {"parent": "the-parent"}
    theirs = dict(ours)
    for number, (method, words, body) in enumerate(steps):
        path, _, by = words.partition(" ")
        expected = peer.call(method, path, _filled(body, theirs), token=_token(by, theirs))
        answer = await live.ask(_OPERATIONS[method], path, _filled(body, ours), token=_token(by, ours))
        where = f"step {number}: {method} {words} {body}"
        assert _kind(answer.status) == _kind(expected[0]), f"{where}: {answer.body} {expected[1]}"
        assert _plain(answer.body, answer.status) == _plain(expected[1], expected[0]), where
        _learn(ours, answer.body)
        _learn(theirs, expected[1])


_OPERATIONS = {
    "GET": Operation.READ, "POST": Operation.UPDATE, "LIST": Operation.LIST, "DELETE": Operation.DELETE,
}  # fmt: skip
_LEARNT = ("client_token", "accessor", "role_id", "secret_id")
_VOLATILE = {
    *_LEARNT, "id", "ttl", "entity_id", "request_id", "secret_id_accessor", "creation_time", "issue_time",
    "expire_time", "expiration_time", "last_updated_time", "last_renewal", "last_renewal_time",
}  # fmt: skip


def _token(by: str, known: dict[str, str]) -> str:
    return "" if by == "-" else known[by.strip("<>")] if by else "root"


def _filled(body: dict[str, Any] | None, known: dict[str, str]) -> dict[str, Any] | None:
    def filled(value: Any) -> Any:
        return re.sub(r"<(\w+)>", lambda m: known.get(m[1], "none"), value) if isinstance(value, str) else value

    return None if body is None else {name: filled(value) for name, value in body.items()}


def _learn(known: dict[str, str], body: Any) -> None:
    for part in ((body or {}).get("auth"), (body or {}).get("data")):
        known.update({name: part[name] for name in _LEARNT if part and part.get(name)})


def _kind(status: int) -> int:
    """Return a status, with all that say that the client is wrong as one; 204 is a 200 without a body."""
    return 400 if status in {400, 404, 500} else 200 if status == 204 else status


def _plain(body: Any, status: int) -> Any:
    """Return what must be the same: data and login without what is new each time, warnings in any order."""
    body = body or {}
    if status >= 400:
        return None
    parts = {name: _steady(body.get(name)) for name in ("data", "auth")}
    return parts | {"warnings": sorted(w for w in body.get("warnings") or () if "SHA1" not in w)}


def _steady(part: dict[str, Any] | None) -> dict[str, Any] | None:
    return part and {name: value for name, value in part.items() if name not in _VOLATILE}
