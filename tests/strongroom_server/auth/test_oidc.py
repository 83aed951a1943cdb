"""Login at an OpenID provider: the authorization code flow from end to end, and what is no answer in it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession
from yarl import URL

from strongroom_server.auth.jwt import Engine
from strongroom_server.auth.jwt.flow import allowed_redirect
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.request import Auth
from tests.strongroom_server.auth.issuer import CLIENT, SECRET, Issuer, pem_of, signing_key
from tests.strongroom_server.fakes import Mounted, client

HERE = "http://localhost:8250/oidc/callback"


class Oidc:
    """The method and a browser."""

    def __init__(self, mounted: Mounted, issuer: Issuer) -> None:
        self.mounted, self.issuer = mounted, issuer

    async def configure(self, **settings: Any) -> None:
        given = {"oidc_discovery_url": self.issuer.url, "oidc_client_id": CLIENT, "oidc_client_secret": SECRET}
        await self.mounted.ask("update", "config", given | settings)

    async def role(self, **settings: Any) -> None:
        await self.mounted.ask("delete", "role/app")
        given = {"user_claim": "sub", "allowed_redirect_uris": [HERE], "token_policies": "app"}
        await self.mounted.ask("update", "role/app", given | settings)

    async def begin(self, **body: Any) -> str:
        response = await self.mounted.ask("update", "oidc/auth_url", {"role": "app", "redirect_uri": HERE} | body)
        assert response.data is not None
        url: str = response.data["auth_url"]
        return url

    async def browse(self, url: str) -> dict[str, str]:
        """Follow the provider's address; return what comes back from there."""
        async with ClientSession() as session, session.get(url, allow_redirects=False) as answer:
            if answer.status == 200:
                posted: dict[str, str] = await answer.json()
                return posted
            return dict(URL(answer.headers["Location"]).query)

    async def end(self, **query: Any) -> Auth:
        response = await self.mounted.ask("read", "oidc/callback", query)
        assert response.auth is not None
        return response.auth

    async def __call__(self, **body: Any) -> Auth:
        back = await self.browse(await self.begin(**body))
        return await self.end(**back, **{k: v for k, v in body.items() if k == "client_nonce"})


@pytest.fixture
async def oidc() -> AsyncIterator[Oidc]:
    mounted = await Mounted(Engine).start()
    async with Issuer(mounted.clock.now) as issuer:
        oidc = Oidc(mounted, issuer)
        await oidc.configure()
        await oidc.role()
        yield oidc
        await mounted.engine.close()


async def test_a_user_logs_in_at_the_provider(oidc: Oidc) -> None:
    await oidc.role(oidc_scopes="email,openid", claim_mappings={"email": "email"}, groups_claim="groups", max_age="1h")
    oidc.issuer.claims = {"auth_time": int(oidc.mounted.clock.now()), "email": "old"}
    oidc.issuer.info = {"groups": ["dev"], "email": "ann@example.com"}
    auth = await oidc(client_nonce="mine")
    assert auth.metadata == {"role": "app", "email": "ann@example.com"}
    assert [alias.name for alias in auth.group_aliases] == ["dev"]
    asked = oidc.issuer.asked[-1]
    assert (asked["scope"], asked["max_age"], asked["code_challenge_method"]) == ("openid email", "3600", "S256")


async def test_tokens_of_the_provider_are_in_the_metadata_where_the_role_says_so(oidc: Oidc) -> None:
    await oidc.role(oauth2_metadata=["access_token", "id_token", "refresh_token"])
    auth = await oidc()
    assert (auth.metadata["oauth2_access_token"], auth.metadata["oauth2_id_token"].count(".")) == ("access", 2)
    assert "oauth2_refresh_token" not in auth.metadata
    assert auth.alias is not None
    assert auth.alias.metadata == {"role": "app"}
    oidc.issuer.more = {"refresh_token": "again"}
    assert (await oidc()).metadata["oauth2_refresh_token"] == "again"
    await oidc.role()
    assert (await oidc()).metadata == {"role": "app"}


async def test_the_address_begins_as_clients_expect(oidc: Oidc) -> None:
    url = await oidc.begin()
    assert url.startswith(f"{oidc.issuer.url}/authorize?client_id={CLIENT}&code_challenge=")


