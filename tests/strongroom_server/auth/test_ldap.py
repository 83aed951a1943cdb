"""Login by LDAP, against OpenLDAP: who is found and bound, which groups count, what goes over the wire."""

import base64
import ipaddress
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from cryptography import x509

from strongroom_server.auth.ldap import Engine
from strongroom_server.auth.ldap.filters import escape_filter, escape_value, group_name, rendered
from strongroom_server.sdk.errors import (
    InvalidCredentials,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    UpstreamError,
)
from strongroom_server.sdk.request import Auth, Operation, Request, Response
from tests.databases import SUFFIX, OpenLDAP, openldap
from tests.strongroom_server.auth import principals
from tests.strongroom_server.auth.authority import Holder, issue
from tests.strongroom_server.fakes import Mounted, client
from tests.strongroom_server.live import Live

USERS, GROUPS = f"ou=people,{SUFFIX}", f"ou=groups,{SUFFIX}"
ODD = 'Some (Odd*) \\ "User", #1'
ODD_DN = f"cn={escape_value(ODD)},{USERS}"
WRONG = "^ldap operation failed: failed to bind as user$"


def entry(dn: str, *lines: str) -> str:
    """Return an entry as LDIF; names may hold any sign (RFC 2849)."""
    return "\n".join([f"dn:: {base64.b64encode(dn.encode()).decode()}", *lines]) + "\n\n"


def text(name: str, value: str) -> str:
    return f"{name}:: {base64.b64encode(value.encode()).decode()}"


def person(dn: str, name: str, *more: str) -> str:
    return entry(dn, "objectClass: inetOrgPerson", text("cn", name), "sn: x", "userPassword: pw", *more)


ENTRIES = "".join([
    entry(SUFFIX, "objectClass: dcObject", "objectClass: organization", "o: x", "dc: example"),
    *(entry(f"ou={ou},{SUFFIX}", "objectClass: organizationalUnit", f"ou: {ou}")
      for ou in ("people", "groups", "open", "twins")),
    person(f"cn=ann,{USERS}", "ann", "uid: ann"),
    person(f"cn=Some.User,{USERS}", "Some.User", "uid: some.user"),
    person(ODD_DN, ODD, text("uid", ODD)),
    person(f"cn=a,ou=twins,{SUFFIX}", "a", "uid: twin"),
    person(f"cn=b,ou=twins,{SUFFIX}", "b", "uid: twin"),
    person(f"cn=reader,{SUFFIX}", "reader"),
    person(f"cn=rotated,{SUFFIX}", "rotated"),
    entry(f"uid=bob,{USERS}", "objectClass: inetOrgPerson", "objectClass: principal", "cn: bob", "sn: x", "uid: bob",
          "userPassword: pw", "userPrincipalName: bob@example.com", f"memberOf: cn=Managers,{GROUPS}"),
    entry(f"cn=dev,{GROUPS}", "objectClass: groupOfNames", "cn: dev", f"member: cn=ann,{USERS}",
          f"member: cn=Some.User,{USERS}", f"member: uid=bob,{USERS}"),
    entry(f"cn=My Group - East,{GROUPS}", "objectClass: groupOfNames", text("member", ODD_DN)),
    entry(f"cn=posix,{GROUPS}", "objectClass: posixGroup", "gidNumber: 1", "memberUid: ann"),
    entry(f"cn=all,{GROUPS}", "objectClass: groupOfNames", f"member: cn=dev,{GROUPS}"),
    entry(f"cn=public,ou=open,{SUFFIX}", "objectClass: groupOfNames", f"member: cn=ann,{USERS}"),
])  # fmt: skip
SEARCH = {"binddn": f"cn=reader,{SUFFIX}", "bindpass": "pw", "userattr": "uid"}


@pytest.fixture(scope="module")
def authority() -> Holder:
    return issue("authority", time.time(), authority=True)


@pytest.fixture(scope="module")
def server(authority: Holder) -> Iterator[OpenLDAP]:
    with openldap(ENTRIES, for_loopback(authority).both) as server:
        yield server


def for_loopback(authority: Holder) -> Holder:
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    return authority.issue("directory", time.time(), extensions=(names,))


