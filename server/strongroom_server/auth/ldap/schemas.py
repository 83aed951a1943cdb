"""The configuration of logins by LDAP, and what users and groups get (api-docs/auth/ldap)."""

from dataclasses import dataclass, replace
from typing import Annotated, Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from strongroom_common.fields import Given, Names, Seconds
from strongroom_common.secret import Secret
from strongroom_server.auth.ldap.filters import rendered
from strongroom_server.lib import tokenparams
from strongroom_server.lib.tokenparams import TokenParams
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.request import Request

TLS_VERSIONS = ("tls10", "tls11", "tls12", "tls13")
DEREFERENCES = ("never", "finding", "searching", "always")
USER_VARIABLES = ("UserAttr", "Username")
GROUP_VARIABLES = ("UserDN", "Username")


@dataclass(frozen=True)
class Config(TokenParams):
    """Where the directory is, how users and groups are found in it, and what every token gets."""

    url: Annotated[str, "URLs of the directory's servers, tried in turn: ldap://host or ldaps://host."] = (
        "ldap://127.0.0.1"
    )
    starttls: Annotated[bool, "Whether a connection to ldap:// turns to TLS at once."] = False
    insecure_tls: Annotated[bool, "Whether the server's certificate is not checked."] = False
    certificate: Annotated[str, "PEM certificates that the server's is issued by; else the system's."] = ""
    client_tls_cert: Annotated[str, "PEM certificate to show to the server."] = ""
    client_tls_key: Annotated[Secret[str], "PEM key of this certificate."] = Secret("")
    tls_min_version: Annotated[str, 'Oldest TLS: "tls10", "tls11", "tls12" or "tls13".'] = "tls12"
    tls_max_version: Annotated[str, "Newest TLS."] = "tls12"
    binddn: Annotated[str, "Name to search with; else users are bound without a search."] = ""
    bindpass: Annotated[Secret[str], "Password of this name."] = Secret("")
    userdn: Annotated[str, "Where users are."] = ""
    userattr: Annotated[str, "Attribute that names a user."] = "cn"
    userfilter: Annotated[str, "Filter that finds a user, with {{.UserAttr}} and {{.Username}}."] = (
        "({{.UserAttr}}={{.Username}})"
    )
    upndomain: Annotated[str, "Domain of user principal names (name@domain) to bind with."] = ""
    discoverdn: Annotated[bool, "Whether a user is searched for without binddn too."] = False
    deny_null_bind: Annotated[bool, "Kept; an empty password is always refused."] = True
    groupdn: Annotated[str, "Where groups are; without it none are searched for."] = ""
    groupfilter: Annotated[str, "Filter that finds a user's groups, with {{.UserDN}} and {{.Username}}."] = (
        "(|(memberUid={{.Username}})(member={{.UserDN}})(uniqueMember={{.UserDN}}))"
    )
    groupattr: Annotated[str, "Attribute of what is found that names a group."] = "cn"
    anonymous_group_search: Annotated[bool, "Whether groups are searched for without a name."] = False
    use_token_groups: Annotated[bool, "Kept; groups are found by groupfilter."] = False
    use_pre111_group_cn_behavior: Annotated[bool, 'Whether "cn=" in lower case names no group, as before 1.1.1.'] = (
        False
    )
    case_sensitive_names: Annotated[bool, "Whether users and groups here differ by case."] = False
    username_as_alias: Annotated[bool, "Whether the identity is named as the user logs in, not by userattr."] = False
    request_timeout: Annotated[Seconds, "How long an answer may take."] = Seconds(90)
    connection_timeout: Annotated[Seconds, "How long a connection may take."] = Seconds(30)
    dereference_aliases: Annotated[str, "When aliases are followed: " + ", ".join(DEREFERENCES) + "."] = "never"
    max_page_size: Annotated[int, "If above 0, searches ask for pages of so many entries."] = 0
    password_policy: Annotated[str, "Policy of the passwords that rotate-root makes."] = ""

    @property
    def urls(self) -> list[str]:
        """Return the servers in order."""
        return [url.strip() for url in self.url.split(",") if url.strip()]

    @property
    def searches_for_users(self) -> bool:
        """Tell whether a user's name in the directory is searched for, and not made from the template."""
        return self.discoverdn or bool(self.binddn and self.bindpass)


def changed_config(given: Given[Config], stored: Config | None, request: Request) -> Config:
    """Return the configuration after a write of a part; raises InvalidRequest for what cannot work."""
    config = tokenparams.updated(given, stored, request)
    config = replace(config, tls_min_version=config.tls_min_version or "tls12", url=config.url.lower() or Config.url)
    _check_addresses(config)
    _check_tls(config)
    for field, names in (("userfilter", USER_VARIABLES), ("groupfilter", GROUP_VARIABLES)):
        try:
            rendered(getattr(config, field), dict.fromkeys(names, ""))
        except ValueError as error:
            raise InvalidRequest(f"{field}: {error}") from None
    if config.dereference_aliases not in DEREFERENCES:
        raise InvalidRequest(f"invalid 'dereference_aliases': expected one of {', '.join(DEREFERENCES)}")
    return config


def _check_addresses(config: Config) -> None:
    for url in config.urls or [""]:
        try:
            parts = urlsplit(url)
            good = parts.scheme in {"ldap", "ldaps"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            good = False
        if not good:
            raise InvalidRequest("invalid 'url': expected ldap://host or ldaps://host, with a port or without")


def _check_tls(config: Config) -> None:
    for field in ("tls_min_version", "tls_max_version"):
        if getattr(config, field) not in TLS_VERSIONS:
            raise InvalidRequest(f"invalid '{field}'")
    if TLS_VERSIONS.index(config.tls_max_version) < TLS_VERSIONS.index(config.tls_min_version):
        raise InvalidRequest("'tls_max_version' must be greater than or equal to 'tls_min_version'")
    try:
        if config.certificate:
            x509.load_pem_x509_certificates(config.certificate.encode())
    except ValueError:
        raise InvalidRequest("failed to parse server tls cert: expected certificates in PEM form") from None
    if bool(config.client_tls_cert) != bool(config.client_tls_key):
        raise InvalidRequest("both client_tls_cert and client_tls_key must be set")
    try:
        if config.client_tls_cert:
            x509.load_pem_x509_certificate(config.client_tls_cert.encode())
            load_pem_private_key(config.client_tls_key.reveal().encode(), None)
    except (TypeError, ValueError):
        raise InvalidRequest("failed to parse client X509 key pair: expected both in PEM form") from None


def config_facts(config: Config) -> dict[str, Any]:
    """Return what a read of config shows."""
    return {name: value for name, value in tokenparams.shown(config).items() if name != "client_tls_cert"}


@dataclass(frozen=True)
class User:
    """What a user gets beside what the groups of the directory give."""

    policies: Annotated[Names, "Policies of the user's tokens."] = Names(())
    groups: Annotated[Names, "Groups besides those of the directory."] = Names(())


@dataclass(frozen=True)
class Group:
    """What the members of a group get."""

    policies: Annotated[Names, "Policies of the members' tokens."] = Names(())


@dataclass(frozen=True)
class Login:
    """Body of a login."""

    password: Annotated[Secret[str], "Password of the user."] = Secret("")