async def test_a_login_ends_once_and_in_time(oidc: Oidc) -> None:
    back = await oidc.browse(await oidc.begin())
    await oidc.end(**back)
    late = await oidc.browse(await oidc.begin())
    await oidc.mounted.clock.advance(601)
    for query in (back, late, {"state": "st_unknown", "code": "x"}, {"code": "x"}):
        with pytest.raises(InvalidRequest, match="Expired or missing OAuth state"):
            await oidc.end(**query)


@pytest.mark.parametrize("shown", [pytest.param({}, id="none"), pytest.param({"client_nonce": "x"}, id="another")])
async def test_only_the_client_that_began_may_end(oidc: Oidc, shown: dict[str, str]) -> None:
    back = await oidc.browse(await oidc.begin(client_nonce="mine"))
    with pytest.raises(InvalidRequest, match="invalid client_nonce"):
        await oidc.end(**back, **shown)


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        pytest.param({"nonce": "another"}, "invalid nonce", id="another_logins_token"),
        pytest.param({"iss": "https://another"}, r"invalid issuer \(iss\)", id="another_issuers"),
        pytest.param({"aud": "another"}, r"invalid audience \(aud\)", id="another_clients"),
        pytest.param({"aud": [CLIENT, "another"]}, r"invalid audience \(aud\)", id="several_clients_without_azp"),
        pytest.param({"azp": "another"}, r"invalid authorized party \(azp\)", id="given_to_another_client"),
        pytest.param({"exp": 1000}, "token is expired", id="expired"),
        pytest.param({"exp": None}, r"no expiration time \(exp\)", id="without_an_end"),
        pytest.param({"sub": "bob"}, r"invalid subject \(sub\)", id="somebody_else"),
        pytest.param({"auth_time": 1000}, "invalid auth_time", id="logged_in_long_ago"),
    ],
)
async def test_id_tokens_that_are_no_answer(oidc: Oidc, claims: dict[str, Any], message: str) -> None:
    await oidc.role(bound_subject="ann", max_age="1h")
    oidc.issuer.claims = {"auth_time": int(oidc.mounted.clock.now())} | claims
    with pytest.raises(InvalidRequest, match=message):
        await oidc()


async def test_a_token_for_several_clients_needs_ours_as_the_one_that_asked(oidc: Oidc) -> None:
    oidc.issuer.claims = {"aud": [CLIENT, "another"], "azp": CLIENT}
    await oidc()


async def test_what_the_provider_tells_of_another_user_is_not_used(oidc: Oidc) -> None:
    await oidc.role(bound_claims={"admin": "yes"})
    oidc.issuer.info = {"sub": "bob", "admin": "yes"}
    with pytest.raises(InvalidRequest, match='claim "admin" is missing'):
        await oidc()


async def test_refusals_of_the_provider_are_told(oidc: Oidc) -> None:
    back = await oidc.browse(await oidc.begin())
    with pytest.raises(InvalidRequest, match="access_denied not today"):
        await oidc.end(state=back["state"], error="access_denied", error_description="not today")
    back = await oidc.browse(await oidc.begin())
    with pytest.raises(InvalidRequest, match=r"Error exchanging oidc code: .* 400: invalid_grant"):
        await oidc.end(state=back["state"], code="made up")
    back = await oidc.browse(await oidc.begin())
    with pytest.raises(InvalidRequest, match="No code or id_token received"):
        await oidc.end(state=back["state"])
    await oidc.configure(oidc_client_secret="wrong")
    with pytest.raises(InvalidRequest, match="invalid_client"):
        await oidc()


@pytest.mark.parametrize(
    ("types", "kept"), [pytest.param("code", "code", id="a_code"), pytest.param("id_token", "id_token", id="a_token")]
)
async def test_answers_can_be_posted(oidc: Oidc, types: str, kept: str) -> None:
    await oidc.configure(oidc_response_mode="form_post", oidc_response_types=types)
    form = await oidc.browse(await oidc.begin())
    assert kept in form
    page = await oidc.mounted.ask("update", "oidc/callback", form)
    assert page.raw is not None
    assert f"callback?state={form['state']}" in page.raw.body.decode()
    assert (await oidc.end(state=form["state"])).display_name == "ann"
    with pytest.raises(InvalidRequest, match="Expired or missing OAuth state"):
        await oidc.mounted.ask("update", "oidc/callback", form)


