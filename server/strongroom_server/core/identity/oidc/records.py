"""The kinds of records that an OpenID provider is made of (HTTP API, "OIDC identity provider")."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

from strongroom_common.fields import Names, Seconds
from strongroom_common.secret import Secret
from strongroom_server.core.identity.oidc.keyring import DEFAULT

if TYPE_CHECKING:
    from strongroom_server.core.server import Server

EVERYBODY = "*"
ALLOW_ALL = "allow_all"
PUBLIC, CONFIDENTIAL = "public", "confidential"
_DAY = Seconds(86_400)


@dataclass(frozen=True)
class Role:
    """What identity tokens of a role are."""

    key: Annotated[str, "Named key that signs."] = ""
    template: Annotated[str, "Claims to add: JSON with directives, plain or in base64."] = ""
    ttl: Annotated[Seconds, "Lifetime of the tokens."] = _DAY
    client_id: Annotated[str, "Audience of the tokens; made up where left out."] = ""


@dataclass(frozen=True)
class Assignment:
    """Who may log in to the clients that name it: entities, and members of groups."""

    entity_ids: Annotated[Names, 'Ids of entities; "*" is everybody.'] = Names(())
    group_ids: Annotated[Names, 'Ids of groups; "*" is everybody in any group.'] = Names(())


@dataclass(frozen=True)
class Scope:
    """Claims that a client may ask for."""

    template: Annotated[str, "Claims: JSON with directives, plain or in base64."] = ""
    description: Annotated[str, "What the scope is for."] = ""


@dataclass(frozen=True)
class Client:
    """A relying party. ``client_id`` and ``client_secret`` are made here; a public client has no secret."""

    redirect_uris: Annotated[Names, "Addresses that the client may be sent back to."] = Names(())
    assignments: Annotated[Names, "Assignments that say who may log in; allow_all is everybody."] = Names(())
    key: Annotated[str, "Named key that signs the client's tokens; cannot be changed."] = DEFAULT
    id_token_ttl: Annotated[Seconds, "Lifetime of id tokens."] = _DAY
    access_token_ttl: Annotated[Seconds, "Lifetime of access tokens."] = _DAY
    client_type: Annotated[str, "confidential or public; cannot be changed."] = CONFIDENTIAL
    authorization_code: Annotated[bool, "Whether people may log in by the authorization code flow."] = True
    client_credentials: Annotated[bool, "Whether the client may get tokens for itself (RFC 6749, 4.4)."] = False


@dataclass(frozen=True)
class KnownClient:
    """A client as stored."""

    settings: Client
    client_id: str
    client_secret: Secret[str]

    @property
    def public(self) -> bool:
        """Whether it cannot keep a secret (RFC 6749, 2.1)."""
        return self.settings.client_type == PUBLIC


@dataclass(frozen=True)
class Provider:
    """An issuer of its own, for some clients."""

    issuer: Annotated[str, "Scheme, host and port of its address; the server's API address if empty."] = ""
    allowed_client_ids: Annotated[Names, 'Client ids that may use the provider; "*" is all.'] = Names(())
    scopes_supported: Annotated[Names, "Scopes that clients may ask for, beside openid."] = Names(())

    def allows(self, client_id: str) -> bool:
        """Say whether a client may use the provider."""
        return EVERYBODY in self.allowed_client_ids or client_id in self.allowed_client_ids


def base_of(server: "Server", issuer: str) -> str:
    """Return scheme, host and port that tokens name: those of ``issuer``, or the server's own."""
    return (issuer or server.options.api_addr).rstrip("/")


def issuer_of(server: "Server", name: str, provider: Provider) -> str:
    """Return the issuer that a provider's tokens name."""
    return f"{base_of(server, provider.issuer)}/v1/{server.path}identity/oidc/provider/{name}"


def tidy(names: Iterable[str]) -> Names:
    """Return names in order, once each."""
    return Names(tuple(sorted(set(names))))


ASSIGNMENTS: Mapping[str, Assignment] = MappingProxyType(
    {ALLOW_ALL: Assignment(Names((EVERYBODY,)), Names((EVERYBODY,)))}
)
PROVIDERS: Mapping[str, Provider] = MappingProxyType({DEFAULT: Provider(allowed_client_ids=Names((EVERYBODY,)))})
