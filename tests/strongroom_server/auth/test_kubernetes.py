import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from strongroom_server.auth.kubernetes import Engine, selectors
from strongroom_server.lib.globs import fits
from strongroom_server.sdk.errors import InvalidRequest, NotFound, PermissionDenied, RequestError, UpstreamError
from strongroom_server.sdk.request import Auth
from tests.strongroom_server.auth.cluster import ISSUER, REVIEWER, Cluster, pem_of, signing_key
from tests.strongroom_server.fakes import Mounted, client

ROLE = {
    "bound_service_account_names": "app-*",
    "bound_service_account_namespaces": "team-a,team-b",
    "audience": "vault",
    "token_policies": "app",
    "token_ttl": "20m",
}


class Login:
    """The method in front of a cluster."""

    def __init__(self, mounted: Mounted, cluster: Cluster) -> None:
        self.mounted = mounted
        self.cluster = cluster

    async def configure(self, **settings: Any) -> None:
        given = {"kubernetes_host": self.cluster.host, "kubernetes_ca_cert": self.cluster.ca,
                 "token_reviewer_jwt": REVIEWER, "disable_local_ca_jwt": True} | settings  # fmt: skip
        await self.mounted.ask("update", "config", given)

    async def role(self, name: str = "app", **settings: Any) -> None:
        await self.mounted.ask("update", f"role/{name}", ROLE | settings)

    async def __call__(self, token: str, role: str = "app", address: str = "127.0.0.1") -> Auth:
        body = {"role": role, "jwt": token}
        response = await self.mounted.ask("update", "login", body, connection=client(address))
        assert response.auth is not None
        return response.auth


@pytest.fixture
async def login(tmp_path: Path) -> AsyncIterator[Login]:
    class InPod(Engine):
        account = tmp_path

    mounted = await Mounted(InPod).start()
    async with Cluster(mounted.clock.now) as cluster:
        login = Login(mounted, cluster)
        await login.configure()
        await login.role()
        yield login
        await mounted.engine.close()


def keys_by_discovery(cluster: Cluster) -> dict[str, Any]:
    return {"verification": "issuer_keys"}


def keys_by_pem(cluster: Cluster) -> dict[str, Any]:
    return {"verification": "issuer_keys", "pem_keys": [pem_of(signing_key("first"))], "issuer": ISSUER}


def review(cluster: Cluster) -> dict[str, Any]:
    return {}


def review_and_pem(cluster: Cluster) -> dict[str, Any]:
    return {"pem_keys": [pem_of(signing_key("first"))]}


EVERY_WAY = pytest.mark.parametrize("way", [review, review_and_pem, keys_by_discovery, keys_by_pem])


# -- who gets in ----------------------------------------------------------------------------------------------------


@EVERY_WAY
async def test_a_pod_gets_the_roles_token(login: Login, way: Any) -> None:
    await login.configure(**way(login.cluster))
    auth = await login(login.cluster.token())
    facts = {
        "service_account_name": "app-1",
        "service_account_namespace": "team-a",
        "service_account_secret_name": "",
        "service_account_uid": "uid-app-1",
    }
    assert (auth.policies, auth.ttl, auth.display_name) == (("app",), 1200, "team-a-app-1")
    assert auth.metadata == facts | {"role": "app"}
    assert auth.alias is not None
    assert (auth.alias.name, auth.alias.metadata) == ("uid-app-1", facts)


async def test_the_alias_can_be_the_accounts_name(login: Login) -> None:
    await login.role(alias_name_source="serviceaccount_name")
    auth = await login(login.cluster.token())
    assert auth.alias is not None
    assert auth.alias.name == "team-a/app-1"


async def test_tokens_of_the_old_kind_are_reviewed_too(login: Login) -> None:
    await login.role(audience="")
    auth = await login(login.cluster.legacy_token())
    assert auth.metadata["service_account_secret_name"] == "app-1-token"
    assert login.cluster.reviews == [{"token": login.cluster.legacy_token()}]


async def test_without_an_audience_of_the_role_the_tokens_own_are_asked_for(login: Login) -> None:
    await login.role(audience="")
    token = login.cluster.token(aud=["some-app", "other"])
    await login(token)
    assert login.cluster.reviews == [{"token": token, "audiences": ["some-app", "other"]}]