@pytest.mark.parametrize(
    ("uri", "fits"),
    [
        pytest.param("https://vault.example/ui/cb", True, id="to_the_letter"),
        pytest.param("https://vault.example:444/ui/cb", False, id="another_port"),
        pytest.param("https://vault.example/ui/cb?x=1", False, id="more_query"),
        pytest.param("https://vault.example.evil/ui/cb", False, id="another_host"),
        pytest.param("http://localhost:9999/oidc/callback", True, id="any_port_of_loopback"),
        pytest.param("http://127.0.0.1:9999/oidc/callback", False, id="another_name_of_loopback"),
        pytest.param("http://localhost:9999/other", False, id="another_path"),
        pytest.param("http://localhost@evil/oidc/callback", False, id="a_user_that_looks_like_a_host"),
        pytest.param("http://[::1", False, id="no_address"),
    ],
)
def test_redirects(uri: str, fits: bool) -> None:
    assert allowed_redirect(uri, ("https://vault.example/ui/cb", HERE)) is fits


async def test_what_a_login_at_the_provider_needs(oidc: Oidc) -> None:
    assert await oidc.begin(redirect_uri="http://evil") == ""
    with pytest.raises(InvalidRequest, match="missing redirect_uri"):
        await oidc.begin(redirect_uri="")
    with pytest.raises(InvalidRequest, match='role "none" could not be found'):
        await oidc.begin(role="none")
    await oidc.mounted.ask("update", "role/j", {"role_type": "jwt", "user_claim": "sub", "bound_subject": "ann"})
    with pytest.raises(InvalidRequest, match="role with jwt role_type is not allowed"):
        await oidc.begin(role="j")
    await oidc.mounted.ask("update", "config", {"jwt_validation_pubkeys": [pem_of(signing_key("first"))]})
    with pytest.raises(InvalidRequest, match="OIDC login is not configured for this mount"):
        await oidc.begin()


@pytest.mark.parametrize(("settings", "tells"), [({}, True), ({"namespace_in_state": False}, False)])
async def test_the_state_tells_the_namespace(oidc: Oidc, settings: dict[str, Any], *, tells: bool) -> None:
    await oidc.configure(**settings)
    await oidc.role()
    body = {"role": "app", "redirect_uri": HERE}
    begun = await oidc.mounted.ask("update", "oidc/auth_url", body, namespace="team/a/")
    assert begun.data is not None
    back = await oidc.browse(begun.data["auth_url"])
    assert back["state"].endswith(",ns=team/a") is tells
    assert (await oidc.end(**back)).display_name == "ann"


# -- where the server hears the provider, and the client polls ------------------------------------------------------


async def beginning(oidc: Oidc, nonce: str = "n") -> dict[str, Any]:
    body = {"role": "app", "redirect_uri": HERE, "client_nonce": nonce}
    response = await oidc.mounted.ask("update", "oidc/auth_url", body, connection=client("10.9.8.7"))
    assert response.data is not None
    return response.data


async def page(oidc: Oidc, query: dict[str, str]) -> str:
    response = await oidc.mounted.ask("read", "oidc/callback", query)
    assert response.raw is not None
    assert response.auth is None
    return response.raw.body.decode()


async def poll(oidc: Oidc, state: str, nonce: str = "n") -> Auth:
    response = await oidc.mounted.ask("update", "oidc/poll", {"state": state, "client_nonce": nonce})
    assert response.auth is not None
    return response.auth


async def pending(oidc: Oidc, state: str) -> None:
    with pytest.raises(InvalidRequest, match=r"\Aauthorization_pending\Z"):
        await poll(oidc, state)


async def test_a_direct_login_is_confirmed_by_the_user_and_polled_by_the_client(oidc: Oidc) -> None:
    await oidc.configure()
    await oidc.role(callback_mode="direct", bound_claims={"team": "blue"})
    oidc.issuer.info = {"team": "blue"}
    begun = await beginning(oidc)
    state = begun["state"]
    assert begun["poll_interval"] == "5"
    await pending(oidc, state)
    back = await oidc.browse(begun["auth_url"])
    asked = await page(oidc, back)
    assert "10.9.8.7" in asked
    await pending(oidc, state)
    confirmation = asked.partition('name="confirmation" value="')[2].partition('"')[0]
    assert "Logged in" in await page(oidc, {"state": state, "confirmation": confirmation})
    assert "Logged in" in await page(oidc, {"state": state})  # the user looks again
    auth = await poll(oidc, state)
    assert (auth.display_name, auth.policies) == ("ann", ("app",))
    with pytest.raises(InvalidRequest, match="Expired or missing OAuth state"):
        await poll(oidc, state)


