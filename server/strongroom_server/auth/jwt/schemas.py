"""The configuration and the roles of logins by JWT and OpenID Connect (api-docs/auth/jwt)."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Protocol

from strongroom_common.fields import Given, Names, Object, Pairs, Seconds, SignedSeconds, public
from strongroom_common.secret import Secret
from strongroom_server.auth.jwt import policies
from strongroom_server.auth.jwt.answers import TOKENS
from strongroom_server.auth.jwt.keys import ALGORITHMS, public_key
from strongroom_server.lib import tokenparams
from strongroom_server.lib.tokenparams import TokenParams
from strongroom_server.lib.trust import trusting
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.request import Request

JWT, OIDC = "jwt", "oidc"
STRING, GLOB = "string", "glob"
QUERY, FORM_POST = "query", "form_post"
CODE, ID_TOKEN = "code", "id_token"
CLIENT, DIRECT, DEVICE = "client", "direct", "device"
_PROVIDERS = ("azure", "gsuite", "ibmisam", "kubernetes", "secureauth")


@dataclass(frozen=True)
class JwksPair:
    """One of several sources of keys."""

    jwks_url: Annotated[str, "URL of the keys."] = ""
    jwks_ca_pem: Annotated[str, "PEM certificates that this URL's is issued by; else the system's."] = ""


@dataclass(frozen=True)
class Config:
    """Who issues the tokens and how they are known. A write replaces all of it."""

    oidc_discovery_url: Annotated[str, "The issuer's URL, without /.well-known/openid-configuration."] = ""
    oidc_discovery_ca_pem: Annotated[str, "PEM certificates that the issuer's is issued by; else the system's."] = ""
    oidc_client_id: Annotated[str, "Client id at the provider."] = ""
    oidc_client_secret: Annotated[Secret[str], "Client secret at the provider."] = Secret("")
    oidc_response_mode: Annotated[str, 'How the provider answers: "query" or "form_post".'] = ""
    oidc_response_types: Annotated[Names, 'What it answers: "code" (if absent) or "id_token".'] = Names(())
    jwks_url: Annotated[str, "URL of the keys that tokens are signed with."] = ""
    jwks_ca_pem: Annotated[str, "PEM certificates that this URL's is issued by; else the system's."] = ""
    jwks_pairs: Annotated[tuple[JwksPair, ...], "Several such URLs, each with its certificates."] = ()
    override_allowed_server_names: Annotated[
        Names, "Host names of which the provider's certificate must have one, rather than that of its URL."
    ] = Names(())
    jwt_validation_pubkeys: Annotated[Names, "PEM public keys that tokens are signed with."] = Names(())
    bound_issuer: Annotated[str, "Issuer that tokens must name."] = ""
    jwt_supported_algs: Annotated[Names, "Algorithms of signatures; else all with a public key."] = Names(())
    default_role: Annotated[str, "Role of a login that names none."] = ""
    provider_config: Annotated[Object, "What is peculiar to the provider."] = field(default_factory=lambda: Object({}))
    namespace_in_state: Annotated[bool, "Whether the state that a provider gets names the namespace, too."] = True
    skip_jwks_validation: Annotated[bool, "Whether keys that cannot be fetched now are no error."] = False

    @property
    def ca_pem(self) -> str:
        """Return the certificates that the keys' source is known by."""
        return self.jwks_ca_pem if self.jwks_url or self.jwks_pairs else self.oidc_discovery_ca_pem

    @property
    def wants_code(self) -> bool:
        """Tell whether the provider answers with a code that is redeemed for tokens."""
        return CODE in (self.oidc_response_types or (CODE,))

    def facts(self) -> dict[str, Any]:
        """Return what a read of config shows."""
        shown = {name: value for name, value in public(self).items() if name != "skip_jwks_validation"}
        return shown | {"jwks_pairs": [public(pair) for pair in self.jwks_pairs]}


def check_config(config: Config) -> list[str]:
    """Refuse what cannot work, in Vault's words; return warnings."""
    if (config.oidc_client_id != "") != bool(config.oidc_client_secret):
        raise InvalidRequest("both 'oidc_client_id' and 'oidc_client_secret' must be set for OIDC")
    sources = (config.jwt_validation_pubkeys, config.jwks_url, config.jwks_pairs, config.oidc_discovery_url)
    if sum(map(bool, sources)) != 1:
        raise InvalidRequest("exactly one of 'jwt_validation_pubkeys', 'jwks_url' or 'oidc_discovery_url' must be set")
    if config.oidc_client_id and not config.oidc_discovery_url:
        raise InvalidRequest("'oidc_discovery_url' must be set for OIDC")
    _check_ca(config.jwks_ca_pem, "error checking jwks_ca_pem")
    if config.jwks_pairs and config.jwks_ca_pem:
        raise InvalidRequest("only one of 'jwks_ca_pem' and 'jwks_pairs' may be set")
    for pair in config.jwks_pairs:
        if not pair.jwks_url:
            raise InvalidRequest("each of 'jwks_pairs' must have a 'jwks_url'")
        _check_ca(pair.jwks_ca_pem, "error checking jwks_ca_pem")
    _check_ca(
        config.oidc_discovery_ca_pem, "error checking oidc discovery URL: could not parse CA PEM value successfully"
    )
    for pem in config.jwt_validation_pubkeys:
        try:
            public_key(pem)
        except ValueError:
            raise InvalidRequest("error parsing public key: data does not contain any valid public keys") from None
    for name in config.jwt_supported_algs:
        if name not in ALGORITHMS:
            raise InvalidRequest(f'invalid jwt_supported_algs: unsupported signing algorithm "{name}"')
    _check_responses(config)
    return _check_provider(config.provider_config)


