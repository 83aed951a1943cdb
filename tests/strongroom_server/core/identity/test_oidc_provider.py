"""Logging in to others by us: the authorization code flow over HTTP, who is let in, and what is refused."""

import base64
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt
import pytest
from aiohttp import ClientSession, encode_basic_auth

from strongroom_server.http.app import App
from strongroom_server.http.listeners import bind_tcp
from tests.strongroom_server.core.identity.people import entity, group, login, userpass
from tests.strongroom_server.live import Answer, Live, start_live

BACK = "http://127.0.0.1:8250/oidc/callback"
ELSEWHERE = [
    BACK.replace("127.0.0.1", "localhost"), BACK.replace(":8250", ":1@evil"), BACK.replace("8250", "port"),
    BACK.replace("http:", "https:"),
]  # fmt: skip
VERIFIER = "v" * 43
DIGEST = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
S256 = {"code_challenge": DIGEST, "code_challenge_method": "S256"}
POLICY = 'path "identity/oidc/provider/+/authorize" { capabilities = ["read", "update"] }'


@dataclass
class Party:
    """A provider's server, a user who is logged in there, and a client that knows its endpoints alone."""

    live: Live
    base: str
    session: ClientSession
    user: str = ""
    entity_id: str = ""
    provider: str = "default"

    async def log_in(self) -> None:
        await userpass(self.live)
        await self.live.post("sys/policies/acl/own", {"policy": POLICY})
        await self.live.post("identity/oidc/key/quick", {"algorithm": "ES256", "allowed_client_ids": "*"})
        auth = (await login(self.live)).auth
        self.user, self.entity_id = auth["client_token"], auth["entity_id"]

    async def client(self, name: str = "app", **fields: Any) -> dict[str, Any]:
        body = {"redirect_uris": [BACK], "assignments": ["allow_all"], "key": "quick"} | fields
        answer = await self.live.post(f"identity/oidc/client/{name}", body)
        assert answer.status == 204, answer
        found: dict[str, Any] = (await self.live.get(f"identity/oidc/client/{name}")).data
        return found

    async def authorize(self, client: dict[str, Any], **query: Any) -> Answer:
        asked = {"scope": "openid", "response_type": "code", "client_id": client["client_id"], "redirect_uri": BACK,
                 "state": "s", "nonce": "n"} | query  # fmt: skip
        return await self.live.get(f"identity/oidc/provider/{self.provider}/authorize", body=asked, token=self.user)

    async def code(self, client: dict[str, Any], **query: Any) -> str:
        answer = await self.authorize(client, **query)
        assert answer.status == 200, answer
        code: str = answer.body["code"]
        return code

    async def exchange(self, client: dict[str, Any], *, basic: bool = True, **form: Any) -> tuple[int, dict[str, Any]]:
        form = {"grant_type": "authorization_code", "redirect_uri": BACK} | form
        headers = {}
        if basic and "client_secret" in client:
            headers["Authorization"] = encode_basic_auth(client["client_id"], client["client_secret"])
        else:
            form |= {name: client[name] for name in ("client_id", "client_secret") if name in client}
        url = f"{self.base}/v1/identity/oidc/provider/{self.provider}/token"
        async with self.session.post(url, data=form, headers=headers) as answer:
            assert answer.headers["Cache-Control"] == "no-store"
            return answer.status, await answer.json()

    async def tokens(self, client: dict[str, Any], **query: Any) -> dict[str, Any]:
        status, tokens = await self.exchange(client, code=await self.code(client, **query))
        assert status == 200, tokens
        return tokens

    async def userinfo(self, token: str, **headers: str) -> tuple[int, dict[str, Any]]:
        url = f"{self.base}/v1/identity/oidc/provider/{self.provider}/userinfo"
        async with self.session.get(url, headers=headers or {"Authorization": f"Bearer {token}"}) as answer:
            return answer.status, await answer.json()

    async def claims(self, token: str) -> dict[str, Any]:
        """Check an id token as a stranger does: by what the provider publishes."""
        published = await self.live.get(f"identity/oidc/provider/{self.provider}/.well-known/keys", token="")
        header = jwt.get_unverified_header(token)
        key = jwt.PyJWKSet(published.body["keys"])[header["kid"]]
        options: Any = {"verify_aud": False, "verify_exp": False, "verify_iat": False}
        found: dict[str, Any] = jwt.decode(token, key.key, [header["alg"]], options)
        return found


