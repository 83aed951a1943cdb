"""Login with signed tokens: what is believed, for whom, and what becomes of it."""

import asyncio
import base64
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom_server.auth.jwt import Engine
from strongroom_server.auth.jwt.claims import find
from strongroom_server.sdk.errors import InvalidRequest, NotFound, PermissionDenied, UpstreamError
from strongroom_server.sdk.request import Auth
from tests.strongroom_server.auth.issuer import Issuer, pem_of, signing_key
from tests.strongroom_server.fakes import Mounted, client
from tests.strongroom_server.live import Live

ROLE = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": "vault", "token_policies": "app"}
ANY = ROLE | {"bound_audiences": "", "bound_subject": "ann"}


class Login:
    """The method, which trusts an issuer's static key unless configured anew."""

    def __init__(self, mounted: Mounted, issuer: Issuer) -> None:
        self.mounted = mounted
        self.issuer = issuer
        self.now = int(mounted.clock.now())

    async def configure(self, **settings: Any) -> None:
        source = {} if settings.keys() & {"jwks_url", "oidc_discovery_url", "jwt_validation_pubkeys"} else {
            "jwt_validation_pubkeys": [pem_of(signing_key("first"))]}  # fmt: skip
        await self.mounted.ask("update", "config", source | settings)

    async def role(self, **settings: Any) -> None:
        await self.mounted.ask("delete", "role/app")
        await self.mounted.ask("update", "role/app", ANY | settings)

    async def send(self, token: str, role: str = "app", address: str = "127.0.0.1") -> Auth:
        body = {"role": role, "jwt": token}
        response = await self.mounted.ask("update", "login", body, connection=client(address))
        assert response.auth is not None
        return response.auth

    async def __call__(self, **claims: Any) -> Auth:
        return await self.send(self.issuer.token(**claims))


@pytest.fixture
async def login() -> AsyncIterator[Login]:
    mounted = await Mounted(Engine).start()
    async with Issuer(mounted.clock.now) as issuer:
        login = Login(mounted, issuer)
        await login.configure()
        await login.role()
        yield login
        await mounted.engine.close()


# -- who gets in ----------------------------------------------------------------------------------------------------


async def test_a_token_becomes_a_login(login: Login) -> None:
    await login.role(
        token_ttl="20m", groups_claim="/realm/roles", claim_mappings={"/realm/team": "team", "n": "n", "no": "no"}
    )
    auth = await login(realm={"roles": ["a", "b", ""], "team": "blue"}, n=7)
    assert (auth.policies, auth.ttl, auth.display_name) == (("app",), 1200, "ann")
    assert auth.alias is not None
    assert (auth.alias.name, auth.alias.metadata) == ("ann", {"team": "blue", "n": "7", "role": "app"})
    assert [alias.name for alias in auth.group_aliases] == ["a", "b"]
    assert auth.metadata == {"team": "blue", "n": "7", "role": "app"}


async def by_jwks(login: Login) -> None:
    await login.configure(jwks_url=f"{login.issuer.url}/keys")


async def by_discovery(login: Login) -> None:
    await login.configure(oidc_discovery_url=login.issuer.url)


async def by_keys(login: Login) -> None:
    await login.configure(jwt_validation_pubkeys=[pem_of(signing_key("other")), pem_of(signing_key("first"))])


EVERY_WAY = pytest.mark.parametrize("way", [by_jwks, by_discovery, by_keys])


@EVERY_WAY
async def test_the_issuers_key_is_found(login: Login, way: Any) -> None:
    await way(login)
    await login()
    await login.send(jwt.encode({"sub": "ann", "exp": login.now + 60}, signing_key("first"), algorithm="PS512"))