async def test_annotations_go_to_the_identity(login: Login) -> None:
    prefix = "vault.hashicorp.com/alias-metadata-"
    login.cluster.annotations = {prefix + "team": "blue", prefix + "service_account_name": "root", "other": "x"}
    await login.configure(use_annotations_as_alias_metadata=True)
    auth = await login(login.cluster.token())
    assert auth.alias is not None
    assert (auth.alias.metadata["team"], auth.alias.metadata["service_account_name"]) == ("blue", "app-1")
    assert not {"other", "team"} & set(auth.metadata)


async def test_the_roles_audience_is_asked_for(login: Login) -> None:
    token = login.cluster.token(aud=["vault", "other"])
    await login(token)
    assert login.cluster.reviews == [{"token": token, "audiences": ["vault"]}]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"name": "web"}, "service account name not authorized", id="another_name"),
        pytest.param({"namespace": "team-z"}, "namespace not authorized", id="another_namespace"),
        pytest.param({"aud": [ISSUER]}, r"invalid audience \(aud\) claim", id="another_audience"),
        pytest.param({"aud": None}, r"invalid audience \(aud\) claim", id="no_audience"),
        pytest.param({"exp": 1_600_000_000}, "token is expired", id="expired"),
        pytest.param({"exp": "soon"}, "token is expired", id="an_end_that_is_no_number"),
        pytest.param({"nbf": 1_800_000_000}, "token not yet valid", id="not_yet_valid"),
        pytest.param({"kid": "other"}, "permission denied", id="signed_by_somebody_else"),
        pytest.param({"sub": "system:serviceaccount:team-a:app-2"}, "permission denied", id="two_names_in_one"),
        pytest.param({"kubernetes.io": None}, "permission denied", id="no_service_account"),
        pytest.param({"kubernetes.io": {"namespace": "team-a", "serviceaccount": {"name": "app-1", "uid": ""}}},
                     "permission denied", id="no_uid"),
    ],
)  # fmt: skip
@EVERY_WAY
async def test_others_are_refused(login: Login, way: Any, change: dict[str, Any], message: str) -> None:
    await login.configure(**way(login.cluster))
    with pytest.raises(PermissionDenied, match=message):
        await login(login.cluster.token(**change))


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("x", id="no_jwt"),
        pytest.param("a.b.c", id="no_json"),
        pytest.param("eyJhbGciOiJub25lIn0.W10.", id="claims_that_are_a_list"),
        pytest.param("eyJhbGciOiJub25lIn0." + "W1tb" * 40_000 + ".", id="deep_claims"),
    ],
)
async def test_what_is_no_token_is_refused(login: Login, token: str) -> None:
    with pytest.raises(PermissionDenied, match=r"^permission denied$"):
        await login(token)
    assert login.cluster.reviews == []


@EVERY_WAY
async def test_a_signature_by_none_or_by_the_public_key_as_a_secret_is_refused(login: Login, way: Any) -> None:
    await login.configure(**way(login.cluster))
    claims = jwt.decode(login.cluster.token(), options={"verify_signature": False})
    for token in (jwt.encode(claims, "", algorithm="none"), jwt.encode(claims, "s" * 64, algorithm="HS256")):
        with pytest.raises(PermissionDenied, match=r"^permission denied$"):
            await login(token)


@pytest.mark.parametrize("names", ["*", "app-1", "*-1", "a*1", "web,app-1"])
async def test_names_may_hold_wildcards(login: Login, names: str) -> None:
    await login.role(bound_service_account_names=names, bound_service_account_namespaces="*")
    await login(login.cluster.token())


def test_only_the_star_is_special() -> None:
    assert not fits(["app-?", "app-[12]", "APP-1", "app"], "app-1")
    assert fits(["a.b*"], "a.bc")
    assert not fits(["a.b*"], "axbc")


async def test_networks_bind_the_login(login: Login) -> None:
    await login.role(token_bound_cidrs="10.0.0.0/8")
    await login(login.cluster.token(), address="10.1.1.1")
    with pytest.raises(PermissionDenied):
        await login(login.cluster.token(), address="11.1.1.1")