@pytest.fixture
async def party(live: Live) -> AsyncIterator[Party]:
    bound = await bind_tcp(App(live.server), "127.0.0.1", 0)
    async with ClientSession() as session:
        found = Party(live, f"http://127.0.0.1:{bound.port}", session)
        await found.log_in()
        yield found
    await bound.close()


@pytest.mark.parametrize(
    "basic", [pytest.param(True, id="secret_in_the_header"), pytest.param(False, id="in_the_form")]
)
async def test_a_client_learns_who_logged_in(party: Party, basic: bool) -> None:
    client = await party.client(id_token_ttl="1h", access_token_ttl="2h")
    code = await party.code(client, max_age=60)
    status, tokens = await party.exchange(client, basic=basic, code=code)
    assert (status, tokens["token_type"], tokens["expires_in"]) == (200, "Bearer", 7200)
    now = int(party.live.clock.now())
    claims = await party.claims(tokens["id_token"])
    assert claims.pop("iss").endswith("/v1/identity/oidc/provider/default")
    for name, text in (("at_hash", tokens["access_token"]), ("c_hash", code)):
        digest = hashlib.sha256(text.encode()).digest()[:16]
        assert claims.pop(name) == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert claims == {"sub": party.entity_id, "aud": client["client_id"], "iat": now, "exp": now + 3600,
                      "namespace": "root", "nonce": "n", "auth_time": now}  # fmt: skip
    assert await party.userinfo(tokens["access_token"]) == (200, {"sub": party.entity_id})


@pytest.mark.parametrize(
    ("query", "error"),
    [
        pytest.param({"scope": "profile"}, "invalid_request", id="no_openid_among_the_scopes"),
        pytest.param({"response_type": "token"}, "unsupported_response_type", id="another_flow"),
        pytest.param({"client_id": "nobody"}, "invalid_client_id", id="unknown_client"),
        pytest.param({"redirect_uri": "https://evil"}, "invalid_redirect_uri", id="address_not_the_clients"),
        pytest.param({"redirect_uri": BACK + "/../x"}, "invalid_redirect_uri", id="address_below_the_clients"),
        pytest.param({"redirect_uri": ELSEWHERE[0]}, "invalid_redirect_uri", id="a_name_is_no_address"),
        pytest.param({"redirect_uri": ELSEWHERE[3]}, "invalid_redirect_uri", id="another_scheme"),
        pytest.param({"redirect_uri": ELSEWHERE[1]}, "invalid_redirect_uri", id="host_after_a_user"),
        pytest.param({"redirect_uri": ELSEWHERE[2]}, "invalid_redirect_uri", id="port_is_no_number"),
        pytest.param({"redirect_uri": "http://[::1/oidc"}, "invalid_redirect_uri", id="no_address_at_all"),
        pytest.param({"redirect_uri": "http://127.0.0.1:9/oidc/callback"}, "", id="another_port_of_loopback"),
        pytest.param({"request": "x"}, "request_not_supported", id="request_object"),
        pytest.param({"request_uri": "x"}, "request_uri_not_supported", id="request_object_by_address"),
        pytest.param({"max_age": 0}, "invalid_request", id="max_age_of_nothing"),
        pytest.param({"code_challenge": "x"}, "invalid_request", id="challenge_too_short"),
        pytest.param({"code_challenge": DIGEST, "code_challenge_method": "S1"}, "invalid_request", id="unknown_method"),
        pytest.param({"prompt": "none", "scope": "openid more"}, "", id="what_is_not_supported_is_let_go"),
    ],
)  # fmt: skip
async def test_what_is_refused_at_once(party: Party, query: dict[str, Any], error: str) -> None:
    answer = await party.authorize(await party.client(), **query)
    assert answer.body.get("error", "") == error
    assert answer.status == (400 if error else 200)
    assert answer.body["state"] == ("" if error.endswith("_not_supported") else "s")


