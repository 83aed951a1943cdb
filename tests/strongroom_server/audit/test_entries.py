import json
from typing import Any

import msgspec
import pytest

from strongroom_server.audit.entries import Event, Target, Token, Verdict, probe_entry, request_entry, response_entry
from strongroom_server.audit.redaction import Redaction
from strongroom_server.sdk.request import Auth, Connection, Lease, Operation, Raw, Request, Response, WrapInfo

RULE = Redaction(b"salt")
H = RULE.hash


def event(response: Response | None = None, operation: Operation = Operation.READ, **more: Any) -> Event:
    request = Request(
        operation,
        "a/b",
        data={"password": "pw", "n": 1},
        mount_point="secret/",
        mount_accessor="kv_1",
        token="s.token",
        headers={"X-Trace": "tr", "X-Hidden": "hid", "X-Other": "other"},
        connection=Connection("10.0.0.1", 4711),
        id="id-1",
        wrap_ttl=60,
    )
    token = Token("s.token", "acc", "root", ("root",), kind="service", ttl=30, issued=1_700_000_000.9)
    facts: dict[str, Any] = {
        "token": token,
        "verdict": Verdict(allowed=True, granting=("root",)),
        "target": Target("kv", "secret", "v1"),
        "client_id": "client",
    }
    return Event(1_700_000_001.5, request, response=response, **(facts | more))


def test_a_request():
    assert json.loads(request_entry(RULE, event(headers={"x-trace": False, "x-hidden": True, "x-none": True}))) == {
        "time": "2023-11-14T22:13:21.500000Z",
        "type": "request",
        "auth": {
            "client_token": H("s.token"),
            "accessor": H("acc"),
            "display_name": "root",
            "policies": ["root"],
            "token_policies": ["root"],
            "policy_results": {
                "allowed": True,
                "granting_policies": [{"name": "root", "namespace_id": "root", "type": "acl"}],
            },
            "token_type": "service",
            "token_ttl": 30,
            "token_issue_time": "2023-11-14T22:13:20Z",
        },
        "request": {
            "id": "id-1",
            "client_id": "client",
            "operation": "read",
            "mount_point": "secret/",
            "mount_type": "kv",
            "mount_accessor": "kv_1",
            "mount_running_version": "v1",
            "mount_class": "secret",
            "client_token": H("s.token"),
            "client_token_accessor": H("acc"),
            "namespace": {"id": "root"},
            "path": "secret/a/b",
            "data": {"password": H("pw"), "n": 1},
            "remote_address": "10.0.0.1",
            "remote_port": 4711,
            "wrap_ttl": 60,
            "headers": {"x-hidden": [H("hid")], "x-trace": ["tr"]},
        },
    }


def test_a_refusal_names_the_rule_that_decided():
    refused = event(verdict=Verdict(allowed=False, rule='policy "p": path "secret/*"'), error="permission denied")
    entry = json.loads(request_entry(RULE, refused))
    assert entry["auth"]["policy_results"] == {"allowed": False, "rule": 'policy "p": path "secret/*"'}
    assert entry["error"] == "permission denied"


def test_a_request_without_a_token():
    entry = json.loads(request_entry(RULE, event(token=None, verdict=None)))
    assert entry["auth"] == {"token_type": "default"}


def answer(response: Response, rule: Redaction = RULE, **more: Any) -> dict[str, Any]:
    entry = json.loads(response_entry(rule, event(response, **more)))
    assert entry["type"] == "response"
    found: dict[str, Any] = entry["response"]
    for name in ("mount_point", "mount_type", "mount_accessor", "mount_running_plugin_version", "mount_class"):
        assert found.pop(name)
    return found


AUTH = Auth(
    policies=("default", "p"),
    identity_policies=("idp",),
    display_name="userpass-u",
    metadata={"username": "u"},
    ttl=60,
    num_uses=5,
    client_token="s.new",
    accessor="new-acc",
    entity_id="ent",
    token_type="service",
)
SHOWN_AUTH = {
    "client_token": H("s.new"),
    "accessor": H("new-acc"),
    "display_name": "userpass-u",
    "policies": ["default", "idp", "p"],
    "token_policies": ["default", "p"],
    "identity_policies": ["idp"],
    "metadata": {"username": "u"},
    "num_uses": 5,
    "entity_id": "ent",
    "token_type": "service",
    "token_ttl": 60,
}
WRAP = WrapInfo("s.wrap", "wrap-acc", 60, "2026-11-25T17:52:05Z", "secret/a", "inner-acc")