async def test_a_direct_login_needs_no_confirmation_where_the_role_says_so(oidc: Oidc) -> None:
    await oidc.configure()
    await oidc.role(callback_mode="direct", oidc_disable_confirmation=True, poll_interval=9)
    begun = await beginning(oidc)
    assert begun["poll_interval"] == "9"
    assert "Logged in" in await page(oidc, await oidc.browse(begun["auth_url"]))
    assert (await poll(oidc, begun["state"])).display_name == "ann"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        pytest.param({"confirmation": "guessed"}, "Wrong confirmation", id="a_guessed_confirmation"),
        pytest.param({"error": "access_denied"}, "access_denied", id="a_provider_that_refuses"),
    ],
)
async def test_a_direct_login_that_goes_wrong_is_over(oidc: Oidc, query: dict[str, str], message: str) -> None:
    await oidc.configure()
    await oidc.role(callback_mode="direct")
    state = (await beginning(oidc))["state"]
    with pytest.raises(InvalidRequest, match=message):
        await page(oidc, {"state": state, **query})
    with pytest.raises(InvalidRequest, match="Expired or missing OAuth state"):
        await poll(oidc, state)


async def test_a_direct_login_of_an_unbound_user_is_over(oidc: Oidc) -> None:
    await oidc.configure()
    await oidc.role(callback_mode="direct", oidc_disable_confirmation=True, bound_claims={"team": "blue"})
    begun = await beginning(oidc)
    with pytest.raises(InvalidRequest, match='claim "team" is missing'):
        await page(oidc, await oidc.browse(begun["auth_url"]))
    with pytest.raises(InvalidRequest, match="Expired or missing OAuth state"):
        await poll(oidc, begun["state"])


async def test_another_clients_poll_ends_a_login(oidc: Oidc) -> None:
    await oidc.configure()
    await oidc.role(callback_mode="direct")
    state = (await beginning(oidc))["state"]
    with pytest.raises(InvalidRequest, match="invalid client_nonce"):
        await poll(oidc, state, "other")
    with pytest.raises(InvalidRequest, match="Expired or missing OAuth state"):
        await poll(oidc, state)


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        pytest.param({}, {"user_code": "AB-12"}, id="with_a_code_to_type"),
        pytest.param(
            {"verification_uri_complete": "http://x/go?c=AB-12"}, {"auth_url": "http://x/go?c=AB-12"}, id="whole"
        ),
    ],
)
async def test_a_login_by_another_device(oidc: Oidc, told: dict[str, str], shown: dict[str, str]) -> None:
    await oidc.configure()
    await oidc.role(callback_mode="device")
    oidc.issuer.device, oidc.issuer.device_says = told, "authorization_pending"
    begun = await beginning(oidc)
    assert begun.items() >= {"poll_interval": "2", **shown}.items()
    await pending(oidc, begun["state"])
    oidc.issuer.device_says = ""
    assert (await poll(oidc, begun["state"])).display_name == "ann"
    with pytest.raises(InvalidRequest, match="Expired or missing OAuth state"):
        await poll(oidc, begun["state"])


async def test_a_device_that_the_user_refuses_ends_a_login(oidc: Oidc) -> None:
    await oidc.configure()
    await oidc.role(callback_mode="device")
    oidc.issuer.device_says = "access_denied"
    state = (await beginning(oidc))["state"]
    with pytest.raises(InvalidRequest, match="access_denied"):
        await poll(oidc, state)
    with pytest.raises(InvalidRequest, match="Expired or missing OAuth state"):
        await poll(oidc, state)


async def test_who_polls_must_have_a_nonce(oidc: Oidc) -> None:
    await oidc.configure()
    for mode in ("direct", "device"):
        await oidc.role(callback_mode=mode)
        with pytest.raises(InvalidRequest, match="missing client_nonce"):
            await beginning(oidc, "")
    with pytest.raises(InvalidRequest, match="invalid 'callback_mode': x"):
        await oidc.role(callback_mode="x")
