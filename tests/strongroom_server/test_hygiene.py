"""No secret gets out: not into the server's log, its figures or the audit log, nor into an error or a repr."""

import random
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import MISSING
from pathlib import Path
from typing import Any

import pytest

from strongroom_common.fields import KINDS, fields, parse
from strongroom_server.sdk.request import Auth, Lease, Operation, Raw, Request, Response, WrapInfo
from tests.fuzz.client import Call, Client
from tests.fuzz.recipes import recipes
from tests.fuzz.values import MARK, Values
from tests.fuzz.world import Place, make_call, mount_all, places
from tests.ours import dev_server

SECRET = re.compile(
    r"pass(word|phrase)$|secret$|private_key$|jwt$|^(id_token|token|otp|pem_bundle|input|plaintext|backup|code|secret_id"
    r"|bindpass|value|data)$"
)
"""Names of fields whose values are secret, wherever they stand."""
OWN = frozenset({"client_token", "token", "secret_id", "private_key", "password", "key", "plaintext", "backup", "otp"})
"""Names under which answers hold secrets that the server made."""

BODIES = [place for place in places() if place.route.body and place.operation is not Operation.CREATE]


def _filled(place: Place, names: frozenset[str]) -> dict[str, Any]:
    """Make a body with a marked value for each of the fields, and what is required beside."""
    assert place.route.body
    values, body = Values(random.Random(1), oddness=0), {}
    for name, field in fields(place.route.body[1]).items():
        if name in names:
            body[name] = {"a": MARK} if field.kind.openapi.get("type") == "object" else MARK
        elif field.default is MISSING:
            body[name] = values.of(field)
    return body


def _secrets(place: Place) -> frozenset[str]:
    assert place.route.body
    known = fields(place.route.body[1])
    return frozenset(
        name for name, field in known.items()
        if field.sensitive or (SECRET.search(name) and field.kind is not KINDS[bool])
    )  # fmt: skip


@pytest.mark.parametrize("place", [place for place in BODIES if _secrets(place)], ids=lambda place: place.template)
def test_a_body_does_not_show_its_secrets(place: Place) -> None:
    assert place.route.body
    given = parse(place.route.body[1], _filled(place, _secrets(place)))
    assert MARK not in repr(given)


@pytest.mark.parametrize(
    "value",
    [
        Request(Operation.UPDATE, "a", {"a": MARK}, token=MARK, headers={"X-Vault-Token": MARK}, body=MARK.encode()),
        Response({"a": MARK}, auth=Auth(client_token=MARK, internal={"a": MARK}), raw=Raw(MARK.encode(), "text/plain"),
                 lease=Lease("a", {"password": MARK}), wrap=WrapInfo(MARK, "", 0, "", "")),
    ],
    ids=["request", "response"],
)  # fmt: skip
def test_requests_and_answers_do_not_show_what_they_hold(value: object) -> None:
    assert MARK not in repr(value)


@pytest.mark.slow
def test_what_was_sent_and_answered_is_nowhere_else(tmp_path: Path) -> None:
    found: set[str] = {MARK}
    with dev_server(tmp_path, "-log-level=trace") as server, closing(Client(server.address)) as client:
        for name, raw in (("hashed", "false"), ("clear", "true")):
            options = {"file_path": str(tmp_path / f"{name}.log"), "log_raw": raw}
            assert client.send(Call("POST", f"sys/audit/{name}", {"type": "file", "options": options})).status == 204
        values = Values(random.Random(1), oddness=0)
        mount_all(client, values)
        for call in _calls(values):
            reply = client.send(call)
            values.remember(reply.body)
            found |= set(_made(reply.body))
            assert reply.status < 400 or MARK not in reply.text, (call, reply)
        figures = [client.send(Call("GET", "sys/metrics", query={"format": form})) for form in ("json", "prometheus")]
    clear = (tmp_path / "clear.log").read_text()
    assert sum(secret in clear for secret in found) > len(found) / 2, "the search finds what is there"
    for name in ("server.log", "hashed.log"):
        text = (tmp_path / name).read_text()
        assert not [_line(text, secret) for secret in found if secret in text], name
    assert not [secret for secret in found for reply in figures if secret in reply.text]


def _calls(values: Values) -> Iterator[Call]:
    for known in recipes().values():
        for path, body in known:
            yield Call("POST", path, values.filled(body))
    for place in BODIES:
        call = make_call(place, values)
        names = _secrets(place)
        if names and place.operation is Operation.UPDATE and MARK not in call.path:
            yield Call("POST", call.path, _filled(place, names))
    yield Call("GET", "auth/token/lookup-self", headers={"X-Vault-Token": MARK})


def _made(body: Any) -> Iterator[str]:
    """Yield the secrets that an answer holds."""
    if isinstance(body, dict):
        for name, value in body.items():
            if name in OWN and isinstance(value, str) and len(value) >= 16:
                yield value
            yield from _made(value)
    elif isinstance(body, list):
        for item in body:
            yield from _made(item)


def _line(text: str, secret: str) -> str:
    return next(line for line in text.splitlines() if secret in line)[:1000]