@EVERY_WAY
async def test_another_key_is_not_believed(login: Login, way: Any) -> None:
    await way(login)
    login.issuer.signs_with = "stranger"
    with pytest.raises(InvalidRequest, match="no known key successfully validated"):
        await login()
    with pytest.raises(InvalidRequest, match="no known key successfully validated"):
        await login.send(login.issuer.sign({"sub": "ann", "exp": login.now + 60}, kid="first"))


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        pytest.param(ec.generate_private_key(ec.SECP256R1()), "ES256", id="an_ec_key"),
        pytest.param(ed25519.Ed25519PrivateKey.generate(), "EdDSA", id="an_ed25519_key"),
    ],
)
async def test_keys_of_other_kinds(login: Login, key: Any, algorithm: str) -> None:
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    await login.configure(jwt_validation_pubkeys=[public])
    await login.send(jwt.encode({"sub": "ann", "exp": login.now + 60}, key, algorithm=algorithm))
    await login.configure(jwt_validation_pubkeys=[public], jwt_supported_algs="RS256")
    with pytest.raises(InvalidRequest, match="unexpected algorithm"):
        await login.send(jwt.encode({"sub": "ann", "exp": login.now + 60}, key, algorithm=algorithm))


def forged_none(login: Login) -> str:
    return jwt.encode({"sub": "ann", "exp": login.now + 60}, None, algorithm="none")


def forged_mac(login: Login) -> str:
    """A MAC whose key is the public key that everybody knows."""

    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    claims = json.dumps({"sub": "ann", "exp": login.now + 60})
    signed = part(b'{"alg":"HS256"}') + "." + part(claims.encode())
    mac = hmac.new(pem_of(signing_key("first")).encode(), signed.encode(), "sha256").digest()
    return f"{signed}.{part(mac)}"


def critical(login: Login) -> str:
    return login.issuer.sign({"sub": "ann", "exp": login.now + 60}, crit=["x"], x=1)


@pytest.mark.parametrize("forge", [forged_none, forged_mac, critical, lambda _: "junk", lambda _: "a.b.c"])
async def test_forged_tokens_are_refused(login: Login, forge: Any) -> None:
    with pytest.raises(InvalidRequest, match="error validating token: error verifying token signature"):
        await login.send(forge(login))


@pytest.mark.parametrize(
    ("settings", "claims", "message"),
    [
        pytest.param({"bound_subject": "bob"}, {}, r"invalid subject \(sub\)", id="somebody_else"),
        pytest.param({}, {"aud": "vault"}, "no audiences bound to the role", id="an_audience_but_none_bound"),
        pytest.param({"bound_audiences": "vault"}, {}, r"\(aud\)", id="no_audience"),
        pytest.param({"bound_audiences": "vault"}, {"aud": ["x"]}, r"\(aud\)", id="another_audience"),
        pytest.param({"bound_audiences": "vault"}, {"aud": 7}, r"\(aud\)", id="an_audience_that_is_none"),
        pytest.param({"user_claim": "email"}, {}, 'claim "email" not found in token', id="no_user"),
        pytest.param({"user_claim": "email"}, {"email": ""}, 'claim "email" is empty', id="an_empty_user"),
        pytest.param({"user_claim": "email"}, {"email": 7}, "could not be converted", id="a_user_that_is_a_number"),
        pytest.param({"groups_claim": "g"}, {}, 'failed to fetch groups: "g" claim not found', id="no_groups"),
        pytest.param({"groups_claim": "g"}, {"g": [7]}, "value 7 in groups claim", id="a_group_that_is_a_number"),
        pytest.param({"groups_claim": "g"}, {"g": {}}, "string list", id="groups_that_are_an_object"),
        pytest.param({"user_claim": "/n/u"}, {"n": {"u": "x"}}, 'claim "/n/u" not found', id="a_pointer_not_meant_so"),
    ],
)
async def test_tokens_that_do_not_fit_the_role(
    login: Login, settings: dict[str, Any], claims: dict[str, Any], message: str
) -> None:
    await login.role(**settings)
    with pytest.raises(InvalidRequest, match=message):
        await login(**claims)


