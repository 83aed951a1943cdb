"""The same steps to our identity/ and to OpenBao's: status and answer must be the same, but for ids and times."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.bao import Peer, dev_server
from tests.strongroom_server.live import Answer, Live

pytestmark = pytest.mark.peer

Step = tuple[str, str, dict[str, Any] | None]

ENTITIES: list[Step] = [
    ("LIST", "entity/id", None),
    ("POST", "entity", {"name": "one", "policies": ["B", " c ", "b"], "metadata": {"x": "y"}}),
    ("GET", "entity/name/ONE", None),
    ("POST", "entity", {"name": "one", "metadata": ["k=v", "z=1"]}),
    ("POST", "entity/name/one", {"name": "other", "disabled": True, "foo": 1}),
    ("GET", "entity/name/one", None),
    ("POST", "entity", {"policies": [" Root "]}),
    ("POST", "entity", {"id": "nope"}),
    ("POST", "entity", {"name": "with/slash and space"}),
    ("GET", "entity/name/with/slash and space", None),
    ("POST", "entity/id/<one>", {"name": "with/slash and space"}),
    ("POST", "entity/id/<one>", {"name": "", "policies": [], "metadata": {}}),
    ("GET", "entity/id/<one>", None),
    ("DELETE", "entity/name/WITH/SLASH AND SPACE", None),
    ("LIST", "entity/name", None),
    ("LIST", "entity/id", None),
    ("POST", "entity/batch-delete", {}),
    ("POST", "entity/batch-delete", {"entity_ids": ["nope"]}),
    ("GET", "entity/id/nope", None),
    ("DELETE", "entity/id/<one>", None),
    ("GET", "entity/id/<one>", None),
]

ALIASES: list[Step] = [
    ("POST", "entity", {"name": "one"}),
    ("POST", "entity", {"name": "two"}),
    ("POST", "entity-alias", {"name": "u"}),
    ("POST", "entity-alias", {"name": "u", "mount_accessor": "nope"}),
    ("POST", "entity-alias", {"name": "u", "mount_accessor": "<up>", "canonical_id": "nope"}),
    ("POST", "entity-alias", {"name": "Uu", "mount_accessor": "<up>", "canonical_id": "<one>",
                              "custom_metadata": {"a": "b"}}),
    ("GET", "entity-alias/id/<id>", None),
    ("GET", "entity/id/<one>", None),
    ("LIST", "entity-alias/id", None),
    ("LIST", "entity/id", None),
    ("POST", "entity-alias", {"name": "more", "mount_accessor": "<up>", "canonical_id": "<one>"}),
    ("POST", "entity-alias/id/<id>", {"name": "renamed"}),
    ("POST", "entity-alias/id/<id>", {}),
    ("POST", "entity-alias/id/nope", {"name": "x"}),
    ("POST", "entity-alias", {"name": "RENAMED", "mount_accessor": "<up>", "canonical_id": "<two>"}),
    ("GET", "entity/name/two", None),
    ("POST", "lookup/entity", {}),
    ("POST", "lookup/entity", {"name": "TWO"}),
    ("POST", "lookup/entity", {"name": "two", "id": "x"}),
    ("POST", "lookup/entity", {"alias_name": "renamed"}),
    ("POST", "lookup/entity", {"alias_name": "renamed", "alias_mount_accessor": "<up>"}),
    ("POST", "lookup/entity", {"alias_id": "nope"}),
    ("POST", "entity/merge", {}),
    ("POST", "entity/merge", {"to_entity_id": "<one>"}),
    ("POST", "entity/merge", {"to_entity_id": "nope", "from_entity_ids": ["<two>"]}),
    ("POST", "entity/merge", {"to_entity_id": "<one>", "from_entity_ids": ["nope"]}),
    ("POST", "entity/merge", {"to_entity_id": "<one>", "from_entity_ids": ["<one>"]}),
    ("POST", "entity/merge", {"to_entity_id": "<one>", "from_entity_ids": ["<two>"]}),
    ("GET", "entity/id/<one>", None),
    ("GET", "entity/id/<two>", None),
    ("DELETE", "entity-alias/id/nope", None),
]  # fmt: skip

GROUPS: list[Step] = [
    ("POST", "entity", {"name": "one"}),
    ("POST", "group", {"name": "g", "policies": [" A", "b", "a"], "metadata": {"x": "y"},
                       "member_entity_ids": ["<one>"]}),
    ("GET", "group/name/G", None),
    ("GET", "entity/id/<one>", None),
    ("POST", "group", {"name": "g"}),
    ("POST", "group/name/g", {"metadata": {"q": "r"}}),
    ("GET", "group/id/<g>", None),
    ("POST", "group", {"name": "outer", "member_group_ids": ["<g>"]}),
    ("POST", "group/id/<g>", {"member_group_ids": ["<outer>"]}),
    ("GET", "entity/id/<one>", None),
    ("POST", "group", {"policies": ["root"]}),
    ("POST", "group", {"name": "g", "type": "external"}),
    ("POST", "group", {"name": "x", "type": "external", "member_entity_ids": ["<one>"]}),
    ("POST", "group", {"name": "x", "type": "external", "member_group_ids": ["<g>"]}),
    ("POST", "group", {"name": "x", "type": "external", "policies": ["p"]}),
    ("POST", "group-alias", {}),
    ("POST", "group-alias", {"name": "a"}),
    ("POST", "group-alias", {"name": "a", "mount_accessor": "nope"}),
    ("POST", "group-alias", {"name": "a", "mount_accessor": "<up>", "canonical_id": "nope"}),
    ("POST", "group-alias", {"name": "a", "mount_accessor": "<up>", "canonical_id": "<g>"}),
    ("POST", "group-alias", {"name": "a", "mount_accessor": "<up>", "canonical_id": "<x>"}),
    ("GET", "group-alias/id/<id>", None),
    ("GET", "group/id/<x>", None),
    ("LIST", "group-alias/id", None),
    ("LIST", "group/id", None),
    ("POST", "lookup/group", {"alias_name": "A", "alias_mount_accessor": "<up>"}),
    ("POST", "lookup/group", {"name": "nope"}),
    ("DELETE", "group-alias/id/<id>", None),
    ("DELETE", "group/name/G", None),
    ("GET", "group/name/outer", None),
]  # fmt: skip

TOKENS: list[Step] = [
    ("GET", "oidc/config", None),
    ("POST", "oidc/config", {"issuer": "https://x/path"}),
    ("POST", "oidc/config", {"issuer": "https://x:8200"}),
    ("GET", "oidc/.well-known/openid-configuration", None),
    ("POST", "oidc/config", {"issuer": ""}),
    ("LIST", "oidc/key", None),
    ("GET", "oidc/key/default", None),
    ("POST", "oidc/key/k", {"algorithm": "ES256", "verification_ttl": "10m"}),
    ("POST", "oidc/key/k", {"algorithm": "none"}),
    ("POST", "oidc/key/k", {"rotation_period": "30s"}),
    ("POST", "oidc/key/k", {"rotation_period": "1m", "verification_ttl": "11m"}),
    ("GET", "oidc/key/k", None),
    ("POST", "oidc/role/r", {}),
    ("POST", "oidc/role/r", {"key": "nope"}),
    ("POST", "oidc/role/r", {"key": "k", "ttl": "1h"}),
    ("POST", "oidc/role/r", {"key": "k", "ttl": "10m", "client_id": "app", "template": '{"x": "y"}'}),
    ("POST", "oidc/role/r", {"template": '{"sub": "y"}'}),
    ("GET", "oidc/role/r", None),
    ("GET", "oidc/token/r", None),
    ("GET", "oidc/token/nope", None),
    ("POST", "oidc/key/k", {"allowed_client_ids": ["app"]}),
    ("GET", "oidc/token/r", None),
    ("DELETE", "oidc/key/k", None),
    ("DELETE", "oidc/key/default", None),
    ("POST", "oidc/key/nope/rotate", {}),
    ("DELETE", "oidc/role/r", None),
    ("LIST", "oidc/role", None),
]

PROVIDERS: list[Step] = [
    ("LIST", "oidc/provider", None),
    ("GET", "oidc/provider/default", None),
    ("DELETE", "oidc/provider/default", None),
    ("GET", "oidc/provider/default/.well-known/openid-configuration", None),
    ("GET", "oidc/provider/none/.well-known/keys", None),
    ("LIST", "oidc/scope", None),
    ("POST", "oidc/scope/openid", {}),
    ("POST", "oidc/scope/user", {"template": '{"name": {{identity.entity.name}}}', "description": "d"}),
    ("POST", "oidc/scope/bad", {"template": '{"sub": "x"}'}),
    ("POST", "oidc/scope/bad", {"template": '{"x": {{foo}} }'}),
    ("GET", "oidc/scope/user", None),
    ("GET", "oidc/scope/none", None),
    ("GET", "oidc/assignment/allow_all", None),
    ("POST", "oidc/assignment/allow_all", {}),
    ("DELETE", "oidc/assignment/allow_all", None),
    ("POST", "oidc/assignment/a", {"entity_ids": "x,y", "group_ids": ["z", "z"], "foo": 1}),
    ("GET", "oidc/assignment/a", None),
    ("LIST", "oidc/assignment", None),
    ("LIST", "oidc/client", None),
    ("POST", "oidc/client/c", {"key": "nope"}),
    ("POST", "oidc/client/c", {"assignments": ["nope"]}),
    ("POST", "oidc/client/c", {"client_type": "nope"}),
    ("POST", "oidc/client/c", {"id_token_ttl": "25h"}),
    ("POST", "oidc/client/c", {"client_type": "public", "client_credentials": True}),
    ("POST", "oidc/client/c", {"redirect_uris": ["https://b", "https://a"], "assignments": "a", "foo": 1}),
    ("POST", "oidc/client/c", {"client_type": "public"}),
    ("POST", "oidc/client/c", {"key": "other"}),
    ("GET", "oidc/client/c", None),
    ("LIST", "oidc/client", None),
    ("DELETE", "oidc/assignment/a", None),
    ("POST", "oidc/key/default", {"verification_ttl": "1h"}),
    ("POST", "oidc/provider/p", {"issuer": "http://x/y"}),
    ("POST", "oidc/provider/p", {"scopes_supported": ["openid"]}),
    ("POST", "oidc/provider/p", {"scopes_supported": ["user", "user"], "issuer": "https://h:1", "foo": 1}),
    ("GET", "oidc/provider/p", None),
    ("GET", "oidc/provider/p/.well-known/openid-configuration", None),
    ("DELETE", "oidc/scope/user", None),
    ("GET", "oidc/provider/p/authorize", None),
    ("POST", "oidc/provider/p/token", {}),
    ("POST", "oidc/provider/none/token", {}),
    ("GET", "oidc/provider/p/userinfo", None),
    ("DELETE", "oidc/provider/p", None),
    ("DELETE", "oidc/client/c", None),
    ("DELETE", "oidc/client/none", None),
]  # fmt: skip

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|auth_userpass_[0-9a-f]{8}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
FACTORS: list[Step] = [
    ("LIST", "mfa/method", None),
    ("LIST", "mfa/login-enforcement", None),
    ("POST", "mfa/method/totp", {}),
    ("POST", "mfa/method/totp", {"issuer": "i", "period": 0}),
    ("POST", "mfa/method/totp", {"issuer": "i", "key_size": 0}),
    ("POST", "mfa/method/totp", {"issuer": "i", "algorithm": "MD5"}),
    ("POST", "mfa/method/totp", {"issuer": "i", "digits": 7}),
    ("POST", "mfa/method/totp", {"issuer": "i", "skew": 2}),
    ("POST", "mfa/method/totp", {"issuer": "i", "max_validation_attempts": -1}),
    ("POST", "mfa/method/totp", {"issuer": "i", "method_name": "m"}),
    ("GET", "mfa/method/totp/<method>", None),
    ("GET", "mfa/method/<method>", None),
    ("GET", "mfa/method/duo/<method>", None),
    ("GET", "mfa/method/totp/nope", None),
    ("POST", "mfa/method/totp/<method>", {"issuer": "j", "period": "60", "algorithm": "SHA512", "digits": 8}),
    ("GET", "mfa/method/totp/<method>", None),
    ("POST", "mfa/method/totp", {"issuer": "k", "method_name": "m", "foo": 1}),
    ("LIST", "mfa/method/totp", None),
    ("LIST", "mfa/method", None),
    ("POST", "mfa/method/duo", {}),
    ("POST", "mfa/method/duo", {"secret_key": "s", "integration_key": "i"}),
    ("POST", "mfa/method/okta", {}),
    ("POST", "mfa/method/pingid", {}),
    ("POST", "mfa/login-enforcement/e", {}),
    ("POST", "mfa/login-enforcement/e", {"mfa_method_ids": ["nope"]}),
    ("POST", "mfa/login-enforcement/e", {"mfa_method_ids": ["<method>"]}),
    ("POST", "mfa/login-enforcement/e", {"mfa_method_ids": ["<method>"], "auth_method_types": ["nope"]}),
    ("POST", "mfa/login-enforcement/e", {"mfa_method_ids": ["<method>"], "auth_method_accessors": ["nope"]}),
    ("POST", "mfa/login-enforcement/e", {"mfa_method_ids": ["<method>"], "identity_group_ids": ["nope"]}),
    ("POST", "mfa/login-enforcement/e", {"mfa_method_ids": ["<method>"], "identity_entity_ids": ["nope"]}),
    ("POST", "mfa/login-enforcement/e", {"mfa_method_ids": ["<method>"], "auth_method_types": ["userpass"], "foo": 1}),
    ("GET", "mfa/login-enforcement/e", None),
    ("LIST", "mfa/login-enforcement", None),
    ("DELETE", "mfa/login-enforcement/e", None),
    ("POST", "entity", {"name": "one"}),
    ("POST", "mfa/method/totp/generate", {}),
    ("POST", "mfa/method/totp/generate", {"method_id": "<method>"}),
    ("POST", "mfa/method/totp/admin-generate", {"method_id": "<method>"}),
    ("POST", "mfa/method/totp/admin-generate", {"method_id": "nope", "entity_id": "<one>"}),
    ("POST", "mfa/method/totp/admin-generate", {"method_id": "<method>", "entity_id": "nope"}),
    ("POST", "mfa/method/totp/admin-destroy", {"method_id": "<method>", "entity_id": "<one>"}),
    ("POST", "mfa/method/totp/admin-destroy", {"method_id": "<method>"}),
    ("DELETE", "mfa/method/totp/<method>", None),
    ("GET", "mfa/method/totp/<method>", None),
]  # fmt: skip

_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")
_SECRET = re.compile(r"\b(hvo_secret_)?[A-Za-z0-9]{32,}\b")
_SHOWN = re.compile(r"_supported|issuer|error|_endpoint|_uri")  # of bodies without an envelope
_MADE_UP = re.compile(r"(entity|group)_[0-9a-f]{8}")


class Walk:
    """One side of the comparison: what it has named so far, by ``<name>``, and its answers made comparable."""

    def __init__(self, up: str) -> None:
        self.names = {"up": up}
        self.seen: dict[str, str] = {}

    def filled(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self.filled(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.filled(item) for item in value]
        return re.sub(r"<(\w+)>", lambda m: self.names[m[1]], value) if isinstance(value, str) else value

    def comparable(self, status: int, body: Any) -> tuple[int, Any]:
        body = body or {}
        errors, data = body.get("errors"), body.get("data") or {}
        if errors is not None:
            bare = [re.sub(r"^1 error occurred:\s+\* (.*?)\s*$", r"\1", error, flags=re.DOTALL) for error in errors]
            return status, self._plain(bare)
        if "method_id" in data:
            self.names |= {"method": data["method_id"]}
        if "id" in data and len(data) < 4:  # what a write answers
            self.names |= {"id": data["id"], data.get("name", "id"): data["id"]}
        return status, self._plain(data or {k: v for k, v in body.items() if _SHOWN.search(k)})

    def _plain(self, value: Any) -> Any:
        if isinstance(value, dict):
            value = {key: item for key, item in value.items() if not (key == "custom_metadata" and not item)}
            return {self._plain(key): self._plain(item) for key, item in value.items() if key != "modify_index"}
        if isinstance(value, list):
            return sorted((self._plain(item) for item in value), key=str)
        if isinstance(value, str):
            value = _TIME.sub("TIME", _MADE_UP.sub(r"\1", _SECRET.sub("SECRET", _ADDRESS.sub("", value))))
            return _ID.sub(lambda m: self.seen.setdefault(m[0], f"id {len(self.seen)}"), value)
        return value


@pytest.fixture(scope="module")
def bao() -> Iterator[Peer]:
    with dev_server() as peer:
        yield peer


async def _ask(live: Live, method: str, path: str, body: dict[str, Any] | None) -> Answer:
    match method:
        case "GET":
            return await live.get(path)
        case "LIST":
            return await live.list(path)
        case "DELETE":
            return await live.delete(path)
        case _:
            return await live.post(path, body)


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(ENTITIES, id="entities"),
        pytest.param(ALIASES, id="aliases"),
        pytest.param(GROUPS, id="groups"),
        pytest.param(TOKENS, id="identity_tokens"),
        pytest.param(PROVIDERS, id="openid_providers"),
        pytest.param(FACTORS, id="second_factors"),
    ],
)
async def test_step_by_step(live: Live, bao: Peer, steps: list[Step]) -> None:
    for kind in ("entity", "group"):
        for name in (bao.call("LIST", f"identity/{kind}/id")[1].get("data") or {}).get("keys", []):
            bao.call("DELETE", f"identity/{kind}/id/{name}")
    bao.call("POST", "sys/auth/up", {"type": "userpass"})
    await live.post("sys/auth/up", {"type": "userpass"})
    theirs = Walk(bao.call("GET", "sys/auth")[1]["data"]["up/"]["accessor"])
    ours = Walk((await live.get("sys/auth")).data["up/"]["accessor"])
    for method, path, body in steps:
        quoted = theirs.filled(path).replace(" ", "%20")
        expected = theirs.comparable(*bao.call(method, f"identity/{quoted}", theirs.filled(body)))
        answer = await _ask(live, method, f"identity/{ours.filled(path)}", ours.filled(body))
        assert ours.comparable(answer.status, answer.body) == expected, (method, path, body)