def _check_ca(pem: str, words: str) -> None:
    try:
        if pem:
            trusting(pem)
    except ValueError:
        raise InvalidRequest(words) from None


def _check_responses(config: Config) -> None:
    mode, types = config.oidc_response_mode, config.oidc_response_types
    if mode not in {"", QUERY, FORM_POST}:
        raise InvalidRequest(f'invalid response_mode: "{mode}"')
    if set(types) - {CODE, ID_TOKEN}:
        raise InvalidRequest(f"invalid response_types [{' '.join(types)}]. 'code' and 'id_token' are allowed")
    if ID_TOKEN in types and mode != FORM_POST:
        raise InvalidRequest("query response_mode may not be used with an id_token response_type")


def _check_provider(settings: Object) -> list[str]:
    if not settings:
        return []
    provider = settings.get("provider")
    if provider is None:
        raise InvalidRequest("invalid provider_config: 'provider' field not found in provider_config")
    if provider not in _PROVIDERS:
        raise InvalidRequest(f'invalid provider_config: provider "{provider}" not found in custom providers')
    return ["provider_config is kept; groups that the token does not hold are not asked for at the provider"]


class Bounds(Protocol):
    """What roles of both kinds ask of a token."""

    @property
    def bound_audiences(self) -> Sequence[str]:
        """Audiences of which a token must name one."""
        ...

    @property
    def bound_subject(self) -> str:
        """The subject that a token must name, if any."""
        ...

    @property
    def expiration_leeway(self) -> int:
        """Seconds that a token without exp lives."""
        ...

    @property
    def not_before_leeway(self) -> int:
        """Seconds that a token is good before exp, if it says no beginning."""
        ...

    @property
    def clock_skew_leeway(self) -> int:
        """Seconds that clocks may differ."""
        ...


@dataclass(frozen=True)
class Role(TokenParams):
    """Which tokens may log in, and what they get."""

    role_type: Annotated[str, '"jwt" takes a token, "oidc" sends the user to the provider.'] = OIDC
    allowed_redirect_uris: Annotated[Names, "Where the provider may send the user back to."] = Names(())
    bound_audiences: Annotated[Names, "Audiences of which a token must name one."] = Names(())
    bound_subject: Annotated[str, "Subject that a token must name."] = ""
    bound_claims: Annotated[Object | None, "Claims that a token must have: a value, or one of a list."] = None
    bound_claims_type: Annotated[str, 'Whether these are compared as "string" or "glob".'] = STRING
    user_claim: Annotated[str, "Claim that names the user."] = ""
    user_claim_json_pointer: Annotated[bool, "Whether user_claim is a JSON pointer."] = False
    groups_claim: Annotated[str, "Claim that names the user's groups."] = ""
    claim_mappings: Annotated[Pairs | None, "Claims that become metadata, and its names."] = None
    oidc_scopes: Annotated[Names, 'Scopes to ask for besides "openid".'] = Names(())
    verbose_oidc_logging: Annotated[bool, "Whether claims are logged at level debug."] = False
    expiration_leeway: Annotated[SignedSeconds, "How long a token without exp lives; 0 is 150, less is none."] = (
        SignedSeconds(0)
    )
    not_before_leeway: Annotated[SignedSeconds, "How long before exp a token begins that says neither; 0 is 150."] = (
        SignedSeconds(0)
    )
    clock_skew_leeway: Annotated[SignedSeconds, "How far clocks may differ; 0 is 60, less is none."] = SignedSeconds(0)
    callback_mode: Annotated[str, 'Who hears the provider: "client", "direct" (we do), "device" (we ask it).'] = CLIENT
    poll_interval: Annotated[Seconds, "How often a client asks after a login that we hear of; 0 is 5."] = Seconds(0)
    oidc_disable_confirmation: Annotated[bool, "Whether a direct login is not confirmed in the browser."] = False
    max_age: Annotated[Seconds, "How long ago the user may have logged in at the provider."] = Seconds(0)
    oauth2_metadata: Annotated[
        Names, 'Tokens of the provider that the login\'s metadata has: "access_token", "id_token", "refresh_token".'
    ] = Names(())
    token_policies_template_claims: Annotated[
        bool, "Whether names of token_policies have claims filled in, as in app-{{.sub}}; empty ones are left out."
    ] = False