@pytest.mark.parametrize("audience", [pytest.param("vault", id="one"), pytest.param(["x", "vault"], id="several")])
async def test_an_audience_of_the_roles_is_enough(login: Login, audience: Any) -> None:
    await login.role(bound_audiences="other,vault")
    await login(aud=audience)


async def test_the_user_may_be_a_pointer(login: Login) -> None:
    await login.role(user_claim="/n/u/0", user_claim_json_pointer=True)
    assert (await login(n={"u": ["zoe"]})).display_name == "zoe"


async def test_the_issuer_is_checked_where_bound(login: Login) -> None:
    await login.configure(bound_issuer="me")
    await login(iss="me")
    with pytest.raises(InvalidRequest, match=r"invalid issuer \(iss\) claim"):
        await login(iss="you")


OK = None
EXPIRED, EARLY, FUTURE = "token is expired", "token not yet valid", "issued in the future"


@pytest.mark.parametrize(
    ("times", "message"),
    [
        pytest.param({"iat": 0, "exp": 600}, OK, id="of_now"),
        pytest.param({}, "no issued at", id="without_any_time"),
        pytest.param({"exp": 100}, OK, id="exp_alone_near"),
        pytest.param({"exp": 600}, EARLY, id="exp_alone_far_begins_150_seconds_before_it"),
        pytest.param({"iat": -4000, "exp": -59}, OK, id="expired_within_the_skew"),
        pytest.param({"iat": -4000, "exp": -61}, EXPIRED, id="expired"),
        pytest.param({"iat": -200}, OK, id="iat_alone_lasts_150_seconds_and_the_skew"),
        pytest.param({"iat": -220}, EXPIRED, id="iat_alone_too_long_ago"),
        pytest.param({"nbf": -220}, EXPIRED, id="nbf_alone_too_long_ago"),
        pytest.param({"nbf": 55}, OK, id="begins_within_the_skew"),
        pytest.param({"nbf": 70}, EARLY, id="begins_later"),
        pytest.param({"iat": 70, "nbf": 0, "exp": 100}, FUTURE, id="issued_in_the_future"),
        pytest.param({"exp": "soon"}, "invalid exp claim", id="a_time_that_is_none"),
        pytest.param({"exp": True}, "invalid exp claim", id="a_time_that_is_a_boolean"),
    ],
)
async def test_times(login: Login, times: dict[str, Any], message: str | None) -> None:
    moments = {name: login.now + at if type(at) is int else at for name, at in times.items()}
    token = login.issuer.sign({"sub": "ann"} | moments)
    if message is None:
        await login.send(token)
        return
    with pytest.raises(InvalidRequest, match=message):
        await login.send(token)


async def test_leeways_can_be_set_and_taken_away(login: Login) -> None:
    late = login.issuer.sign({"sub": "ann", "iat": login.now - 4000, "exp": login.now - 100})
    await login.role(clock_skew_leeway=120)
    await login.send(late)
    await login.role(clock_skew_leeway=-1, expiration_leeway="-1s")
    for token in (late, login.issuer.sign({"sub": "ann", "iat": login.now - 1})):
        with pytest.raises(InvalidRequest, match=EXPIRED):
            await login.send(token)