@pytest.mark.parametrize(
    "selector",
    [
        pytest.param('{"matchLabels": {"secrets": "yes"}}', id="in_json"),
        pytest.param("matchLabels:\n  secrets: 'yes'", id="in_yaml"),
    ],
)
async def test_a_namespace_may_be_chosen_by_its_labels(login: Login, selector: str) -> None:
    login.cluster.namespaces = {"team-x": {"secrets": "yes"}, "team-y": {"secrets": "no"}}
    await login.role(bound_service_account_namespace_selector=selector)
    await login(login.cluster.token(namespace="team-x"))
    await login(login.cluster.token(namespace="team-a"))
    for namespace in ("team-y", "team-none"):
        with pytest.raises(PermissionDenied, match="namespace not authorized"):
            await login(login.cluster.token(namespace=namespace))


# -- review ---------------------------------------------------------------------------------------------------------


async def test_a_herd_with_one_token_is_one_review(login: Login) -> None:
    token = login.cluster.token()
    await asyncio.gather(*(login(token) for _ in range(50)))
    assert len(login.cluster.reviews) == 1


async def test_an_answer_is_forgotten_after_a_minute(login: Login) -> None:
    token = login.cluster.token()
    await login(token)
    login.cluster.gone.add("app-1")
    await login.mounted.clock.advance(59)
    await login(token)
    await login.mounted.clock.advance(2)
    with pytest.raises(PermissionDenied):
        await login(token)


async def test_an_answer_is_never_kept_beyond_the_tokens_end(login: Login) -> None:
    token = login.cluster.token(exp=int(login.mounted.clock.now()) + 20)
    await login(token)
    await login.mounted.clock.advance(21)
    with pytest.raises(PermissionDenied):
        await login(token)
    assert len(login.cluster.reviews) == 2


async def test_a_refusal_is_kept_for_a_moment_only(login: Login) -> None:
    login.cluster.gone.add("app-1")
    token = login.cluster.token()
    for _ in range(3):
        with pytest.raises(PermissionDenied):
            await login(token)
    assert len(login.cluster.reviews) == 1
    login.cluster.gone.clear()
    await login.mounted.clock.advance(6)
    await login(token)


async def test_answers_for_one_audience_are_none_for_another(login: Login) -> None:
    await login.role("other", audience="other")
    token = login.cluster.token(aud=["vault", "other"])
    await login(token)
    await login(token, role="other")
    assert [spec["audiences"] for spec in login.cluster.reviews] == [["vault"], ["other"]]


async def test_a_new_configuration_forgets_old_answers(login: Login) -> None:
    token = login.cluster.token()
    await login(token)
    await login.configure()
    await login(token)
    login.mounted.engine.invalidate("config")
    await login(token)
    assert len(login.cluster.reviews) == 3


async def test_an_api_server_that_ignores_audiences_is_not_believed(login: Login) -> None:
    login.cluster.knows_audiences = False
    with pytest.raises(PermissionDenied):
        await login(login.cluster.token())


async def test_an_api_server_in_trouble_is_no_refusal(login: Login) -> None:
    login.cluster.fails_with = 500
    with pytest.raises(UpstreamError, match="500"):
        await login(login.cluster.token())
    login.cluster.fails_with = 0
    await login(login.cluster.token())


async def test_an_api_server_that_is_not_there_or_not_trusted_is_said_to_be_unreachable(login: Login) -> None:
    async with Cluster(login.mounted.clock.now) as other:
        await login.configure(kubernetes_ca_cert=other.ca)
        with pytest.raises(UpstreamError, match="cannot be asked"):
            await login(login.cluster.token())
        host = other.host
    await login.configure(kubernetes_host=host)
    with pytest.raises(UpstreamError, match="cannot be asked"):
        await login(login.cluster.token())


async def test_certificates_that_are_none_are_warned_of_and_let_nobody_in(login: Login) -> None:
    settings = {"kubernetes_host": login.cluster.host, "kubernetes_ca_cert": "bad"}
    answer = await login.mounted("update", "config", **settings)
    assert "no login will succeed" in answer.warnings[0]
    with pytest.raises(UpstreamError, match="cannot be asked"):
        await login(login.cluster.token())


async def test_without_a_reviewer_the_token_speaks_for_itself(login: Login) -> None:
    token = login.cluster.token()
    await login.configure(token_reviewer_jwt="")
    with pytest.raises(PermissionDenied):
        await login(token)
    login.cluster.reviewers.add(token)
    await login(token)