class Ldap:
    """The method in front of a directory."""

    def __init__(self, mounted: Mounted, server: OpenLDAP) -> None:
        self.mounted, self.server = mounted, server

    async def configure(self, **settings: Any) -> None:
        await self.mounted.ask("update", "config", BLANK | {"url": self.server.url, "userdn": USERS} | settings)

    async def send(self, username: str, password: str = "pw", address: str = "127.0.0.1") -> Response:
        body = {"password": password}
        request = Request(Operation.UPDATE, f"login/{username}", body, connection=client(address))
        return await self.mounted.engine.handle(request)

    async def __call__(self, username: str, password: str = "pw", **more: Any) -> Auth:
        auth = (await self.send(username, password, **more)).auth
        assert auth is not None
        return auth

    async def renew(self, auth: Auth) -> Auth:
        return await self.mounted.engine.renew_login(auth, Request(Operation.UPDATE, ""))


BLANK = {"binddn": "", "bindpass": "", "userattr": "cn", "groupdn": ""}


@pytest.fixture
async def ldap(server: OpenLDAP) -> AsyncIterator[Ldap]:
    ldap = Ldap(await Mounted(Engine).start(), server)
    await ldap.configure()
    yield ldap
    await ldap.mounted.engine.close()


# -- who is let in --------------------------------------------------------------------------------------------------


async def test_a_user_is_bound_by_a_name_from_the_template(ldap: Ldap) -> None:
    await ldap.configure(token_policies="all", token_ttl="5m", groupdn=GROUPS)
    auth = await ldap("ann")
    assert (auth.policies, auth.ttl, auth.display_name) == (("all",), 300, "ann")
    assert auth.metadata == {"username": "ann"}
    assert auth.alias is not None
    assert (auth.alias.name, auth.alias.metadata) == ("ann", {"name": "ann"})
    assert [alias.name for alias in auth.group_aliases] == ["dev", "posix"]
    assert "pw" not in repr(auth)


async def test_a_user_is_searched_for(ldap: Ldap) -> None:
    await ldap.configure(**SEARCH, groupdn=GROUPS)
    assert [alias.name for alias in (await ldap("bob")).group_aliases] == ["dev"]
    principals = "(&(objectClass=principal)({{ .UserAttr }}={{.Username}}))"
    await ldap.configure(**SEARCH, userdn=SUFFIX, userfilter=principals)
    await ldap("bob")
    with pytest.raises(InvalidRequest, match=WRONG):
        await ldap("ann")


async def test_a_user_may_be_searched_for_without_a_name(ldap: Ldap) -> None:
    await ldap.configure(discoverdn=True, userattr="uid")
    with pytest.raises(InvalidRequest, match=WRONG):  # nobody may read people here without a name
        await ldap("ann")


async def test_principal_names_are_searched_for_and_groups_by_the_users_own_name(ldap: Ldap) -> None:
    await ldap.configure(**SEARCH, upndomain="example.com", groupdn=GROUPS)
    auth = await ldap("bob")
    assert [alias.name for alias in auth.group_aliases] == ["dev"]
    assert auth.alias is not None
    assert auth.alias.name == "bob"


async def test_a_principal_binds_without_a_search(ldap: Ldap) -> None:
    with principals.directory({"ann@example.com": "pw", "a*n@example.com": "pw"}) as server:
        await ldap.configure(url=server.url, upndomain="example.com", groupdn=GROUPS, groupfilter="(m={{.UserDN}})")
        auth = await ldap("ann")
        assert auth.alias is not None
        assert auth.alias.name == "alias"
        assert server.filters == ["userPrincipalName=ann@example.com", "m=cn=ann@example.com,dc=example"]
        await ldap("a*n")
        assert server.filters[2] == "userPrincipalName=a*n@example.com"  # a value, not a pattern
        with pytest.raises(InvalidCredentials):
            await ldap("ann", "no")