@pytest.mark.parametrize(
    ("kind", "bound", "claim", "fits"),
    [
        pytest.param("string", "a", "a", True, id="the_same"),
        pytest.param("string", ["a", "b"], "b", True, id="one_of_the_bound"),
        pytest.param("string", "a", ["x", "a"], True, id="one_of_the_claims"),
        pytest.param("string", ["g1", "g9"], ["g1", "g2"], True, id="any_of_any"),
        pytest.param("string", ["g1"], [], False, id="none_of_none"),
        pytest.param("string", [], "a", False, id="nothing_bound_fits_nothing"),
        pytest.param("string", 1, 1, True, id="numbers"),
        pytest.param("string", [1, 2.5], [2.5], True, id="numbers_in_lists"),
        pytest.param("string", "1", 1, False, id="a_text_is_no_number"),
        pytest.param("string", True, 1, False, id="a_boolean_is_no_number"),
        pytest.param("string", True, True, True, id="booleans"),
        pytest.param("string", "svc-*", "svc-1", False, id="a_star_is_a_star"),
        pytest.param("string", "a", {"x": "a"}, False, id="an_object_is_no_value"),
        pytest.param("string", None, "a", False, id="null_fits_nothing"),
        pytest.param("glob", "svc-*", "svc-1", True, id="a_glob"),
        pytest.param("glob", ["*z"], ["x", "xz"], True, id="globs_in_lists"),
        pytest.param("glob", "a*c", "a\nc", True, id="a_glob_spans_lines"),
        pytest.param("glob", "a?c", "abc", False, id="other_signs_are_themselves"),
        pytest.param("glob", "*", 7, False, id="a_number_is_no_text"),
        pytest.param("glob", "A*", "ab", False, id="case_matters"),
    ],
)
async def test_bound_claims(login: Login, kind: str, bound: Any, claim: Any, fits: bool) -> None:
    await login.role(bound_claims={"/n/k": bound}, bound_claims_type=kind)
    if fits:
        await login(n={"k": claim})
        return
    with pytest.raises(InvalidRequest, match="error validating claims"):
        await login(n={"k": claim})


async def test_every_bound_claim_must_be_there(login: Login) -> None:
    await login.role(bound_claims={"a": "1", "b": "2"})
    await login(a="1", b="2")
    with pytest.raises(InvalidRequest, match='claim "b" is missing'):
        await login(a="1")


async def test_networks_and_roles(login: Login) -> None:
    await login.role(token_bound_cidrs="10.0.0.0/8")
    with pytest.raises(PermissionDenied):
        await login()
    assert (await login.send(login.issuer.token(), address="10.1.2.3")).bound_cidrs == ("10.0.0.0/8",)
    for role, message in (("", "missing role"), ("none", 'role "none" could not be found')):
        with pytest.raises(InvalidRequest, match=message):
            await login.send(login.issuer.token(), role)
    with pytest.raises(InvalidRequest, match="missing token"):
        await login.send("", "APP", "10.0.0.1")
    await login.configure(default_role="App")
    await login.send(login.issuer.token(), "", "10.0.0.1")
    await login.mounted("update", "role/o", user_claim="sub", allowed_redirect_uris="http://localhost/cb")
    with pytest.raises(InvalidRequest, match="role with oidc role_type is not allowed"):
        await login.send(login.issuer.token(), "o")


async def test_renewal_needs_the_role(login: Login) -> None:
    auth = await login()
    await login.role(token_ttl="1h")
    engine = login.mounted.engine
    assert (await engine.renew_login(auth, None)).ttl == 3600  # type: ignore[arg-type]  # the request is not looked at
    await login.mounted("delete", "role/app")
    with pytest.raises(InvalidRequest, match="role app does not exist during renewal"):
        await engine.renew_login(auth, None)  # type: ignore[arg-type]


# -- keys that change -----------------------------------------------------------------------------------------------


async def test_new_keys_are_fetched_when_needed_and_not_more_often(login: Login) -> None:
    await by_jwks(login)
    issuer, clock = login.issuer, login.mounted.clock
    before = issuer.fetched_keys
    await asyncio.gather(*(login() for _ in range(20)))
    assert issuer.fetched_keys == before + 1
    issuer.kids, issuer.signs_with = ("second",), "second"
    await clock.advance(11)
    await login()
    assert issuer.fetched_keys == before + 2
    issuer.signs_with = "stranger"
    for _ in range(5):
        with pytest.raises(InvalidRequest):
            await login()
    assert issuer.fetched_keys == before + 2
    await clock.advance(600)
    issuer.signs_with = "first"  # which is no longer published
    with pytest.raises(InvalidRequest):
        await login()


