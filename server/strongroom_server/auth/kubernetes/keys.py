"""Tokens checked here by the issuer's keys: those of the configuration, or those that the API server publishes.

The discovery document names the issuer; the keys are fetched from the API server itself (``/openid/v1/jwks``), not from
the address in the document, which may lie outside of the cluster.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from strongroom_server.lib.x509 import load_public_key
from strongroom_server.sdk.errors import PermissionDenied, UpstreamError

if TYPE_CHECKING:
    from strongroom_server.auth.kubernetes.api import ApiServer
    from strongroom_server.auth.kubernetes.schemas import Config

PublicKey = RSAPublicKey | EllipticCurvePublicKey
# Security 1: only signatures by public keys; neither "none" nor a MAC, which would take a public key for a secret
# (RFC 8725, 3.1).
ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512")
FRESH = 300  # seconds that fetched keys are good for
AGAIN = 10  # seconds before an unknown key id makes us fetch again


def public_key(pem: str) -> PublicKey:
    """Return the RSA or EC key of a PEM public key or certificate; raises ValueError."""
    key = load_public_key(pem)
    if not isinstance(key, PublicKey):
        raise ValueError("neither RSA nor EC")
    return key


def check_signature(token: str, keys: Sequence[Any]) -> None:
    """Raise PermissionDenied unless one of ``keys`` made the signature; the claims are not looked at."""
    for key in keys:
        try:
            jwt.PyJWS().decode_complete(token, key, algorithms=ALGORITHMS)
        except (jwt.PyJWTError, TypeError, ValueError):  # the latter: a key of the wrong kind for the algorithm
            continue
        return
    raise PermissionDenied


@dataclass(frozen=True)
class Published:
    """What the API server publishes."""

    issuer: str
    keys: tuple[jwt.PyJWK, ...]
    fetched: float

    def for_token(self, token: str) -> list[jwt.PyJWK]:
        """Return the keys that the token's key id allows; without an id all are tried."""
        try:
            kid = jwt.get_unverified_header(token).get("kid")
        except jwt.PyJWTError:
            raise PermissionDenied from None
        return [key for key in self.keys if kid is None or key.key_id == kid]


class IssuerKeys:
    """Keeps the published keys and follows their rotation."""

    def __init__(self, api: "ApiServer") -> None:
        self._api = api
        self._published: Published | None = None

    def forget(self) -> None:
        """Fetch anew next time."""
        self._published = None

    async def verify(self, config: "Config", token: str, now: float) -> str:
        """Return the issuer's name ("" where nobody says it) if the signature is good; raises PermissionDenied."""
        if config.pem_keys:
            check_signature(token, [public_key(pem) for pem in config.pem_keys])
            return config.issuer
        published = self._published
        if published is None or now - published.fetched > FRESH:
            published = await self._fetch(config, token, now)
        keys = published.for_token(token)
        if not keys and now - published.fetched > AGAIN:
            published = await self._fetch(config, token, now)
            keys = published.for_token(token)
        check_signature(token, [key.key for key in keys])
        return config.issuer or published.issuer

    async def _fetch(self, config: "Config", token: str, now: float) -> Published:
        document = await self._api.get(config, "/.well-known/openid-configuration", token)
        keys = await self._api.get(config, "/openid/v1/jwks", token)
        try:
            found = jwt.PyJWKSet.from_dict(keys).keys
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError) as error:
            raise UpstreamError("the Kubernetes API server publishes no usable keys") from error
        self._published = Published(str(document.get("issuer", "")), tuple(found), now)
        return self._published