@pytest.mark.parametrize("settings", [pytest.param({}, id="by_template"), pytest.param(SEARCH, id="by_search")])
@pytest.mark.parametrize(
    "username",
    [
        pytest.param("ann", id="a_wrong_password"),
        pytest.param("nobody", id="an_unknown_user"),
        pytest.param("*", id="a_star"),
        pytest.param("ann)(cn=*", id="a_filter"),
        pytest.param(f"ann,{USERS}", id="a_name_within_a_name"),
        pytest.param("a\0nn", id="a_zero"),
    ],
)
async def test_those_who_are_not_let_in_hear_the_same(ldap: Ldap, settings: dict[str, Any], username: str) -> None:
    await ldap.configure(**settings)
    password = "no" if username == "ann" else "pw"
    with pytest.raises(InvalidRequest, match=WRONG):
        await ldap(username, password)


async def test_a_wrong_password_counts_and_one_of_two_users_is_nobody(ldap: Ldap) -> None:
    await ldap.configure(**SEARCH)
    with pytest.raises(InvalidCredentials):
        await ldap("ann", "no")
    await ldap.configure(**SEARCH, userdn=SUFFIX)
    with pytest.raises(InvalidRequest, match=WRONG) as caught:
        await ldap("twin")
    assert not isinstance(caught.value, InvalidCredentials)
    assert ldap.mounted.engine.login_name(Request(Operation.UPDATE, "login/Ann")) == "ann"  # type: ignore[attr-defined]


async def test_empty_passwords_are_refused_before_the_server_sees_them(ldap: Ldap) -> None:
    with pytest.raises(InvalidRequest, match="password cannot be of zero length"):
        await ldap("ann", "")
    await ldap.configure(deny_null_bind=False)
    with pytest.raises(InvalidRequest, match="password cannot be of zero length"):
        await ldap("ann", "")


async def test_names_with_signs_that_mean_something(ldap: Ldap) -> None:
    for settings in ({"userattr": "cn"}, SEARCH):
        await ldap.configure(**settings, groupdn=GROUPS)
        await ldap.mounted("update", "groups/My Group - East", policies="east")
        auth = await ldap(ODD)
        assert [alias.name for alias in auth.group_aliases] == ["My Group - East"]
        assert auth.policies == ("east",)
        assert auth.alias is not None
        assert auth.alias.name == ODD


# -- groups and policies --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "user", "groups"),
    [
        pytest.param({}, "ann", ["dev", "posix"], id="members_and_uids"),
        pytest.param({"groupfilter": "(memberUid={{.Username}})"}, "ann", ["posix"], id="a_filter_of_ones_own"),
        pytest.param({"groupfilter": ""}, "ann", [], id="no_filter"),
        pytest.param({"groupfilter": "(member={{.UserDN}})", "groupattr": "entryDN"}, "ann", ["dev"], id="by_name"),
        pytest.param({"groupfilter": "(member={{.UserDN}})", "groupattr": "none"}, "ann", ["dev"], id="no_such_attr"),
        pytest.param({"groupdn": USERS, "groupfilter": "(uid={{.Username}})", "groupattr": "memberOf"}, "bob",
                     ["Managers"], id="of_the_users_entry"),
        pytest.param({"max_page_size": 1}, "ann", ["dev", "posix"], id="a_page_at_a_time"),
        pytest.param({"groupdn": f"ou=none,{SUFFIX}"}, "ann", [], id="groups_that_are_nowhere"),
        pytest.param({"groupdn": f"ou=open,{SUFFIX}", "anonymous_group_search": True}, "ann", ["public"],
                     id="without_a_name"),
        pytest.param({"anonymous_group_search": True}, "ann", [], id="without_a_name_where_none_may"),
    ],
)  # fmt: skip
async def test_groups(ldap: Ldap, settings: dict[str, Any], user: str, groups: list[str]) -> None:
    await ldap.configure(**({**SEARCH, "groupdn": GROUPS} | settings))
    response = await ldap.send(user)
    assert response.auth is not None
    assert [alias.name for alias in response.auth.group_aliases] == groups
    assert bool(response.warnings) is not bool(groups)