async def test_an_issuer_that_is_down_lets_nobody_in_and_is_left_alone(login: Login) -> None:
    await by_jwks(login)
    login.issuer.down = True
    for _ in range(2):
        with pytest.raises(UpstreamError):
            await login()
    login.issuer.down = False
    await login.mounted.clock.advance(11)
    await login()


async def test_odd_keys_are_passed_over(login: Login) -> None:
    login.issuer.odd_keys = [{"kty": "unheard-of", "kid": "first"}, {"kty": "oct", "k": "c2VjcmV0", "kid": "first"}]
    await by_jwks(login)
    await login()
    with pytest.raises(InvalidRequest):
        await login.send(jwt.encode({"sub": "ann", "exp": login.now + 60}, "secret" * 6, algorithm="HS256",
                                    headers={"kid": "first"}))  # fmt: skip


@pytest.mark.parametrize("field", [pytest.param("jwks", id="keys"), pytest.param("oidc_discovery", id="discovery")])
async def test_the_issuers_certificate_is_checked(login: Login, field: str) -> None:
    async with Issuer(login.mounted.clock.now, tls=True) as issuer:
        login.issuer = issuer
        url = issuer.url + ("/keys" if field == "jwks" else "")
        with pytest.raises(InvalidRequest, match="error checking"):
            await login.configure(**{f"{field}_url": url})
        await login.configure(**{f"{field}_url": url, f"{field}_ca_pem": issuer.ca})
        await login()


async def test_any_of_several_sources_of_keys_will_do(login: Login) -> None:
    clock = login.mounted.clock.now
    async with Issuer(clock, tls=True) as safe, Issuer(clock, kids=("second",), signs_with="second") as other:
        down = {"jwks_url": "http://127.0.0.1:1/keys"}
        pairs = [{"jwks_url": f"{safe.url}/keys", "jwks_ca_pem": safe.ca}, {"jwks_url": f"{other.url}/keys"}, down]
        await login.configure(jwks_url="", jwks_pairs=pairs, jwt_validation_pubkeys=[])
        for issuer in (safe, other):
            login.issuer = issuer
            await login()
        other.signs_with = "stranger"
        with pytest.raises(InvalidRequest, match="no known key"):
            await login()
        shown = (await login.mounted.data("config"))["jwks_pairs"]
        assert shown == [pair | {"jwks_ca_pem": pair.get("jwks_ca_pem", "")} for pair in pairs]
        with pytest.raises(InvalidRequest, match="error checking jwks URL"):
            await login.mounted.ask("update", "config", {"jwks_pairs": [down]})