@pytest.mark.parametrize(
    ("response", "shown"),
    [
        pytest.param(Response(), {}, id="nothing"),
        pytest.param(Response({"a": "b", "n": 1}), {"data": {"a": H("b"), "n": 1}}, id="data"),
        pytest.param(Response({"data": msgspec.Raw(b'{"a":"b"}')}), {"data": {"data": {"a": H("b")}}}, id="kept_json"),
        pytest.param(Response({"keys": ["x"]}), {"data": {"keys": [H("x")]}}, id="a_list"),
        pytest.param(Response({}, lease=Lease("kv", {})), {"secret": {}}, id="a_lease_without_an_id"),
        pytest.param(
            Response({"a": "b"}, lease=Lease("db", {"user": "hidden"}, id="db/creds/1")),
            {"secret": {"lease_id": "db/creds/1"}, "data": {"a": H("b")}},
            id="a_lease",
        ),
        pytest.param(Response(warnings=["careful"]), {"warnings": ["careful"]}, id="warnings"),
        pytest.param(Response(auth=AUTH), {"auth": SHOWN_AUTH}, id="a_login"),
        pytest.param(
            Response({"a": "inner"}, lease=Lease("x", {}), wrap=WRAP),
            {
                "wrap_info": {
                    "ttl": 60,
                    "token": H("s.wrap"),
                    "accessor": H("wrap-acc"),
                    "creation_time": "2026-11-25T17:52:05Z",
                    "creation_path": "secret/a",
                    "wrapped_accessor": H("inner-acc"),
                }
            },
            id="a_wrapped_answer_shows_nothing_of_what_is_in_it",
        ),
        pytest.param(
            Response(raw=Raw(b"-----BEGIN", "application/x-pem")),
            {
                "data": {
                    "http_content_type": H("application/x-pem"),
                    "http_raw_body": H("-----BEGIN"),
                    "http_status_code": 200,
                }
            },
            id="a_body_that_is_not_json",
        ),
    ],
)
def test_answers(response: Response, shown: dict[str, Any]):
    assert answer(response) == shown


def test_a_login_shows_the_new_token_as_the_caller_too():
    entry = json.loads(response_entry(RULE, event(Response(auth=AUTH), token=None)))
    assert entry["auth"] == SHOWN_AUTH
    entry = json.loads(response_entry(RULE, event(Response(auth=AUTH))))
    assert entry["auth"]["display_name"] == "root"


@pytest.mark.parametrize(
    ("data", "operation", "shown"),
    [
        pytest.param({"keys": ["a", "b"]}, Operation.LIST, {"keys": 2}, id="keys_of_a_list"),
        pytest.param({"keys": ["a"], "key_info": {"a": {}}}, Operation.LIST, {"keys": 1, "key_info": 1}, id="key_info"),
        pytest.param({"keys": ["a"], "x": "y"}, Operation.LIST, {"keys": 1, "x": H("y")}, id="others_stay"),
        pytest.param({"keys": msgspec.Raw(b'["a","b"]')}, Operation.LIST, {"keys": 2}, id="kept_json"),
        pytest.param({"keys": "text"}, Operation.LIST, {"keys": H("text")}, id="what_is_no_list"),
        pytest.param({"keys": ["a"]}, Operation.READ, {"keys": [H("a")]}, id="a_read"),
    ],
)
def test_lists_can_be_counted_only(data: dict[str, Any], operation: Operation, shown: dict[str, Any]):
    rule = Redaction(b"salt", elide_list_responses=True)
    assert answer(Response(data), rule, operation=operation) == {"data": shown}


def test_a_mounts_exempted_fields_are_readable_in_the_right_direction():
    target = Target("kv", "secret", "v1", frozenset({"password"}), frozenset({"a"}))
    entry = json.loads(response_entry(RULE, event(Response({"a": "b", "password": "x"}), target=target)))
    assert entry["request"]["data"]["password"] == "pw"
    assert entry["response"]["data"] == {"a": "b", "password": H("x")}


def test_an_unknown_mount():
    unknown = event(Response({"error": "no handler"}), target=Target(), error="unsupported path")
    unknown.request.mount_point = unknown.request.mount_accessor = ""
    entry = json.loads(response_entry(RULE, unknown))
    assert entry["response"] == {"data": {"error": H("no handler")}}
    assert entry["error"] == "unsupported path"
    assert entry["request"]["path"] == "a/b"


def test_an_error_without_an_answer_is_the_answer():
    entry = json.loads(response_entry(RULE, event(error="permission denied")))
    assert entry["response"]["data"] == {"error": H("permission denied")}
    assert entry["error"] == "permission denied"


def test_a_token_that_nobody_knows_is_hashed_too():
    entry = json.loads(request_entry(RULE, event(token=None, error="permission denied")))
    assert entry["request"]["client_token"] == H("s.token")
    assert "client_token_accessor" not in entry["request"]


def test_numbers_are_logged_exactly():
    line = response_entry(RULE, event(Response({"a": msgspec.Raw(b"[1.50,9007199254740993,1E400]")})))
    assert b'"a":[1.50,9007199254740993,1E400]' in line


def test_a_line_is_one_line():
    assert b"\n" not in response_entry(Redaction(b"", log_raw=True), event(Response({"a": "x\ny"})))


def test_the_line_that_a_device_must_take_first():
    entry = json.loads(probe_entry(RULE, 0.0, "id-1"))
    assert entry["auth"] == {"token_type": "default"}
    assert entry["request"] == {
        "id": "id-1",
        "operation": "update",
        "namespace": {"id": "root"},
        "path": "sys/audit/test",
    }
