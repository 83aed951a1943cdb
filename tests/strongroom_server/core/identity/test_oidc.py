"""Identity tokens: signed, checked by anyone, refused where they are not good."""

import base64
import json
from typing import Any

import jwt
import pytest

from tests.strongroom_server.core.identity.people import entity, group, login, userpass
from tests.strongroom_server.live import Live

DAY = 86_400
ALL = {"allowed_client_ids": ["*"]}


async def signed(live: Live, algorithm: str = "ES256", **role: Any) -> tuple[str, str]:
    """Make a key, a role and a login; returns the identity token and the entity's id."""
    await userpass(live)
    await live.post("sys/policies/acl/own", {"policy": 'path "identity/oidc/token/*" { capabilities = ["read"] }'})
    assert (await live.post("identity/oidc/key/k", ALL | {"algorithm": algorithm})).status == 204
    answer = await live.post("identity/oidc/role/r", {"key": "k", **role})
    assert answer.status == 204, answer
    auth = (await login(live)).auth
    answer = await live.get("identity/oidc/token/r", token=auth["client_token"])
    assert answer.status == 200, answer
    return answer.data["token"], auth["entity_id"]


async def claims_of(live: Live, token: str) -> dict[str, Any]:
    """Check a token as a stranger does: by what is published."""
    discovered = (await live.get("identity/oidc/.well-known/openid-configuration", token="")).body
    published = (await live.get("identity/oidc/.well-known/keys", token="")).body["keys"]
    key = jwt.PyJWKSet(published)[jwt.get_unverified_header(token)["kid"]]
    options: Any = {"verify_aud": False, "verify_exp": False, "verify_iat": False}
    claims: dict[str, Any] = jwt.decode(
        token, key.key, discovered["id_token_signing_alg_values_supported"], options, issuer=discovered["issuer"]
    )
    return claims


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA"])
async def test_a_token_is_checked_by_what_is_published(live: Live, algorithm: str) -> None:
    token, entity_id = await signed(live, algorithm, client_id="app", ttl="1h")
    assert jwt.get_unverified_header(token)["alg"] == algorithm
    now = int(live.clock.now())
    expected = {"sub": entity_id, "aud": "app", "iat": now, "exp": now + 3600, "namespace": "root"}
    claims = await claims_of(live, token)
    assert claims.pop("iss").endswith("/v1/identity/oidc")
    assert claims == expected


TEMPLATE = """{
  "who": {{identity.entity.name}}, "meta": {{ identity.entity.metadata }}, "team": {{identity.entity.metadata.team}},
  "none": {{identity.entity.metadata.none}}, "groups": {{identity.entity.groups.names}},
  "alias": {{identity.entity.aliases.MOUNT.name}}, "no_alias": {{identity.entity.aliases.nope.metadata}},
  "soon": {{time.now.plus.1m}}, "nested": {"x": [{{identity.entity.id}}, "lit"] } }"""