_CHOSEN_EACH_TIME = frozenset({"role_type", "bound_claims_type"})


def changed_role(given: Given[Role], stored: Role | None, request: Request) -> Role:
    """Return the role after a write; what is in ``_CHOSEN_EACH_TIME`` goes back to its default unless sent."""
    every_time = Given(given.value, given.sent | _CHOSEN_EACH_TIME)
    role = tokenparams.updated(every_time, stored, request)
    if role.token_policies_template_claims:  # names of claims are taken as they are
        role = replace(role, token_policies=given.over(stored).token_policies)
    role = replace(role, role_type=role.role_type or OIDC, bound_claims_type=role.bound_claims_type or STRING)
    _check_role(role)
    return role


def _check_role(role: Role) -> None:
    if role.role_type not in {JWT, OIDC}:
        raise InvalidRequest(f"invalid 'role_type': {role.role_type}")
    if role.callback_mode not in {CLIENT, DIRECT, DEVICE}:
        raise InvalidRequest(f"invalid 'callback_mode': {role.callback_mode}")
    if role.role_type == OIDC and not role.allowed_redirect_uris:
        raise InvalidRequest("'allowed_redirect_uris' must be set if 'role_type' is 'oidc' or unspecified.")
    for name in role.oauth2_metadata:
        if name not in TOKENS:
            raise InvalidRequest(f"Unrecognized oauth2 metadata name {name}")
    if role.token_policies_template_claims:
        policies.check(role.token_policies)
    if not role.user_claim:
        raise InvalidRequest("a user claim must be defined on the role")
    # Security 1: a role that binds nothing would let in whoever has any token of the issuer.
    bound = role.bound_audiences or role.bound_subject or role.bound_claims or role.token_bound_cidrs
    if role.role_type == JWT and not bound:
        raise InvalidRequest("must have at least one bound constraint when creating/updating a role")
    _check_claims(role)


def _check_claims(role: Role) -> None:
    if role.bound_claims_type not in {STRING, GLOB}:
        raise InvalidRequest(f"invalid 'bound_claims_type': {role.bound_claims_type}")
    if role.bound_claims_type == GLOB:
        for value in (role.bound_claims or {}).values():
            for one in value if isinstance(value, list) else [value]:
                if not isinstance(one, str):
                    raise InvalidRequest(f"claim is not a string: {one}")
    seen = set()
    for name in (role.claim_mappings or {}).values():
        if name == "role":
            raise InvalidRequest('metadata key "role" is reserved and may not be a mapping destination')
        if name in seen:
            raise InvalidRequest(f'multiple keys are mapped to metadata key "{name}"')
        seen.add(name)


def role_warnings(role: Role) -> list[str]:
    """Return what a write warns of."""
    if not role.verbose_oidc_logging:
        return []
    return [
        "verbose_oidc_logging has been enabled for this role. This is not recommended in production since sensitive "
        "information may be present in OIDC responses."
    ]


_NONE_IF_EMPTY = (
    "allowed_redirect_uris",
    "bound_audiences",
    "bound_claims",
    "claim_mappings",
    "oauth2_metadata",
    "oidc_scopes",
)


def role_facts(role: Role) -> dict[str, Any]:
    """Return what a read of a role shows."""
    facts = tokenparams.shown(role)
    if not role.poll_interval:
        del facts["poll_interval"]
    return facts | {name: facts[name] or None for name in _NONE_IF_EMPTY}


@dataclass(frozen=True)
class Login:
    """Body of a login."""

    role: Annotated[str, "Role to log in with."] = ""
    jwt: Annotated[Secret[str], "The signed token."] = Secret("")


@dataclass(frozen=True)
class AuthUrl:
    """Body of a call for the provider's address."""

    role: Annotated[str, "Role to log in with."] = ""
    redirect_uri: Annotated[str, "Where the provider sends the user back to."] = ""
    client_nonce: Annotated[Secret[str], "Made up by the client, which shows it again with the answer."] = Secret("")


@dataclass(frozen=True)
class Callback:
    """What the provider sends back, and the client's nonce."""

    state: Annotated[Secret[str], "Names the login under way."] = Secret("")
    code: Annotated[Secret[str], "Code to redeem at the provider."] = Secret("")
    id_token: Annotated[Secret[str], "Id token, where that is the answer."] = Secret("")
    client_nonce: Annotated[Secret[str], "The client's nonce of the first call."] = Secret("")
    error: Annotated[str, "Why the provider refuses."] = ""
    error_description: Annotated[str, "The same in more words."] = ""
    error_uri: Annotated[str, "Where more of it can be read."] = ""
    confirmation: Annotated[Secret[str], "What the page that asks the user sends on."] = Secret("")


@dataclass(frozen=True)
class Poll:
    """What a client asks after its login with."""

    state: Annotated[Secret[str], "Names the login under way."] = Secret("")
    client_nonce: Annotated[Secret[str], "The client's nonce of the first call."] = Secret("")