async def test_policies_come_from_groups_and_users(ldap: Ldap) -> None:
    await ldap.configure(**SEARCH, groupdn=GROUPS, token_policies="all")
    await ldap.mounted("update", "groups/DEV", policies="Dev,x")
    await ldap.mounted("update", "groups/local", policies="local")
    await ldap.mounted("update", "users/ANN", policies="own", groups="local,more")
    auth = await ldap("ann")
    assert auth.policies == ("all", "dev", "local", "own", "x")
    assert [alias.name for alias in auth.group_aliases] == ["dev", "posix", "local", "more"]


async def test_case_of_names(ldap: Ldap) -> None:
    await ldap.configure(**SEARCH)
    await ldap.mounted("update", "users/Some.User", policies="some")
    for settings in ({}, {"username_as_alias": True}):
        await ldap.configure(**SEARCH, **settings)
        for name in ("some.user", "Some.User", " some.user "):  # to the directory they are one, so they are to us
            auth = await ldap(name)
            assert (auth.policies, auth.metadata["username"]) == (("some",), "some.user")
            assert auth.alias is not None
            assert auth.alias.name == auth.display_name == "some.user"
            login = Request(Operation.UPDATE, f"login/{name}", {})
            assert ldap.mounted.engine.login_name(login) == "some.user"
    await ldap.configure(**SEARCH, case_sensitive_names=True)
    assert (await ldap("Some.User")).policies == ()
    await ldap.mounted("update", "users/Some.User", policies="exact")
    assert (await ldap("Some.User")).policies == ("exact",)
    assert (await ldap("some.user")).policies == ("some",)


async def test_users_and_groups_are_kept_under_any_name(ldap: Ldap) -> None:
    mounted = ldap.mounted
    await mounted("update", "users/a/b c", policies="P", groups="g1,g2")
    await mounted("update", "groups/Ops, East", policies="p")
    assert await mounted.data("users/A/b c") == {"policies": ("p",), "groups": "g1,g2"}
    assert await mounted.data("groups/ops, east") == {"policies": ("p",)}
    assert (await mounted.keys("users"), await mounted.keys("groups")) == (["a/b c"], ["ops, east"])
    await mounted("delete", "users/a/b c")
    await mounted("delete", "groups/Ops, East")
    for path in ("users/a/b c", "groups/ops, east"):
        with pytest.raises(NotFound):
            await mounted.data(path)
    for path in ("users", "groups"):
        with pytest.raises(NotFound):
            await mounted.keys(path)


async def test_networks(ldap: Ldap) -> None:
    await ldap.configure(token_bound_cidrs="10.0.0.0/8")
    with pytest.raises(PermissionDenied):
        await ldap("ann")
    with pytest.raises(InvalidRequest, match=WRONG):
        await ldap("ann", "no")
    await ldap("ann", address="10.0.0.1")


async def test_renewal_asks_the_directory_again(ldap: Ldap) -> None:
    await ldap.configure(**SEARCH, groupdn=GROUPS)
    await ldap.mounted("update", "groups/dev", policies="dev")
    auth = await ldap("ann")
    await ldap.mounted("update", "config", token_ttl="1h")
    renewed = await ldap.renew(auth)
    assert (renewed.ttl, [alias.name for alias in renewed.group_aliases]) == (3600, ["dev", "posix"])
    await ldap.mounted("update", "groups/posix", policies="more")
    with pytest.raises(InvalidRequest, match="policies have changed"):
        await ldap.renew(auth)
    auth.internal = {"password": "no longer"}
    with pytest.raises(InvalidRequest, match=WRONG):
        await ldap.renew(auth)


# -- the wire -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [pytest.param("ldaps", id="tls_at_once"), pytest.param("starttls", id="starttls")])
async def test_tls(ldap: Ldap, authority: Holder, way: str) -> None:
    wire = {"url": ldap.server.secure_url} if way == "ldaps" else {"starttls": True}
    await ldap.configure(**wire, certificate=authority.pem)
    await ldap("ann")
    await ldap.configure(**wire, certificate=authority.pem, tls_max_version="tls13", tls_min_version="tls13")
    await ldap("ann")
    await ldap.configure(**wire, certificate="", insecure_tls=True)
    await ldap("ann")
    await ldap.configure(**wire, certificate="", insecure_tls=False)
    with pytest.raises(UpstreamError):
        await ldap("ann")
    elsewhere = ldap.server.secure_url if way == "ldaps" else ldap.server.url
    await ldap.configure(**wire | {"url": elsewhere.replace("127.0.0.1", "localhost")}, certificate=authority.pem)
    with pytest.raises(UpstreamError):  # its certificate is for another name
        await ldap("ann")