@pytest.mark.parametrize(
    ("pairs", "more", "message"),
    [
        pytest.param([{"jwks_url": "http://a"}], {"jwks_url": "http://a"}, "exactly one of", id="beside_another"),
        pytest.param([{"jwks_url": "http://a"}], {"jwks_ca_pem": "x"}, "jwks_ca_pem", id="beside_a_certificate"),
        pytest.param([{"jwks_url": "http://a", "jwks_ca_pem": "x"}], {}, "error checking jwks_ca_pem", id="no_pem"),
        pytest.param([{"jwks_ca_pem": ""}], {}, "must have a 'jwks_url'", id="no_url"),
        pytest.param(["http://a"], {}, "jwks_pairs", id="no_object"),
    ],
)
async def test_sources_that_cannot_be(login: Login, pairs: Any, more: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        await login.mounted.ask("update", "config", {"jwks_pairs": pairs} | more)


async def test_a_provider_may_go_by_another_name(login: Login) -> None:
    async with Issuer(login.mounted.clock.now, tls=True) as issuer:
        login.issuer = issuer
        settings = {"jwks_url": issuer.url.replace("127.0.0.1", "localhost") + "/keys", "jwks_ca_pem": issuer.ca}
        for names in ([], ["elsewhere.example"]):
            with pytest.raises(InvalidRequest, match="error checking jwks URL"):
                await login.configure(**settings, override_allowed_server_names=names)
        await login.configure(**settings, override_allowed_server_names=["elsewhere.example", "127.0.0.1"])
        await login()


@pytest.mark.parametrize(
    ("names", "policies"),
    [
        pytest.param(["app-{{.sub}}", "b"], ("app-ann", "b"), id="a_claim"),
        pytest.param(["{{ .realm.team }}/{{.realm.n}}"], ("blue/7",), id="deeper_claims"),
        pytest.param(["{{index .groups 1}}", '{{ index . "realm" "team" }}'], ("two", "blue"), id="indexed"),
        pytest.param(["{{.nothing}}", "a"], ("a",), id="empty_ones_are_left_out"),
        pytest.param(["{{.yes}}"], ("true",), id="a_truth"),
        pytest.param(["{{.Team}}"], ("Red",), id="a_claim_in_capitals"),
    ],
)
async def test_policies_named_by_claims(login: Login, names: list[str], policies: tuple[str, ...]) -> None:
    await login.role(token_policies=names, token_policies_template_claims=True)
    claims = {"realm": {"team": "blue", "n": 7}, "groups": ["one", "two"], "nothing": "", "yes": True, "Team": "Red"}
    auth = await login(**claims)
    assert auth.policies == policies


@pytest.mark.parametrize("name", ["{{.nosuch}}", "{{.groups}}", "{{index .groups 2}}", "{{.sub.x}}", "{{.}}"])
async def test_claims_that_name_no_policy(login: Login, name: str) -> None:
    await login.role(token_policies=["a", name], token_policies_template_claims=True)
    with pytest.raises(InvalidRequest, match=r"failed to template policy \[1\]"):
        await login(groups=["one", "two"])


async def test_policies_are_no_templates_unless_the_role_says_so(login: Login) -> None:
    await login.role(token_policies="app-{{.sub}}")
    assert (await login()).policies == ("app-{{.sub}}",)


# -- configuration and roles ----------------------------------------------------------------------------------------


async def test_config_is_read_without_the_secret(login: Login) -> None:
    url = login.issuer.url
    await login.configure(oidc_discovery_url=url, oidc_client_id="id", oidc_client_secret="secret", default_role="R")
    data = await login.mounted.data("config")
    assert data == {
        "bound_issuer": "", "default_role": "r", "jwks_ca_pem": "", "jwks_url": "", "jwt_supported_algs": (),
        "jwt_validation_pubkeys": (), "namespace_in_state": True, "oidc_client_id": "id",
        "oidc_discovery_ca_pem": "", "oidc_discovery_url": url,
        "oidc_response_mode": "", "oidc_response_types": (), "provider_config": {}, "status": "valid",
        "jwks_pairs": [], "override_allowed_server_names": (),
    }  # fmt: skip


PUBLIC = {"jwt_validation_pubkeys": [pem_of(signing_key("first"))]}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param({}, "exactly one of", id="no_source"),
        pytest.param(PUBLIC | {"jwks_url": "http://x"}, "exactly one of", id="two_sources"),
        pytest.param({"jwt_validation_pubkeys": ["junk"]}, "error parsing public key", id="a_key_that_is_none"),
        pytest.param(PUBLIC | {"jwks_ca_pem": "x"}, "error checking jwks_ca_pem", id="no_ca"),
        pytest.param(PUBLIC | {"oidc_discovery_ca_pem": "x"}, "could not parse CA PEM", id="no_ca_of_a_provider"),
        pytest.param(PUBLIC | {"jwt_supported_algs": "HS256"}, 'algorithm "HS256"', id="a_mac"),
        pytest.param(PUBLIC | {"jwt_supported_algs": "RS256,none"}, 'algorithm "none"', id="none"),
        pytest.param(PUBLIC | {"oidc_client_id": "x"}, "both 'oidc_client_id'", id="an_id_without_secret"),
        pytest.param(PUBLIC | {"oidc_client_id": "x", "oidc_client_secret": "y"}, "must be set for OIDC", id="oidc"),
        pytest.param(PUBLIC | {"oidc_response_mode": "x"}, "invalid response_mode", id="an_unknown_mode"),
        pytest.param(PUBLIC | {"oidc_response_types": "x"}, "invalid response_types", id="an_unknown_type"),
        pytest.param(PUBLIC | {"oidc_response_types": "id_token"}, "query response_mode", id="a_token_in_a_query"),
        pytest.param(PUBLIC | {"provider_config": {"a": "b"}}, "'provider' field not found", id="no_provider"),
        pytest.param(PUBLIC | {"provider_config": {"provider": "x"}}, 'provider "x" not found', id="a_provider"),
        pytest.param({"jwks_url": "http://127.0.0.1:1/"}, "error checking jwks URL", id="nobody_there"),
        pytest.param({"oidc_discovery_url": "http://127.0.0.1:1"}, "error checking oidc discovery URL", id="nor_there"),
    ],
)
async def test_configurations_that_cannot_work(login: Login, body: dict[str, Any], message: str) -> None:
    before = await login.mounted.data("config")
    with pytest.raises(InvalidRequest, match=message):
        await login.mounted.ask("update", "config", body)
    assert await login.mounted.data("config") == before


