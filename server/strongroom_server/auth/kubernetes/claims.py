"""What a service account's token says, and whether a role lets that in: pure.

Everything here can only refuse: that the claims are true is for ``review`` or ``keys`` to find out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jwt

from strongroom_server.lib.globs import fits
from strongroom_server.sdk.errors import PermissionDenied

LEEWAY = 60  # seconds that clocks may differ
_LEGACY = "kubernetes.io/serviceaccount/"
_OLD_ISSUER = "kubernetes/serviceaccount"


@dataclass(frozen=True)
class Account:
    """A service account. ``secret`` is the Secret that holds a token of the old kind."""

    namespace: str
    name: str
    uid: str
    secret: str = ""

    @property
    def username(self) -> str:
        """Return the name that Kubernetes authenticates it under."""
        return f"system:serviceaccount:{self.namespace}:{self.name}"


def unverified(token: str) -> dict[str, Any]:
    """Return the claims of a token whose signature nobody has looked at; raises PermissionDenied for no JWT."""
    try:
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except (jwt.InvalidTokenError, ValueError, RecursionError):
        raise PermissionDenied from None
    return claims


def account(claims: Mapping[str, Any]) -> Account:
    """Return whose token it is: of the projected kind, or of the old one; raises PermissionDenied for another's."""
    projected = claims.get("kubernetes.io")
    if isinstance(projected, dict) and isinstance(projected.get("serviceaccount"), dict):
        owner = projected["serviceaccount"]
        found = Account(str(projected.get("namespace", "")), str(owner.get("name", "")), str(owner.get("uid", "")))
    else:
        found = Account(
            str(claims.get(_LEGACY + "namespace", "")),
            str(claims.get(_LEGACY + "service-account.name", "")),
            str(claims.get(_LEGACY + "service-account.uid", "")),
            str(claims.get(_LEGACY + "secret.name", "")),
        )
    if not (found.namespace and found.name and found.uid) or claims.get("sub") != found.username:
        raise PermissionDenied
    return found


def check_times(claims: Mapping[str, Any], now: float) -> None:
    """Security 1: a token outside of its time is refused (RFC 7519, 4.1.4 and 4.1.5)."""
    expires, begins = claims.get("exp"), claims.get("nbf")
    if expires is not None and (not isinstance(expires, int | float) or now > expires + LEEWAY):
        raise PermissionDenied("invalid expiration time (exp) claim: token is expired")
    if begins is not None and (not isinstance(begins, int | float) or now < begins - LEEWAY):
        raise PermissionDenied("invalid not before (nbf) claim: token not yet valid")


def check_issuer(claims: Mapping[str, Any], issuer: str) -> None:
    """Security 2: a token of another issuer is refused (RFC 7519, 4.1.1)."""
    if claims.get("iss") != (issuer or _OLD_ISSUER):
        raise PermissionDenied("invalid issuer (iss) claim")


def check_audience(claims: Mapping[str, Any], audience: str) -> None:
    """Security 3: a token that was made for somebody else is refused (RFC 7519, 4.1.3)."""
    if audience not in audiences_of(claims):
        raise PermissionDenied("invalid audience (aud) claim: audience claim does not match any expected audience")


def audiences_of(claims: Mapping[str, Any]) -> list[str]:
    """Return whom a token was made for: nobody in particular for one of the old kind."""
    given = claims.get("aud") or []
    return [str(one) for one in (given if isinstance(given, list) else [given])]


def check_name(names: Sequence[str], name: str) -> None:
    """Security 4: a service account that the role does not name is refused."""
    if not fits(names, name):
        raise PermissionDenied("service account name not authorized")


def check_locally(claims: Mapping[str, Any], issuer: str, audience: str) -> None:
    """Security 5: where no API server is asked, a token must end some day, name its issuer and be for us.

    Without an audience of the role's own it must be for the API server, whose default audience is the issuer's name.
    """
    if "exp" not in claims:
        raise PermissionDenied("invalid expiration time (exp) claim: token never expires")
    if issuer:
        check_issuer(claims, issuer)
    check_audience(claims, audience or issuer)


def annotated(owner: Mapping[str, Any]) -> dict[str, str]:
    """Return the metadata that a service account's annotations hold for its identity."""
    found = owner.get("metadata", {}).get("annotations") or {}
    prefix = "vault.hashicorp.com/alias-metadata-"
    return {name.removeprefix(prefix): str(value) for name, value in found.items() if name.startswith(prefix)}
