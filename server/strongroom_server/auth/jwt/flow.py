"""The authorization code flow (OpenID Connect Core 1.0, section 3.1), as far as it is no I/O.

A login under way is kept in memory under its state; it is good once, and not for long.
"""

import base64
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from strongroom_common.clock import Clock
from strongroom_common.secret import Secret
from strongroom_server.auth.jwt import claims as claims_of
from strongroom_server.sdk.errors import InvalidRequest, Unavailable

if TYPE_CHECKING:
    from strongroom_server.auth.jwt.answers import Told
    from strongroom_server.auth.jwt.keys import Verified
    from strongroom_server.auth.jwt.schemas import AuthUrl, Config, Role

LASTS = 600  # seconds that a user has at the provider
MOST = 10_000  # logins under way at a time
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_FAILED = "Vault login failed."


@dataclass(frozen=True)
class Pending:
    """A login under way.

    ``code`` and ``id_token`` are there once the provider has posted them, ``told`` once they are redeemed for a client
    that polls. ``address`` is where that client is. A login by another device has a ``device_code``, and no ``nonce``.
    """

    role: str
    redirect_uri: str
    client_nonce: Secret[str]
    nonce: str
    verifier: Secret[str]
    ends: float
    code: Secret[str] = Secret("")
    id_token: Secret[str] = Secret("")
    device_code: Secret[str] = Secret("")
    address: str = ""
    confirmation: Secret[str] = Secret("")
    told: "Told | None" = None


class Failed(InvalidRequest):
    """A login that came back from the provider is no good."""


class Logins:
    """All logins under way at a mount."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pending: dict[str, Pending] = {}

    def begin(self, wanted: "AuthUrl", role: str, namespace: str = "", **more: Any) -> tuple[str, Pending]:
        """Return a new login and its state, which tells the namespace to whoever gets the answer.

        ``more`` are further fields of Pending. Raises Unavailable where too many are under way.
        """
        now = self._clock.now()
        if len(self._pending) >= MOST:
            self._pending = {state: one for state, one in self._pending.items() if one.ends > now}
        if len(self._pending) >= MOST:
            raise Unavailable("too many OIDC logins are under way")
        state = _random("st_")
        pending = Pending(
            role, wanted.redirect_uri, wanted.client_nonce, "" if "device_code" in more else _random("n_"),
            Secret(secrets.token_urlsafe(48)), now + LASTS, **more,
        )  # fmt: skip
        self._pending[state] = pending
        return state + (f",ns={namespace}" if namespace else ""), pending

    def keep(self, state: str, **changes: Any) -> None:
        """Keep what has become known until the client fetches it; raises InvalidRequest for no such login."""
        self._pending[state.partition(",")[0]] = replace(self._take(state), **changes)

    def under_way(self, state: str) -> Pending:
        """Return a login; raises InvalidRequest for no such login."""
        self.keep(state)
        return self._pending[state.partition(",")[0]]

    def polled(self, state: str, client_nonce: Secret[str]) -> Pending:
        """Return a login of the client that began it, which goes on; another client's ends it."""
        pending = self.finish(state, client_nonce)
        self._pending[state.partition(",")[0]] = pending
        return pending

    def end(self, state: str) -> None:
        """Forget a login."""
        self._pending.pop(state.partition(",")[0], None)

    def finish(self, state: str, client_nonce: Secret[str]) -> Pending:
        """Return a login, which is no longer under way then.

        Security 1: a state that we did not give out is somebody else's login (RFC 6749, 10.12). Security 2: only the
        client that began may end it, whoever saw the address that the provider sent the user back to.
        """
        pending = self._take(state)
        if not secrets.compare_digest(pending.client_nonce.reveal().encode(), client_nonce.reveal().encode()):
            raise InvalidRequest("invalid client_nonce")
        return pending

    def _take(self, state: str) -> Pending:
        pending = self._pending.pop(state.partition(",")[0], None)
        if pending is None or pending.ends <= self._clock.now():
            raise Failed(f"{_FAILED} Expired or missing OAuth state.")
        return pending


def failed(why: str) -> Failed:
    """Return the refusal of a login that came back from the provider."""
    return Failed(f"{_FAILED} {why}")


def _random(prefix: str) -> str:
    return prefix + secrets.token_urlsafe(24)