@pytest.mark.parametrize("encoded", [False, True])
async def test_claims_by_template(live: Live, encoded: bool) -> None:
    _, entity_id = await signed(live)
    await live.post(f"identity/entity/id/{entity_id}", {"name": 'al"ice', "metadata": {"team": '", "aud": "x'}})
    inner = await group(live, "inner", member_entity_ids=[entity_id])
    await group(live, "outer", member_group_ids=[inner])
    accessor = (await live.get("sys/auth")).data["up/"]["accessor"]
    text = TEMPLATE.replace("MOUNT", accessor)
    body = {"template": base64.b64encode(text.encode()).decode() if encoded else text}
    assert (await live.post("identity/oidc/role/r", body)).status == 204
    assert (await live.get("identity/oidc/role/r")).data["template"] == text
    token = (await live.get("identity/oidc/token/r", token=(await login(live)).auth["client_token"])).data["token"]
    claims = await claims_of(live, token)
    for name in ("iss", "aud", "exp", "iat", "sub", "namespace"):
        claims.pop(name)
    assert claims == {
        "who": 'al"ice', "meta": {"team": '", "aud": "x'}, "team": '", "aud": "x', "none": "",
        "groups": ["inner", "outer"],
        "alias": "alice", "no_alias": {}, "soon": int(live.clock.now()) + 60, "nested": {"x": [entity_id, "lit"]},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        pytest.param("key/x", {"algorithm": "none"}, "unknown signing algorithm", id="no_algorithm"),
        pytest.param("key/x", {"algorithm": "HS256"}, "unknown signing algorithm", id="a_shared_secret"),
        pytest.param("key/x", {"rotation_period": "30s"}, "one minute", id="too_often"),
        pytest.param("key/x", {"rotation_period": "1m", "verification_ttl": "11m"}, "10x", id="published_too_long"),
        pytest.param("key/k", {"verification_ttl": "1h"}, "token ttl greater", id="shorter_than_a_roles_tokens"),
        pytest.param("key/nope/rotate", {}, "no named key", id="rotating_nothing"),
        pytest.param("role/x", {}, "key parameter is required", id="no_key"),
        pytest.param("role/x", {"key": "nope"}, "cannot find key", id="an_unknown_key"),
        pytest.param("role/r", {"ttl": "48h"}, "cannot be longer", id="longer_than_the_key_is_published"),
        pytest.param("role/r", {"template": "{"}, "template JSON", id="no_json"),
        pytest.param("role/r", {"template": '["x"]'}, "template JSON", id="no_object"),
        pytest.param("role/r", {"template": '{"sub": "x"}'}, "not allowed", id="a_claim_of_the_servers"),
        pytest.param("role/r", {"template": '{"x": {{identity.entity.secret}} }'}, "no value", id="no_such_directive"),
        pytest.param("role/r", {"template": '{"x": {{time.now.plus.zz}} }'}, "duration", id="no_duration"),
        pytest.param("role/r", {"template": '{"x": {{time.then}} }'}, "time selector", id="no_such_time"),
        pytest.param("role/r", {"template": '{"x": {{identity.entity.aliases.a}} }'}, "alias selector", id="half"),
        pytest.param("role/r", {"template": "Ärger"}, "error parsing template JSON", id="neither_json_nor_ascii"),
        pytest.param("role/r", {"template": '{"x": "{{"}'}, "unbalanced", id="unbalanced"),
        pytest.param("config", {"issuer": "https://x/path"}, "invalid issuer", id="an_issuer_with_a_path"),
        pytest.param("config", {"issuer": "ftp://x"}, "invalid issuer", id="an_issuer_of_another_scheme"),
    ],
)
async def test_what_cannot_be(live: Live, path: str, body: dict[str, Any], message: str) -> None:
    await live.post("identity/oidc/key/k", ALL | {"algorithm": "ES256"})
    await live.post("identity/oidc/role/r", {"key": "k"})
    paths = ["identity/oidc/key/k", "identity/oidc/role/r", "identity/oidc/config"]
    before = [(await live.get(path)).data for path in paths]
    answer = await live.post(f"identity/oidc/{path}", body)
    assert answer.status == 400
    assert message in answer.errors[0]
    assert [(await live.get(path)).data for path in paths] == before


async def test_keys_are_listed_and_kept_while_they_are_used(live: Live) -> None:
    assert (await live.list("identity/oidc/key")).data == {"keys": ["default"]}
    assert (await live.get("identity/oidc/key/default")).data == {
        "algorithm": "RS256", "allowed_client_ids": ["*"], "rotation_period": DAY, "verification_ttl": DAY,
    }  # fmt: skip
    assert (await live.delete("identity/oidc/key/default")).status == 400
    await live.post("identity/oidc/key/k", {"algorithm": "ES256"})
    await live.post("identity/oidc/role/r", {"key": "k"})
    assert (await live.delete("identity/oidc/key/k")).status == 400
    await live.delete("identity/oidc/role/r")
    assert (await live.delete("identity/oidc/key/k")).status == 204
    assert (await live.get("identity/oidc/key/k")).status == 404