async def test_a_login_too_long_ago_is_refused(party: Party) -> None:
    await party.live.clock.advance(61)
    assert (await party.authorize(await party.client(), max_age=60)).body["error"] == "max_age_violation"


async def test_a_token_without_an_entity_logs_nobody_in(party: Party) -> None:
    party.user = "root"
    assert (await party.authorize(await party.client())).body["error"] == "access_denied"


async def test_only_those_assigned_are_let_in(party: Party) -> None:
    await party.live.post("identity/oidc/assignment/few", {"entity_ids": ["somebody"]})
    client = await party.client(assignments=["few"])
    assert (await party.authorize(client)).body["error"] == "access_denied"
    inner = await group(party.live, "inner", member_entity_ids=[party.entity_id])
    outer = await group(party.live, "outer", member_group_ids=[inner])
    await party.live.post("identity/oidc/assignment/few", {"group_ids": [outer]})
    code, tokens = await party.code(client), await party.tokens(client)
    await party.live.post("identity/oidc/assignment/few", {"group_ids": []})
    assert (await party.exchange(client, code=code))[1]["error_description"].endswith("client assignment")
    assert (await party.userinfo(tokens["access_token"]))[0] == 403


async def test_ids_may_be_in_capitals(party: Party) -> None:
    await party.live.post("identity/oidc/assignment/few", {"entity_ids": [party.entity_id.upper()]})
    assert await party.code(await party.client(assignments=["few"]))


SECOND = "c" * 64


@pytest.mark.parametrize(
    ("query", "form", "error"),
    [
        pytest.param({}, {"code": "made up"}, "invalid_grant", id="unknown_code"),
        pytest.param({}, {"redirect_uri": "https://other"}, "invalid_grant", id="another_address"),
        pytest.param({}, {"redirect_uri": ""}, "invalid_request", id="no_address"),
        pytest.param({}, {"grant_type": "password"}, "unsupported_grant_type", id="another_grant"),
        pytest.param({}, {"grant_type": "client_credentials", "scope": "openid"}, "invalid_grant", id="not_for_itself"),
        pytest.param({}, {"code_verifier": VERIFIER}, "invalid_request", id="a_verifier_nobody_asked_for"),
        pytest.param(S256, {}, "invalid_request", id="no_verifier"),
        pytest.param(S256, {"code_verifier": SECOND},
                     "invalid_grant", id="wrong_verifier"),
        pytest.param(S256, {"code_verifier": VERIFIER}, "",
                     id="verifier_of_the_challenge"),
        pytest.param({"code_challenge": VERIFIER}, {"code_verifier": VERIFIER}, "", id="plain_verifier"),
    ],
)  # fmt: skip
async def test_what_gets_tokens(party: Party, query: dict[str, Any], form: dict[str, Any], error: str) -> None:
    client = await party.client()
    status, body = await party.exchange(client, **({"code": await party.code(client, **query)} | form))
    assert (status, body.get("error", "")) == (400 if error else 200, error)


@pytest.mark.parametrize("spoil", ["redirect_uri", "code_verifier", ""])
async def test_a_code_is_good_once(party: Party, spoil: str) -> None:
    client = await party.client()
    code = await party.code(client)
    await party.exchange(client, code=code, **({spoil: "wrong"} if spoil else {}))
    assert (await party.exchange(client, code=code))[1]["error"] == "invalid_grant"


async def test_a_code_lives_five_minutes(party: Party) -> None:
    client = await party.client()
    code = await party.code(client)
    await party.live.clock.advance(300)
    assert (await party.exchange(client, code=code))[1]["error"] == "invalid_grant"