def scopes(role: "Role") -> str:
    """Return what is asked for, as one text."""
    return " ".join(dict.fromkeys(("openid", *role.oidc_scopes)))


def allowed_redirect(uri: str, allowed: Sequence[str]) -> bool:
    """Tell whether the provider may send the user to ``uri``.

    Security 3: it must be one that the role names, to the letter (RFC 6749, 3.1.2.3); only on loopback, where a client
    takes the port that is free, may the port differ (RFC 8252, 7.3).
    """
    if uri in allowed:
        return True
    bare = _without_port(uri)
    return bare is not None and any(_without_port(one) == bare for one in allowed)


def _without_port(uri: str) -> tuple[str, ...] | None:
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    if parts.hostname not in _LOOPBACK or "@" in parts.netloc:
        return None
    return parts.scheme, parts.hostname, parts.path, parts.query, parts.fragment


def auth_url(endpoint: str, config: "Config", role: "Role", state: str, pending: Pending) -> str:
    """Return where the user logs in (OpenID Connect Core 1.0, 3.1.2.1; RFC 7636, 4.3)."""
    query = {
        "client_id": config.oidc_client_id,
        "nonce": pending.nonce,
        "redirect_uri": pending.redirect_uri,
        "response_type": " ".join(config.oidc_response_types or ("code",)),
        "scope": scopes(role),
        "state": state,
    }
    if config.wants_code:
        query |= {"code_challenge": _challenge(pending.verifier.reveal()), "code_challenge_method": "S256"}
    if config.oidc_response_mode:
        query["response_mode"] = config.oidc_response_mode
    if role.max_age:
        query["max_age"] = str(role.max_age)
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(sorted(query.items()))}"


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def redemption(pending: Pending, code: str) -> dict[str, str]:
    """Return the form that a code is redeemed with (RFC 6749, 4.1.3; RFC 7636, 4.5)."""
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": pending.redirect_uri,
        "code_verifier": pending.verifier.reveal(),
    }


def device_redemption(config: "Config", pending: Pending) -> dict[str, str]:
    """Return the form that asks whether the user has logged in with another device (RFC 8628, 3.4)."""
    return {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "device_code": pending.device_code.reveal(),
        "client_id": config.oidc_client_id,
    }


def check_id_token(config: "Config", role: "Role", token: "Verified", pending: Pending, now: float) -> None:
    """Refuse an id token that is not the answer to our question (OpenID Connect Core 1.0, 3.1.3.7)."""
    claims = token.claims
    # Security 4 (point 2): it is the provider's own.
    if claims.get("iss") != config.oidc_discovery_url:
        raise failed("Error exchanging oidc code: invalid issuer (iss) claim.")
    # Security 5 (points 3 to 5): it is for us, and where it is for others too, we are the one that asked.
    audiences, party = claims_of.audience(claims), claims.get("azp")
    if config.oidc_client_id not in audiences or (len(audiences) > 1 and party is None):
        raise failed("Error exchanging oidc code: invalid audience (aud) claim.")
    if party not in {None, config.oidc_client_id}:
        raise failed("Error exchanging oidc code: invalid authorized party (azp) claim.")
    if role.bound_audiences and not set(audiences) & set(role.bound_audiences):
        raise failed("Error exchanging oidc code: invalid audience (aud) claim.")
    # Security 6 (points 7 and 8): signed with what was agreed upon.
    if token.algorithm not in (config.jwt_supported_algs or ("RS256",)):
        raise failed("Error exchanging oidc code: token signed with unexpected algorithm.")
    # Security 7 (points 9 and 10): it is of now.
    if claims.get("exp") is None:
        raise failed("Error exchanging oidc code: no expiration time (exp) claim.")
    claims_of.check_times(role, claims, now)
    # Security 8 (point 11): it was made for this very login. What a device code is worth goes to us alone.
    if claims.get("nonce") != pending.nonce and not pending.device_code:
        raise failed("Error exchanging oidc code: invalid nonce.")
    # Security 9 (point 13): the user has been there as lately as the role asks for.
    logged_in = claims.get("auth_time")
    if role.max_age and (not isinstance(logged_in, int | float) or now > logged_in + role.max_age + claims_of.SKEW):
        raise failed("Error exchanging oidc code: invalid auth_time.")
    if role.bound_subject and claims.get("sub") != role.bound_subject:
        raise failed("Error exchanging oidc code: invalid subject (sub) claim.")