async def kids(live: Live) -> list[str]:
    return [key["kid"] for key in (await live.get("identity/oidc/.well-known/keys", token="")).body["keys"]]


@pytest.mark.parametrize("how", ["by_hand", "by_time", "by_another_algorithm"])
async def test_after_a_rotation_old_tokens_are_good_for_a_time(live: Live, how: str) -> None:
    token, _ = await signed(live)
    before = await kids(live)
    if how == "by_hand":
        await live.post("identity/oidc/key/k/rotate")
    elif how == "by_time":
        await live.clock.advance(DAY + 60)
        found = live.server.mounts.at("identity/")
        assert found is not None
        await found.running().tick()
    else:
        await live.post("identity/oidc/key/k", {"algorithm": "EdDSA"})
    after = await kids(live)
    assert before[0] in after
    assert len(after) == 3
    assert (await claims_of(live, token))["aud"]
    await live.clock.advance(DAY + 60)
    assert before[0] not in await kids(live)


async def introspected(live: Live, token: str, **body: str) -> dict[str, Any]:
    answer: dict[str, Any] = (await live.post("identity/oidc/introspect", {"token": token, **body})).body
    return answer


async def test_introspection(live: Live) -> None:
    token, entity_id = await signed(live, client_id="app", ttl="1h")
    assert await introspected(live, token) == {"active": True}
    assert await introspected(live, token, client_id="app") == {"active": True}
    assert "aud" in (await introspected(live, token, client_id="other"))["error"]
    assert "parsing" in (await introspected(live, "nonsense"))["error"]
    head, _, signature = token.split(".")
    forged = base64.urlsafe_b64encode(json.dumps({"sub": "root"}).encode()).rstrip(b"=").decode()
    assert "signature" in (await introspected(live, f"{head}.{forged}.{signature}"))["error"]
    unsigned = jwt.encode({"sub": entity_id}, "", "none", {"kid": jwt.get_unverified_header(token)["kid"]})
    assert "signature" in (await introspected(live, unsigned))["error"]
    assert (await live.post("identity/oidc/introspect", {"token": token}, token="")).status == 403
    await live.post("identity/oidc/config", {"issuer": "https://other:8200"})
    assert "iss" in (await introspected(live, token))["error"]
    await live.post("identity/oidc/config", {"issuer": ""})
    await live.post(f"identity/entity/id/{entity_id}", {"disabled": True})
    assert (await introspected(live, token))["active"] is False
    await live.post(f"identity/entity/id/{entity_id}", {"disabled": False})
    await live.clock.advance(3601)
    assert "exp" in (await introspected(live, token))["error"]


@pytest.mark.parametrize(
    ("role", "message"),
    [
        pytest.param("nope", "not found", id="no_such_role"),
        pytest.param("strange", "allowed client ID", id="a_role_that_the_key_does_not_allow"),
        pytest.param("r", "no entity", id="a_token_without_an_entity"),
    ],
)
async def test_no_token_for(live: Live, role: str, message: str) -> None:
    await live.post("identity/oidc/key/k", {"algorithm": "ES256", "allowed_client_ids": ["app"]})
    await live.post("identity/oidc/role/r", {"key": "k", "client_id": "app"})
    await live.post("identity/oidc/role/strange", {"key": "k"})
    await entity(live, "somebody")
    answer = await live.get(f"identity/oidc/token/{role}")
    assert answer.status == 400
    assert message in answer.errors[0]


async def test_a_key_that_is_overdue_signs_no_more(live: Live) -> None:
    await signed(live)
    token = (await login(live)).auth["client_token"]
    before = jwt.get_unverified_header((await live.get("identity/oidc/token/r", token=token)).data["token"])["kid"]
    await live.clock.advance(DAY)
    after = (await live.get("identity/oidc/token/r", token=token)).data["token"]
    assert jwt.get_unverified_header(after)["kid"] != before
    assert (await claims_of(live, after))["sub"]