async def test_in_a_pod_its_own_files_are_used_and_followed(login: Login, tmp_path: Path) -> None:
    local = {"kubernetes_ca_cert": "", "token_reviewer_jwt": "", "disable_local_ca_jwt": False}
    with pytest.raises(InvalidRequest, match=r"ca\.crt cannot be read"):
        await login.configure(**local)
    (tmp_path / "ca.crt").write_text(login.cluster.ca)
    (tmp_path / "token").write_text(REVIEWER + "\n")
    await login.configure(**local)
    await login(login.cluster.token())
    login.cluster.reviewers = {"rotated"}
    (tmp_path / "token").write_text("rotated")
    await login(login.cluster.token("app-2"))
    async with Cluster(login.mounted.clock.now) as renewed:
        await login.configure(**local, kubernetes_host=renewed.host)
        (tmp_path / "ca.crt").write_text(renewed.ca)
        (tmp_path / "token").write_text(REVIEWER)
        await login(renewed.token())


# -- keys -----------------------------------------------------------------------------------------------------------


async def test_published_keys_are_fetched_once_and_followed(login: Login) -> None:
    await login.configure(verification="issuer_keys")
    for name in ("app-1", "app-2", "app-3"):
        await login(login.cluster.token(name))
    assert login.cluster.fetched_keys == 1
    login.cluster.kid = "second"
    with pytest.raises(PermissionDenied):  # just fetched: unknown key ids do not make us fetch at once
        await login(login.cluster.token())
    await login.mounted.clock.advance(11)
    await login(login.cluster.token())
    assert (login.cluster.fetched_keys, login.cluster.reviews) == (2, [])


async def test_a_withdrawn_key_is_no_longer_good(login: Login) -> None:
    await login.configure(verification="issuer_keys")
    token = login.cluster.token()
    await login(token)
    login.cluster.kid = "second"
    await login.mounted.clock.advance(301)
    with pytest.raises(PermissionDenied):
        await login(token)


@pytest.mark.parametrize("way", [keys_by_discovery, keys_by_pem])
async def test_where_nobody_is_asked_more_is_demanded_of_a_token(login: Login, way: Any) -> None:
    await login.configure(**way(login.cluster))
    with pytest.raises(PermissionDenied, match="never expires"):
        await login(login.cluster.token(exp=None))
    with pytest.raises(PermissionDenied, match="invalid issuer"):
        await login(login.cluster.token(iss="https://elsewhere"))
    await login.role(audience="")
    with pytest.raises(PermissionDenied, match="invalid audience"):
        await login(login.cluster.token())
    await login(login.cluster.token(aud=[ISSUER]))


async def test_the_issuer_can_be_checked_before_a_review(login: Login) -> None:
    await login.configure(disable_iss_validation=False, issuer=ISSUER)
    await login(login.cluster.token())
    with pytest.raises(PermissionDenied, match="invalid issuer"):
        await login(login.cluster.token(iss="https://elsewhere"))


# -- config and roles -----------------------------------------------------------------------------------------------


