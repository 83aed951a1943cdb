"""OpenBao's entries, field by field and in order: its raw log gives the facts, its hashed one what we must print."""

import json
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from strongroom_server.audit.entries import Event, Target, Token, Verdict, request_entry, response_entry
from strongroom_server.audit.redaction import Redaction
from strongroom_server.sdk.request import Auth, Connection, Lease, Operation, Request, Response, WrapInfo
from tests.bao import program

pytestmark = [pytest.mark.peer, pytest.mark.slow]


class Peer:
    """A running OpenBao with a raw and a hashed audit log."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{probe.getsockname()[1]}"
        self.folder = folder
        self.token = ""
        config = folder / "c.hcl"
        config.write_text(
            f'storage "inmem" {{}}\nlistener "tcp" {{\naddress = "{self.address}"\ntls_disable = true\n}}\n'
            f'api_addr = "http://{self.address}"\nunsafe_allow_api_audit_creation = true\n'
        )
        self.process = subprocess.Popen(
            [program(), "server", "-config", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def call(self, method: str, path: str, body: Any = None, token: str | None = None, **headers: str) -> Any:
        request = urllib.request.Request(f"http://{self.address}/v1/{path}", method=method)
        request.data = None if body is None else json.dumps(body).encode()
        for name, value in {"X-Vault-Token": self.token if token is None else token, **headers}.items():
            request.add_header(name.replace("_", "-"), value)
        try:
            with urllib.request.urlopen(request) as answer:
                return json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            with error:
                return json.loads(error.read())

    def start(self) -> None:
        for _ in range(100):
            try:
                found = self.call("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
                break
            except OSError:
                time.sleep(0.1)
        self.token = found["root_token"]
        self.call("PUT", "sys/unseal", {"key": found["keys"][0]})
        while "errors" in self.call("GET", "sys/mounts"):
            time.sleep(0.1)
        for name, raw in (("raw", "true"), ("hashed", "false")):
            options = {"file_path": str(self.folder / name), "log_raw": raw}
            self.call("PUT", f"sys/audit/{name}", {"type": "file", "options": options})

    def lines(self, name: str) -> list[str]:
        return (self.folder / name).read_text().splitlines()


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[str], list[str]]]:
    peer = Peer(tmp_path_factory.mktemp("bao"))
    try:
        peer.start()
        talk(peer)
        yield peer.lines("raw"), peer.lines("hashed")
    finally:
        peer.process.terminate()
        peer.process.wait()


def talk(peer: Peer) -> None:
    secret = {"s": "sekret", "n": 42, "b": True, "z": None, "nest": {"deep": ["x", 7, {"y": ""}]}}
    peer.call("POST", "sys/mounts/kv", {"type": "kv", "config": {"audit_non_hmac_request_keys": ["s", "nest"]}})
    peer.call("PUT", "sys/config/auditing/request-headers/X-Trace", {"hmac": True})
    peer.call("POST", "kv/a", secret, X_Trace="t1", X_Other="o")
    peer.call("GET", "kv/a")
    peer.call("LIST", "kv/")
    peer.call("GET", "kv/a", token="wrong")
    peer.call("GET", "kv/none")
    peer.call("GET", "nomount/x")
    peer.call("GET", "kv/a", X_Vault_Wrap_TTL="60s")
    peer.call("POST", "sys/policies/acl/p", {"policy": 'path "kv/*" { capabilities = ["read"] }'})
    peer.call("POST", "sys/auth/userpass", {"type": "userpass"})
    peer.call("POST", "auth/userpass/users/u", {"password": "pw", "policies": "p"})
    peer.call("POST", "auth/userpass/login/u", {"password": "bad"}, token="")
    user = peer.call("POST", "auth/userpass/login/u", {"password": "pw"}, token="")["auth"]["client_token"]
    peer.call("GET", "kv/a", token=user)
    peer.call("PUT", "kv/a", {"q": 1}, token=user)
    peer.call("GET", "auth/token/lookup-self", token=user)
    peer.call("POST", "auth/token/create", {"policies": ["p"], "ttl": "1h", "meta": {"k": "v"}, "num_uses": 3})
    peer.call("GET", "sys/internal/ui/mounts", token="")


def event_of(entry: dict[str, Any]) -> Event:
    """Read the facts from a raw entry."""
    asked, who = entry["request"], entry["auth"]
    results = who.get("policy_results")
    point = asked.get("mount_point", "")
    request = Request(
        Operation(asked["operation"]),
        asked["path"].removeprefix(point),
        asked.get("data", {}),
        point,
        asked.get("mount_accessor", ""),
        asked.get("client_token", ""),
        headers={name: values[0] for name, values in asked.get("headers", {}).items()},
        connection=Connection(asked.get("remote_address", ""), asked.get("remote_port", 0)),
        id=asked["id"],
        wrap_ttl=asked.get("wrap_ttl", 0),
    )
    granting = tuple(policy["name"] for policy in (results or {}).get("granting_policies", []))
    return Event(
        0,
        request,
        token_of(who) if "accessor" in who and "token_issue_time" in who else None,
        Verdict(results["allowed"], granting) if results else None,
        Target(
            asked.get("mount_type", ""),
            asked.get("mount_class", ""),
            asked.get("mount_running_version", ""),
            frozenset({"s", "nest"}) if point == "kv/" else frozenset(),
        ),
        asked.get("client_id", ""),
        headers={"x-trace": True},
        error=entry.get("error", ""),
        response=response_of(entry.get("response", {})),
    )


def token_of(who: dict[str, Any]) -> Token:
    return Token(
        who["client_token"],
        who["accessor"],
        who["display_name"],
        tuple(who.get("token_policies", ())),
        metadata=who.get("metadata", {}),
        remaining_uses=who.get("remaining_uses", 0),
        entity_id=who.get("entity_id", ""),
        kind=who["token_type"],
        ttl=who.get("token_ttl", 0),
        issued=datetime.fromisoformat(who["token_issue_time"]).timestamp(),
    )


def response_of(answer: dict[str, Any]) -> Response:
    response = Response(answer.get("data"), warnings=answer.get("warnings", []))
    if new := answer.get("auth"):
        response.auth = Auth(
            tuple(new["token_policies"]),
            new["display_name"],
            metadata=new.get("metadata", {}),
            ttl=new["token_ttl"],
            num_uses=new.get("num_uses", 0),
            client_token=new["client_token"],
            accessor=new["accessor"],
            entity_id=new.get("entity_id", ""),
            token_type=new["token_type"],
        )
    if "secret" in answer:
        response.lease = Lease("", {}, id=answer["secret"].get("lease_id", ""))
    if wrap := answer.get("wrap_info"):
        response.wrap = WrapInfo(wrap["token"], wrap["accessor"], wrap["ttl"], *wrap_place(wrap))
    return response


def wrap_place(wrap: dict[str, Any]) -> tuple[str, str]:
    return wrap["creation_time"], wrap["creation_path"]


def comparable(line: str) -> str:
    """Take out what no two programs share: the moment, the salt; and an OpenBao field that Vault has not."""
    line = re.sub(r'^\{"time":"[^"]*",', "{", line)
    line = re.sub(r"hmac-sha256:[0-9a-f]{64}", "HMAC", line)
    return line.replace('"entity_created":true,', "")


def test_entries_equal_the_peers(logs: tuple[list[str], list[str]]):
    hashed = {(entry["request"]["id"], entry["type"]): line for line in logs[1] for entry in [json.loads(line)]}
    compared = 0
    for line in logs[0]:
        facts = json.loads(line)
        theirs = hashed.get((facts["request"]["id"], facts["type"]))
        if theirs is None:
            continue
        build = request_entry if facts["type"] == "request" else response_entry
        event = event_of(facts)
        theirs = with_accessor(theirs, facts)
        assert comparable(build(Redaction(b"salt"), event).decode()) == comparable(theirs)
        assert comparable(build(Redaction(b"", log_raw=True), event).decode()) == comparable(with_accessor(line, facts))
        compared += 1
    assert compared > 35


def with_accessor(line: str, facts: dict[str, Any]) -> str:
    """OpenBao leaves the mount's accessor out of the request on some operations; we always give it if it is known."""
    answer, asked = facts.get("response", {}), facts["request"]
    if "mount_accessor" in answer and "mount_accessor" not in asked:
        kind = f'"mount_type":"{asked["mount_type"]}",'
        line = line.replace(kind, f'{kind}"mount_accessor":"{answer["mount_accessor"]}",', 1)
        asked["mount_accessor"] = answer["mount_accessor"]
    return line
