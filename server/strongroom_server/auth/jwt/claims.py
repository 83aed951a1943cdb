"""What a token with a good signature says, and whether a role lets that in: pure.

The words of the refusals are Vault's. A claim is named by its key, or by a JSON pointer ("/realm_access/roles").
"""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from strongroom_common.jsonx import Number
from strongroom_server.auth.jwt.schemas import GLOB
from strongroom_server.lib.globs import fits
from strongroom_server.sdk.errors import InvalidRequest

if TYPE_CHECKING:
    from strongroom_server.auth.jwt.keys import Verified
    from strongroom_server.auth.jwt.schemas import Bounds, Config, Role

SKEW = 60  # seconds that clocks may differ
LEEWAY = 150  # seconds for a token that does not say when it begins or ends
Claims = Mapping[str, Any]


def find(claims: Claims, name: str) -> Any:
    """Return the claim of that name, or None; a name that begins with a slash is a JSON pointer (RFC 6901)."""
    if not name.startswith("/"):
        return claims.get(name)
    value: Any = claims
    for part in name[1:].split("/"):
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and key.isascii() and key.isdigit() and int(key[:9]) < len(value):
            value = value[int(key[:9])]
        else:
            return None
    return value


def check_token(config: "Config", role: "Bounds", token: "Verified", now: float) -> None:
    """Refuse a token that is not of the issuer, for the role, and of now."""
    claims = token.claims
    # Security 1: only algorithms that the configuration has (RFC 8725, 3.1).
    if config.jwt_supported_algs and token.algorithm not in config.jwt_supported_algs:
        raise _invalid("invalid algorithm (alg) header parameter: token signed with unexpected algorithm")
    # Security 2: a token of another issuer is refused (RFC 7519, 4.1.1).
    if config.bound_issuer and claims.get("iss") != config.bound_issuer:
        raise _invalid("invalid issuer (iss) claim")
    # Security 3: a token about somebody else is refused (RFC 7519, 4.1.2).
    if role.bound_subject and claims.get("sub") != role.bound_subject:
        raise _invalid("invalid subject (sub) claim")
    # Security 4: a token that was made for somebody else is refused (RFC 7519, 4.1.3; RFC 8725, 3.9).
    audiences = audience(claims)
    if role.bound_audiences and not set(audiences) & set(role.bound_audiences):
        raise _invalid("invalid audience (aud) claim: audience claim does not match any expected audience")
    check_times(role, claims, now)


def check_addressed(role: "Bounds", token: "Verified") -> None:
    """Refuse a token that is for somebody while the role does not say who."""
    if audience(token.claims) and not role.bound_audiences:
        raise InvalidRequest("audience claim found in JWT but no audiences bound to the role")


def audience(claims: Claims) -> Sequence[str]:
    """Return whom a token is for; raises InvalidRequest for what names nobody."""
    given = claims.get("aud")
    listed = [] if given is None else given if isinstance(given, list) else [given]
    if not all(isinstance(one, str) for one in listed):
        raise _invalid("invalid audience (aud) claim: expected a string or a list of strings")
    return listed


def check_times(role: "Bounds", claims: Claims, now: float) -> None:
    """Security 5: a token outside of its time is refused (RFC 7519, 4.1.4 to 4.1.6).

    What of "exp" and "nbf" is missing is reckoned from what is there, as Vault does; one of the three must be.
    """
    issued, begins, expires = (_moment(claims, name) for name in ("iat", "nbf", "exp"))
    if not (issued or begins or expires):
        raise _invalid("no issued at (iat), not before (nbf), or expiration time (exp) claims in token")
    expires = expires or max(issued, begins) + _or_default(role.expiration_leeway, LEEWAY)
    begins = begins or issued or expires - _or_default(role.not_before_leeway, LEEWAY)
    skew = _or_default(role.clock_skew_leeway, SKEW)
    if now - skew > expires:
        raise _invalid("invalid expiration time (exp) claim: token is expired")
    if now + skew < begins:
        raise _invalid("invalid not before (nbf) claim: token not yet valid")
    if now + skew < issued:
        raise _invalid("invalid issued at (iat) claim: token issued in the future")


def _moment(claims: Claims, name: str) -> float:
    value = claims.get(name)
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _invalid(f"invalid {name} claim: expected a number")
    return float(value)


def _or_default(leeway: int, default: int) -> int:
    return max(leeway, 0) if leeway else default


def _invalid(why: str) -> InvalidRequest:
    return InvalidRequest(f"error validating token: {why}")


def check_bound_claims(role: "Role", claims: Claims) -> None:
    """Security 6: each bound claim must be there with one of the values that the role names."""
    for name, bound in (role.bound_claims or {}).items():
        actual = find(claims, name)
        if actual is None:
            raise InvalidRequest(f'error validating claims: claim "{name}" is missing')
        wanted, given = _values("bound", bound), _values("received", actual)
        globs = role.bound_claims_type == GLOB
        if not any(_same(want, one, globs=globs) for want in wanted for one in given):
            raise InvalidRequest(
                f'error validating claims: claim "{name}" does not match any associated bound claim values'
            )


def _values(whose: str, value: Any) -> list[Any]:
    if value is None or isinstance(value, dict):
        raise InvalidRequest(f"error validating claims: {whose} claim is not a string, bool, int or list")
    return value if isinstance(value, list) else [value]


def _same(wanted: Any, given: Any, *, globs: bool) -> bool:
    """Tell whether two values are one: "1", 1 and true are three; numbers are compared by what they are worth."""
    if globs:
        return isinstance(given, str) and fits([str(wanted)], given)
    if _is_number(wanted) and _is_number(given):
        return float(wanted) == float(given)
    return type(wanted) is type(given) and bool(wanted == given)


def _is_number(value: Any) -> bool:
    """Tell whether a value is a number: of a token, or (``jsonx.Number``) of a request."""
    return isinstance(value, int | float | Number) and not isinstance(value, bool)


def user(role: "Role", claims: Claims) -> str:
    """Return the name of the user; raises InvalidRequest where the token has none."""
    value = find(claims, role.user_claim) if role.user_claim_json_pointer else claims.get(role.user_claim)
    if value is None:
        raise InvalidRequest(f'claim "{role.user_claim}" not found in token')
    if not isinstance(value, str):
        raise InvalidRequest(f'claim "{role.user_claim}" could not be converted to string')
    if not value:
        raise InvalidRequest(f'claim "{role.user_claim}" is empty')
    return value


def groups(role: "Role", claims: Claims) -> list[str]:
    """Return the names of the user's groups; raises InvalidRequest where the role's claim holds none."""
    if not role.groups_claim:
        return []
    value = find(claims, role.groups_claim)
    if value is None:
        raise InvalidRequest(f'failed to fetch groups: "{role.groups_claim}" claim not found in token')
    if isinstance(value, dict):
        raise InvalidRequest(f'"{role.groups_claim}" claim could not be converted to string list')
    listed = value if isinstance(value, list) else [value]
    for one in listed:
        if not isinstance(one, str):
            raise InvalidRequest(f"value {one} in groups claim could not be parsed as string")
    return [one for one in listed if one]


def metadata(role: "Role", claims: Claims) -> dict[str, str]:
    """Return the mapped claims as texts; what is no string is printed as JSON has it."""
    found = {name: find(claims, claim) for claim, name in (role.claim_mappings or {}).items()}
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in found.items()
        if value is not None
    }