async def test_keys_that_cannot_be_had_yet_can_be_waited_for(login: Login) -> None:
    body = {"jwks_url": f"{login.issuer.url}/keys", "skip_jwks_validation": True}
    login.issuer.down = True
    response = await login.mounted.ask("update", "config", body)
    assert "error checking jwks URL" in response.warnings[0]
    assert "error checking jwks URL" in (await login.mounted.data("config"))["status"]
    login.issuer.down = False
    assert (await login.mounted.data("config"))["status"] == "valid"


async def test_the_discovery_document_must_be_the_issuers_own(login: Login) -> None:
    with pytest.raises(InvalidRequest, match="issuer did not match the returned issuer"):
        await login.configure(oidc_discovery_url=login.issuer.url + "/")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param({"role_type": "x"}, "invalid 'role_type': x", id="an_unknown_type"),
        pytest.param({"role_type": ""}, "'allowed_redirect_uris' must be set", id="oidc_without_redirects"),
        pytest.param({"user_claim": ""}, "a user claim must be defined", id="no_user"),
        pytest.param({"bound_audiences": ""}, "at least one bound constraint", id="bound_by_nothing"),
        pytest.param({"bound_claims_type": "x"}, "invalid 'bound_claims_type': x", id="an_unknown_comparison"),
        pytest.param({"bound_claims": {"a": 1}, "bound_claims_type": "glob"}, "not a string: 1", id="a_number_glob"),
        pytest.param({"bound_claims": "x"}, "bound_claims", id="claims_that_are_a_text"),
        pytest.param({"claim_mappings": {"a": "b", "c": "b"}}, "multiple keys", id="two_claims_for_one_name"),
        pytest.param({"claim_mappings": {"a": "role"}}, "reserved", id="the_roles_own_name"),
        pytest.param({"oauth2_metadata": "x"}, "Unrecognized oauth2 metadata name x", id="no_token"),
        *(
            pytest.param(
                {"token_policies": name, "token_policies_template_claims": True},
                r"failed to parse template policy \[0\]",
                id=f"a_template_that_is_none_{number}",
            )
            for number, name in enumerate(["{{", "{{upper .sub}}", "{{sub}}", "{{.a..b}}", "{{index .a x}}", "{{}}"])
        ),
        pytest.param({"expiration_leeway": "x"}, "expiration_leeway", id="a_leeway_that_is_none"),
    ],
)
async def test_roles_that_cannot_be(login: Login, body: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        await login.mounted.ask("update", "role/bad", ROLE | body)
    with pytest.raises(NotFound):
        await login.mounted.data("role/bad")


async def test_a_period_beyond_the_mounts_longest_life_is_refused(login: Login) -> None:
    with pytest.raises(InvalidRequest, match='period of "9000h" is greater than'):
        await login.role(token_period="9000h")
    warned = await login.mounted.ask("update", "role/app", ROLE | {"token_max_ttl": "9000h"})
    assert "will be truncated" in warned.warnings[0]


async def test_a_role_is_read_as_it_was_written(login: Login) -> None:
    mounted = login.mounted
    written = await mounted.ask("update", "role/R", ROLE | {"bound_claims": {"a": [1, "b"]}, "max_age": "1h",
                                "clock_skew_leeway": -1, "verbose_oidc_logging": True})  # fmt: skip
    assert "not recommended" in written.warnings[0]
    data = await mounted.data("role/r")
    assert data == {
        "allowed_redirect_uris": None, "bound_audiences": ("vault",), "bound_claims": {"a": [1, "b"]},
        "bound_claims_type": "string", "bound_subject": "", "callback_mode": "client",
        "oidc_disable_confirmation": False, "claim_mappings": None, "clock_skew_leeway": -1,
        "expiration_leeway": 0, "groups_claim": "", "max_age": 3600, "not_before_leeway": 0, "oidc_scopes": None,
        "role_type": "jwt", "token_bound_cidrs": (), "token_explicit_max_ttl": 0, "token_max_ttl": 0,
        "token_no_default_policy": False, "token_num_uses": 0, "token_period": 0, "token_policies": ("app",),
        "token_strictly_bind_ip": False, "token_ttl": 0, "token_type": "default", "user_claim": "sub",
        "user_claim_json_pointer": False, "verbose_oidc_logging": True, "oauth2_metadata": None,
        "token_policies_template_claims": False,
    }  # fmt: skip
    assert await mounted.keys("role") == ["app", "r"]
    with pytest.raises(InvalidRequest, match="allowed_redirect_uris"):  # the type is oidc unless said each time
        await mounted("update", "role/r", token_ttl=5)
    await mounted("update", "role/r", role_type="jwt", token_ttl=5)
    assert (await mounted.data("role/r"))["bound_audiences"] == ("vault",)


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        pytest.param("/a/b", 1, id="nested"),
        pytest.param("/l/1", "y", id="in_a_list"),
        pytest.param("/l/2", None, id="beyond_a_list"),
        pytest.param("/l/-1", None, id="not_from_behind"),
        pytest.param("/x~1y", 2, id="a_slash"),
        pytest.param("/t~0", 3, id="a_tilde"),
        pytest.param("/a/b/c", None, id="below_a_value"),
        pytest.param("x/y", 2, id="no_pointer"),
    ],
)
def test_claims_are_found_by_pointers(pointer: str, value: Any) -> None:
    assert find({"a": {"b": 1}, "l": ["x", "y"], "x/y": 2, "t~": 3}, pointer) == value


async def test_both_types_can_be_mounted(live: Live) -> None:
    for kind in ("jwt", "oidc"):
        assert (await live.post(f"sys/auth/{kind}", {"type": kind})).status == 204
        assert (await live.post(f"auth/{kind}/config", PUBLIC)).status == 204
        assert (await live.post(f"auth/{kind}/role/r", ROLE | {"groups_claim": "g"})).status == 204
        now = int(live.clock.now())
        claims = {"sub": "ann", "aud": "vault", "iat": now, "exp": now + 60, "g": ["dev"]}
        token = jwt.encode(claims, signing_key("first"), algorithm="RS256")
        answer = await live.post(f"auth/{kind}/login", {"role": "r", "jwt": token}, token="")
        assert answer.status == 200
        assert answer.auth["policies"] == ["app", "default"]
    assert {row["type"] for row in (await live.get("sys/auth")).data.values()} == {"jwt", "oidc", "token"}