async def test_a_code_is_its_clients_and_its_providers(party: Party) -> None:
    client, other = await party.client(), await party.client("other")
    assert (await party.exchange(other, code=await party.code(client)))[1]["error"] == "invalid_grant"
    code = await party.code(client)
    assert (await party.live.post("identity/oidc/provider/second", {"allowed_client_ids": "*"})).status == 204
    party.provider = "second"
    assert (await party.exchange(client, code=code))[1]["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"client_secret": "hvo_secret_no"}, id="wrong_secret"),
        pytest.param({"client_secret": ""}, id="no_secret"),
        pytest.param({"client_id": "nobody"}, id="unknown_client"),
    ],
)
async def test_clients_prove_who_they_are(party: Party, wrong: dict[str, str]) -> None:
    client = await party.client()
    code = await party.code(client)
    for basic in (True, False):
        status, body = await party.exchange(client | wrong, basic=basic, code=code)
        assert (status, body["error"]) == (401, "invalid_client")
    assert (await party.exchange(client, code=code))[0] == 200


@pytest.mark.parametrize("header", ["Basic !", "Basic \u00e4", "Basic Og", "basic", "Bearer x"])
async def test_a_header_that_names_nobody_is_none(party: Party, header: str) -> None:
    headers = {"Authorization": header, "Content-Type": "application/x-www-form-urlencoded"}
    url = f"{party.base}/v1/identity/oidc/provider/default/token"
    async with party.session.post(url, data=b"grant_type=authorization_code", headers=headers) as answer:
        assert (answer.status, (await answer.json())["error"]) == (400, "invalid_request")


async def test_a_public_client_has_a_challenge_in_place_of_a_secret(party: Party) -> None:
    client = await party.client(client_type="public")
    assert "client_secret" not in client
    assert (await party.authorize(client)).body["error_description"] == "PKCE is required for public clients"
    code = await party.code(client, code_challenge=DIGEST, code_challenge_method="S256")
    status, tokens = await party.exchange(client, code=code, code_verifier=VERIFIER)
    assert (status, (await party.claims(tokens["id_token"]))["sub"]) == (200, party.entity_id)


async def test_an_access_token_is_good_for_claims_alone(party: Party) -> None:
    everything = 'path "*" { capabilities = ["read", "list", "update"] }'
    await party.live.post("sys/policies/acl/everything", {"policy": everything})
    await party.live.post(f"identity/entity/id/{party.entity_id}", {"policies": ["everything"]})
    token = (await party.tokens(await party.client()))["access_token"]
    for path in ("auth/token/lookup-self", "sys/mounts", "identity/oidc/provider/default/authorize"):
        assert (await party.live.get(path, token=token)).status == 403
    assert (await party.userinfo("", **{"X-Vault-Token": token}))[1]["error"] == "invalid_token"
    for other in (party.user, "root", "hvb.none"):
        assert (await party.userinfo(other))[0] == 401
    party.provider = "second"
    await party.live.post("identity/oidc/provider/second", {"allowed_client_ids": "*"})
    assert (await party.userinfo(token))[0] == 401


@pytest.mark.parametrize("end", ["disabled", "deleted", "client", "expired"])
async def test_an_access_token_ends_with_what_it_stands_for(party: Party, end: str) -> None:
    token = (await party.tokens(await party.client(access_token_ttl=60)))["access_token"]
    match end:
        case "disabled":
            await party.live.post(f"identity/entity/id/{party.entity_id}", {"disabled": True})
        case "deleted":
            await party.live.delete(f"identity/entity/id/{party.entity_id}")
        case "client":
            await party.live.delete("identity/oidc/client/app")
        case _:
            await party.live.clock.advance(61)
    assert (await party.userinfo(token))[0] in {401, 403}


