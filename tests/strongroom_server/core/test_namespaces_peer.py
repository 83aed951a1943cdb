"""The same requests in namespaces to us and to OpenBao: statuses, messages and what is shown are the same.

``{child}`` and ``{above}`` are tokens made by the steps that name them.
"""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.bao import Peer
from tests.bao import dev_server as peers
from tests.ours import dev_server

pytestmark = pytest.mark.peer

_ADMIN = 'path "*" { capabilities = ["create", "read", "update", "delete", "list", "sudo"] }'
_ABOVE = 'path "ns/kv/*" { capabilities = ["read"] }\npath "+/sys/policy" { capabilities = ["read"] }'

# method, path, namespace, token, body; with a name before it, the answer's token is kept under that
Step = tuple[str, str, str, str, Any]
STORY: list[Step | tuple[str, Step]] = [
    ("LIST", "sys/namespaces", "", "root", None),
    ("POST", "sys/namespaces/ns", "", "root", {"custom_metadata": {"a": "b"}}),
    ("POST", "sys/namespaces/in", "ns", "root", {}),
    ("POST", "sys/namespaces/beside", "", "root", {}),
    ("GET", "sys/namespaces/ns", "", "root", None),
    ("GET", "ns/sys/namespaces/in", "", "root", None),
    ("SCAN", "sys/namespaces", "ns", "root", None),
    ("GET", "sys/namespaces/nope", "", "root", None),
    *(("POST", f"sys/namespaces/{name}", "", "root", {}) for name in ("a/b", "sys", "root", "a%20b", "a*b", "secret")),
    ("POST", "sys/namespaces/x", "", "root", {"custom_metadata": {"a": 1}}),
    *(("GET", "sys/policy", name, "root", None) for name in ("", "root", "/", "ns", "ns/", "/ns", "ns/in", "no")),
    *(("GET", path, "ns", "root", None) for path in (
        "sys/health", "sys/init", "sys/metrics", "sys/audit", "sys/config/cors", "sys/host-info", "sys/key-status",
        "sys/rotate/config", "sys/quotas/config", "sys/nosuch", "nosuch/x", "ns/sys/policy",
    )),
    ("POST", "sys/mounts/kv", "ns", "root", {"type": "kv"}),
    ("POST", "sys/mounts/kv", "ns", "root", {"type": "kv"}),
    ("POST", "kv/a", "ns", "root", {"a": "b"}),
    ("PUT", "sys/policies/acl/admin", "ns", "root", {"policy": _ADMIN}),
    ("PUT", "sys/policies/acl/above", "", "root", {"policy": _ABOVE}),
    ("LIST", "sys/policies/acl", "ns", "root", None),
    ("child", ("POST", "auth/token/create", "ns", "root", {"policies": ["admin"]})),
    ("above", ("POST", "auth/token/create", "", "root", {"policies": ["above"]})),
    ("POST", "auth/token/create", "ns", "root", {"policies": ["root"]}),
    ("POST", "auth/token/create", "ns", "root", {"id": "mine"}),
    *(("GET", path, name, token, None) for token in ("{child}", "{above}") for path, name in (
        ("kv/a", "ns"), ("ns/kv/a", ""), ("kv/a", ""), ("sys/policy", ""), ("sys/policy", "ns"),
        ("sys/policy", "beside"),
        ("cubbyhole/x", "ns"), ("cubbyhole/x", ""), ("nosuch/x", ""),
    )),
    *(("GET", "auth/token/lookup-self", name, token, None)
      for token in ("root", "{child}", "{above}") for name in ("", "ns", "beside")),
    ("POST", "auth/token/lookup", "", "root", {"token": "{child}"}),
    ("POST", "sys/capabilities-self", "ns", "{child}", {"paths": ["kv/a"]}),
    ("POST", "sys/capabilities-self", "", "{above}", {"paths": ["ns/kv/a", "kv/a"]}),
    ("POST", "sys/capabilities", "ns", "root", {"token": "{above}", "paths": ["kv/a"]}),
    ("GET", "sys/internal/ui/namespaces", "ns", "root", None),
    ("POST", "sys/namespaces/api-lock/lock/nope", "", "root", {}),
    ("POST", "sys/namespaces/api-lock/lock", "", "root", {}),
    ("POST", "sys/namespaces/api-lock/lock/ns", "", "root", {}),
    ("GET", "sys/policy", "ns/in", "root", None),
    ("POST", "sys/namespaces/api-lock/unlock/ns", "", "root", {"unlock_key": "wrong"}),
    ("POST", "sys/namespaces/api-lock/unlock/ns", "", "root", {}),
    ("POST", "sys/namespaces/api-lock/unlock/ns", "", "root", {}),
    ("DELETE", "sys/namespaces/ns", "", "root", None),
    ("DELETE", "sys/namespaces/nope", "", "root", None),
    ("DELETE", "sys/namespaces/in", "ns", "root", None),
]  # fmt: skip

_FRAME = re.compile(r"^1 error occurred:\n\t\* |\n+$")
_SHOWN = (
    "custom_metadata",
    "locked",
    "path",
    "tainted",
    "namespace_path",
    "policies",
    "keys",
    "status",
    "capabilities",
)


def test_namespaces_answer_as_openbaos(tmp_path: Path) -> None:
    with peers() as peer, dev_server(tmp_path) as ours:
        theirs, own = _played(peer), _played(Peer(ours.address))
    differing = [(step, there, here) for step, there, here in zip(STORY, theirs, own, strict=True) if there != here]
    assert differing == []


def _played(server: Peer) -> list[Any]:
    kept: dict[str, str] = {}
    answers = []
    for row in STORY:
        name, step = (row[0], row[1]) if len(row) == 2 else ("", row)
        method, path, namespace, token, body = step
        headers = {"X-Vault-Namespace": namespace} if namespace else {}
        status, answer = server.call(method, path, _filled(body, kept), _filled(token, kept), headers)
        if name:
            kept[name] = answer["auth"]["client_token"]
        answers.append((status, _told(answer)))
    return answers


def _filled(value: Any, kept: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(inner, kept) for key, inner in value.items()}
    return kept.get(value.strip("{}"), value) if isinstance(value, str) else value


def _told(answer: Any) -> Any:
    """Return what is compared: messages without Go's frame around them, and the fields that are no ids."""
    if not isinstance(answer, dict):
        return answer
    if "errors" in answer:
        return [_FRAME.sub("", error) for error in answer["errors"]]
    data = answer.get("data") or {}
    return {name: sorted(data[name]) if name in {"keys", "policies"} else data[name] for name in _SHOWN if name in data}