async def test_a_certificate_is_shown_where_the_server_asks_for_one(ldap: Ldap, authority: Holder) -> None:
    shown = authority.issue("vault", time.time())
    with openldap(ENTRIES, for_loopback(authority).both, authority.pem) as strict:
        wire = {"url": strict.secure_url, "certificate": authority.pem}
        await ldap.configure(**wire)
        with pytest.raises(UpstreamError):
            await ldap("ann")
        await ldap.configure(**wire, client_tls_cert=shown.pem, client_tls_key=shown.key_pem)
        await ldap("ann")


async def test_the_next_server_is_tried(ldap: Ldap) -> None:
    await ldap.configure(url=f"ldap://127.0.0.1:1, {ldap.server.url}")
    await ldap("ann")
    await ldap.configure(url="ldap://127.0.0.1:1")
    with pytest.raises(UpstreamError, match="the LDAP server cannot be asked"):
        await ldap("ann")


async def test_a_wrong_binddn_is_no_users_fault(ldap: Ldap) -> None:
    await ldap.configure(**SEARCH | {"bindpass": "wrong"})
    with pytest.raises(UpstreamError, match="failed to bind with binddn"):
        await ldap("ann")


async def test_the_password_of_binddn_can_be_changed(ldap: Ldap) -> None:
    with pytest.raises(InvalidRequest, match="no root to rotate"):
        await ldap.mounted("update", "config/rotate-root")
    settings = SEARCH | {"binddn": f"cn=rotated,{SUFFIX}"}
    await ldap.configure(**settings | {"bindpass": "wrong"})
    with pytest.raises(UpstreamError, match="failed to bind with binddn"):
        await ldap.mounted("update", "config/rotate-root")
    await ldap.configure(**settings)
    await ldap.mounted("update", "config/rotate-root")
    await ldap("ann")
    await ldap.configure(**settings)
    with pytest.raises(UpstreamError, match="failed to bind with binddn"):  # the old password is no longer good
        await ldap("ann")


# -- configuration --------------------------------------------------------------------------------------------------


async def test_config_has_defaults_and_keeps_what_is_not_given(server: OpenLDAP) -> None:
    mounted = await Mounted(Engine).start()
    data = await mounted.data("config")
    assert (data["url"], data["userattr"], data["request_timeout"]) == ("ldap://127.0.0.1", "cn", 90)
    assert data["deny_null_bind"] is True
    assert not {"bindpass", "client_tls_key", "client_tls_cert"} & data.keys()
    with pytest.raises(InvalidRequest, match="ldap backend not configured"):
        await mounted("update", "login/ann", password="pw")
    await mounted("update", "config", url="LDAP://Host", binddn="cn=x", bindpass="secret", token_ttl=5)
    await mounted("update", "config", userattr="uid")
    data = await mounted.data("config")
    assert (data["url"], data["binddn"], data["userattr"], data["token_ttl"]) == ("ldap://host", "cn=x", "uid", 5)
    await mounted.engine.close()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param({"url": "http://x"}, "invalid 'url'", id="no_ldap"),
        pytest.param({"url": "ldap://x,junk"}, "invalid 'url'", id="one_of_two"),
        pytest.param({"url": "ldap://x:y"}, "invalid 'url'", id="no_port"),
        pytest.param({"tls_min_version": "cats"}, "invalid 'tls_min_version'", id="an_unknown_version"),
        pytest.param({"tls_min_version": "tls13"}, "greater than or equal", id="versions_upside_down"),
        pytest.param({"certificate": "junk"}, "failed to parse server tls cert", id="no_certificate"),
        pytest.param({"client_tls_cert": "x"}, "both client_tls_cert and client_tls_key", id="a_certificate_alone"),
        pytest.param({"client_tls_key": "x"}, "both client_tls_cert and client_tls_key", id="a_key_alone"),
        pytest.param({"client_tls_cert": "x", "client_tls_key": "x"}, "failed to parse client", id="nonsense"),
        pytest.param({"userfilter": "({{.UserDN}})"}, "userfilter: unknown variable", id="an_unknown_variable"),
        pytest.param({"groupfilter": "({{if .X}})"}, "groupfilter: only variables", id="more_than_a_variable"),
        pytest.param({"dereference_aliases": "x"}, "invalid 'dereference_aliases'", id="an_unknown_way"),
        pytest.param({"request_timeout": "x"}, "request_timeout", id="no_duration"),
    ],
)
async def test_configurations_that_cannot_work(ldap: Ldap, body: dict[str, Any], message: str) -> None:
    before = await ldap.mounted.data("config")
    with pytest.raises(InvalidRequest, match=message):
        await ldap.mounted.ask("update", "config", body)
    assert await ldap.mounted.data("config") == before