async def test_scopes_tell_what_their_templates_say(party: Party) -> None:
    await party.live.post("identity/oidc/scope/user", {"template": '{"username": {{identity.entity.name}}}'})
    await party.live.post("identity/oidc/scope/same", {"template": '{"username": "x"}'})
    await party.live.post("identity/oidc/scope/none", {})
    body = {"scopes_supported": ["user", "same", "none"], "allowed_client_ids": "*"}
    answer = await party.live.post("identity/oidc/provider/own", body)
    assert 'conflict "username" in scopes "user", "same"' in answer.body["warnings"][0]
    party.provider = "own"
    client = await party.client()
    tokens = await party.tokens(client, scope="openid user none unknown")
    name = (await party.live.get(f"identity/entity/id/{party.entity_id}")).data["name"]
    assert (await party.claims(tokens["id_token"]))["username"] == name
    assert await party.userinfo(tokens["access_token"]) == (200, {"username": name, "sub": party.entity_id})
    status, body = await party.exchange(client, code=await party.code(client, scope="openid user same"))
    assert (status, body["error"]) == (400, "invalid_request")


async def test_a_client_gets_tokens_for_itself_where_it_may(party: Party) -> None:
    client = await party.client(client_credentials=True, authorization_code=False)
    assert (await party.authorize(client)).body["error"] == "invalid_grant"
    status, body = await party.exchange(client, grant_type="client_credentials", scope="openid")
    claims = await party.claims(body["access_token"])
    assert (status, claims["sub"], claims["aud"]) == (200, client["client_id"], client["client_id"])
    assert (await party.userinfo(body["access_token"]))[0] == 401


async def test_keys_and_providers_let_in_whom_they_name(party: Party) -> None:
    await party.live.post("identity/oidc/key/k", {"algorithm": "EdDSA", "allowed_client_ids": ["*"]})
    client = await party.client(key="k")
    code = await party.code(client)
    assert (await party.tokens(client))["id_token"]
    await party.live.post("identity/oidc/key/k", {"allowed_client_ids": ["other"]})
    assert (await party.exchange(client, code=code))[1]["error"] == "invalid_client"
    assert (await party.live.delete("identity/oidc/key/k")).status == 400
    assert (await party.live.post("identity/oidc/key/k", {"verification_ttl": "1h"})).status == 400
    await party.live.post("identity/oidc/provider/default", {"allowed_client_ids": []})
    assert (await party.authorize(client)).body["error"] == "unauthorized_client"


async def test_one_server_logs_in_at_another(party: Party) -> None:
    """The whole of both sides: our oidc method as the client, its user's browser between them."""
    await entity(party.live, "other")
    await party.live.post(f"identity/entity/id/{party.entity_id}", {"metadata": {"team": "blue"}})
    await party.live.post("identity/oidc/scope/team", {"template": '{"team": {{identity.entity.metadata.team}}}'})
    body = {"issuer": party.base, "allowed_client_ids": "*", "scopes_supported": ["team"]}
    await party.live.post("identity/oidc/provider/here", body)
    client = await party.client(key="default")
    there = await start_live()
    await there.post("sys/auth/oidc", {"type": "oidc"})
    settings = {"oidc_discovery_url": f"{party.base}/v1/identity/oidc/provider/here", "default_role": "app",
                "oidc_client_id": client["client_id"], "oidc_client_secret": client["client_secret"]}  # fmt: skip
    assert (await there.post("auth/oidc/config", settings)).status == 204
    role = {"user_claim": "sub", "allowed_redirect_uris": [BACK], "oidc_scopes": ["team"], "groups_claim": "",
            "claim_mappings": {"team": "team"}, "token_policies": "app"}  # fmt: skip
    assert (await there.post("auth/oidc/role/app", role)).status == 204
    url = (await there.post("auth/oidc/oidc/auth_url", {"role": "app", "redirect_uri": BACK}, token="")).data[
        "auth_url"
    ]
    assert urlsplit(url).path == "/ui/vault/identity/oidc/provider/here/authorize"
    query = dict(parse_qsl(urlsplit(url).query))
    answer = await party.live.get("identity/oidc/provider/here/authorize", body=query, token=party.user)
    auth = (await there.get("auth/oidc/oidc/callback", body=answer.body, token="")).auth
    assert (auth["policies"], auth["metadata"]) == (["app", "default"], {"role": "app", "team": "blue"})
    await there.server.sealing.seal()