async def test_a_read_of_config_keeps_the_reviewers_token_to_itself(login: Login) -> None:
    facts = await login.mounted.data("config")
    assert facts["token_reviewer_jwt_set"] is True
    assert REVIEWER not in str(facts)
    await login.configure(token_reviewer_jwt="")
    assert (await login.mounted.data("config"))["token_reviewer_jwt_set"] is False


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({"kubernetes_host": ""}, "no host provided", id="no_host"),
        pytest.param({"kubernetes_host": "ftp:x"}, "kubernetes_host must be a URL", id="a_host_that_is_none"),
        pytest.param({"kubernetes_ca_cert": ""}, "kubernetes_ca_cert must be given", id="no_certificates_at_all"),
        pytest.param({"pem_keys": ["bad"]}, "pem_keys: number 1", id="a_bad_key"),
        pytest.param({"verification": "none"}, "verification", id="no_such_way"),
    ],
)
async def test_bad_configurations_are_refused_and_change_nothing(
    login: Login, settings: dict[str, Any], message: str
) -> None:
    before = await login.mounted.data("config")
    with pytest.raises(InvalidRequest, match=message):
        await login.configure(**settings)
    assert await login.mounted.data("config") == before


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({"bound_service_account_names": ""}, "names.* can not be empty", id="no_names"),
        pytest.param({"bound_service_account_namespaces": []}, "namespaces.* can not be empty", id="no_namespaces"),
        pytest.param({"bound_service_account_names": "a,*"}, 'can not mix "\\*" with values', id="a_star_among_names"),
        pytest.param({"alias_name_source": "x"}, "invalid alias_name_source", id="no_such_alias"),
        pytest.param({"bound_service_account_namespace_selector": "bad"}, "selector", id="a_selector_that_is_none"),
        pytest.param({"bound_service_account_namespace_selector": "a: [\t"}, "selector", id="a_selector_in_bad_yaml"),
        pytest.param({"bound_service_account_namespace_selector": "{}"}, "selector", id="a_selector_of_everything"),
        pytest.param({"token_ttl": "3h", "token_max_ttl": "1h"}, "token_ttl", id="a_contradiction"),
    ],
)
async def test_bad_roles_are_refused(login: Login, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        await login.role("bad", **settings)
    with pytest.raises(NotFound):
        await login.mounted.data("role/bad")


async def test_a_role_is_shown_as_it_was_written(login: Login) -> None:
    await login.role("UP", policies="p", audience="")
    assert await login.mounted.keys("role") == ["app", "up"]
    facts = await login.mounted.data("role/up")
    assert facts["bound_service_account_names"] == ("app-*",)
    assert facts["alias_name_source"] == "serviceaccount_uid"
    assert "audience" not in facts
    await login.mounted("update", "role/Up", audience="x")
    assert (await login.mounted.data("role/up"))["audience"] == "x"
    await login.mounted("delete", "role/up")
    with pytest.raises(NotFound):
        await login.mounted.data("role/up")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param({}, "missing role", id="nothing"),
        pytest.param({"role": "app"}, "missing jwt", id="no_token"),
        pytest.param({"role": "none", "jwt": "x"}, 'invalid role name "none"', id="no_such_role"),
        pytest.param({"role": ["app"], "jwt": {}}, "role", id="wrong_types"),
    ],
)
async def test_bad_logins_are_told_what_is_wrong(login: Login, body: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        await login.mounted.ask("update", "login", body)


async def test_without_a_configuration_nobody_gets_in() -> None:
    mounted = await Mounted(Engine).start()
    await mounted.ask("update", "role/app", ROLE)
    with pytest.raises(InvalidRequest, match="could not load backend configuration"):
        await mounted("update", "login", role="app", jwt="x")
    with pytest.raises(NotFound):
        await mounted("read", "config")


async def test_renewal_asks_the_role_again(login: Login) -> None:
    auth = await login(login.cluster.token())
    request: Any = None
    await login.mounted("update", "role/app", token_ttl="1h")
    assert (await login.mounted.engine.renew_login(auth, request)).ttl == 3600
    await login.mounted("delete", "role/app")
    with pytest.raises(InvalidRequest, match="role 'app' does not exist"):
        await login.mounted.engine.renew_login(auth, request)


async def test_no_token_is_kept_or_told(login: Login, caplog: pytest.LogCaptureFixture) -> None:
    token = login.cluster.token()
    login.cluster.fails_with = 503
    with pytest.raises(RequestError) as error:
        await login(token)
    login.cluster.fails_with = 0
    login.cluster.reviewers = set()
    with pytest.raises(RequestError):
        await login(token)
    for secret in (token, REVIEWER):
        assert secret not in caplog.text
        assert secret not in str(error.value)
    assert "503" in caplog.text


@pytest.mark.parametrize(
    ("selector", "labels", "chosen"),
    [
        ({"matchLabels": {"a": "b"}}, {"a": "b", "c": "d"}, True),
        ({"matchLabels": {"a": "b"}}, {}, False),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["b", "c"]}]}, {"a": "c"}, True),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}, {}, False),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["b"]}]}, {}, True),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, {"a": ""}, True),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, {"a": ""}, False),
    ],
)
def test_selectors(selector: dict[str, Any], labels: dict[str, str], chosen: bool) -> None:
    selectors.check(selector)
    assert selectors.matches(selector, labels) is chosen


@pytest.mark.parametrize(
    "selector",
    [
        [], "x", {"labels": {}}, {"matchLabels": {"a": 1}}, {"matchExpressions": [{"key": "a"}]},
        {"matchExpressions": [{"key": "a", "operator": "In"}]},
        {"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]},
    ],
)  # fmt: skip
def test_what_is_no_selector(selector: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        selectors.check(selector)