# -- texts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "escaped"),
    [
        pytest.param("a*b", "a\\2ab", id="a_star"),
        pytest.param("(a)", "\\28a\\29", id="parentheses"),
        pytest.param("a\\b", "a\\5cb", id="a_backslash"),
        pytest.param("a\0", "a\\00", id="a_zero"),
        pytest.param("ü, =", "ü, =", id="others_stay"),
    ],
)
def test_values_in_filters(raw: str, escaped: str) -> None:
    assert escape_filter(raw) == escaped
    assert rendered("(&(a={{.X}})(b={{ .X }}))", {"X": raw}) == f"(&(a={escaped})(b={escaped}))"


@pytest.mark.parametrize(
    ("raw", "escaped"),
    [
        pytest.param('a,b+c"d\\e<f>g;h=i', 'a\\,b\\+c\\"d\\\\e\\<f\\>g\\;h\\=i', id="signs"),
        pytest.param("#a", "\\#a", id="a_hash_first"),
        pytest.param(" a ", "\\ a\\ ", id="blanks_at_the_ends"),
        pytest.param(" ", "\\ ", id="a_blank_alone"),
        pytest.param("a # b", "a # b", id="within_they_stay"),
        pytest.param("a\0b", "a\\00b", id="a_zero"),
    ],
)
def test_values_in_names(raw: str, escaped: str) -> None:
    assert escape_value(raw) == escaped
    assert group_name(f"cn={escaped},dc=x") == raw


@pytest.mark.parametrize(
    ("dn", "name"),
    [
        pytest.param("cn=My Group,ou=x", "My Group", id="a_name"),
        pytest.param("ou=x,CN=second", "second", id="not_the_first_part"),
        pytest.param("uid=a+cn=b,dc=x", "b", id="one_of_several"),
        pytest.param("cn=a\\2cb\\c3\\bc,dc=x", "a,bü", id="in_hex"),
        pytest.param("ou=x,dc=y", "ou=x,dc=y", id="no_common_name"),
        pytest.param("plain", "plain", id="no_dn"),
        pytest.param("a, b", "a, b", id="a_text_with_a_comma"),
    ],
)
def test_group_names(dn: str, name: str) -> None:
    assert group_name(dn) == name


def test_group_names_of_old() -> None:
    assert group_name("cn=a,CN=b", exact_case=True) == "b"


async def test_logins_reach_identity(live: Live, server: OpenLDAP) -> None:
    assert (await live.post("sys/auth/ldap", {"type": "ldap"})).status == 204
    config = {"url": server.url, "userdn": USERS, "groupdn": GROUPS, **SEARCH, "token_ttl": 60}
    assert (await live.post("auth/ldap/config", config)).status == 204
    assert (await live.post("auth/ldap/groups/dev", {"policies": "dev"})).status == 204
    answer = await live.post("auth/ldap/login/ann", {"password": "pw"}, token="")
    assert answer.status == 200
    assert (answer.auth["policies"], answer.auth["metadata"]) == (["default", "dev"], {"username": "ann"})
    live.token = answer.auth["client_token"]
    assert (await live.post("auth/token/renew-self", {})).status == 200
    assert "pw" not in str((await live.get("auth/token/lookup-self")).body)
