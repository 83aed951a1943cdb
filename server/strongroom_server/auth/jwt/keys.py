"""Signatures of tokens, by keys of the configuration or keys that the issuer publishes and changes as it likes."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from strongroom_common.clock import Clock
from strongroom_server.lib.x509 import load_public_key
from strongroom_server.sdk.errors import InvalidRequest, UpstreamError

if TYPE_CHECKING:
    from strongroom_server.auth.jwt.provider import Provider
    from strongroom_server.auth.jwt.schemas import Config

PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey
# Security 1: only signatures by public keys; neither "none" nor a MAC, which would take a public key for a secret
# (RFC 8725, 3.1).
ALGORITHMS = (
    "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "EdDSA",
)  # fmt: skip
FRESH = 600  # seconds that fetched keys are good for
AGAIN = 1  # seconds before a token that no key fits, or a failure, makes us fetch again
_UNKNOWN = "error verifying token signature: no known key successfully validated the token signature"


@dataclass(frozen=True)
class Verified:
    """A token whose signature is good. Its claims may still be about anybody."""

    algorithm: str
    claims: Mapping[str, Any]


@lru_cache(maxsize=256)
def public_key(pem: str) -> PublicKey:
    """Return the key of a PEM public key or certificate; raises ValueError."""
    key = load_public_key(pem)
    if not isinstance(key, PublicKey):
        raise ValueError("neither RSA nor EC nor Ed25519")
    return key


def published_keys(listed: Sequence[Any]) -> list[jwt.PyJWK]:
    """Return the keys of a JWK set that can verify signatures; others are passed over (RFC 7517, section 5)."""
    found = []
    for one in listed:
        if not isinstance(one, dict) or one.get("use", "sig") != "sig":  # 4.2: a key for encryption signs nothing
            continue
        try:
            found.append(jwt.PyJWK(one))
        except (jwt.PyJWTError, ValueError, TypeError, KeyError):
            continue
    return [key for key in found if isinstance(key.key, PublicKey)]


class Keys:
    """Verifies tokens, and follows the issuer's keys."""

    def __init__(self, provider: "Provider", clock: Clock) -> None:
        self._provider = provider
        self._clock = clock
        self._fetching = asyncio.Lock()
        self._config: Config | None = None
        self._published: tuple[jwt.PyJWK, ...] = ()
        self._fetched = self._tried = 0.0

    def forget(self) -> None:
        """Fetch anew next time."""
        self._config = None

    async def check(self, config: "Config") -> None:
        """Raise InvalidRequest where keys cannot be had."""
        if config.jwt_validation_pubkeys:
            return
        where = "oidc discovery URL" if config.oidc_discovery_url else "jwks URL"
        try:
            await self._provider.keys(config)
        except UpstreamError as error:
            raise InvalidRequest(f"error checking {where}: {error}") from error

    async def verify(self, config: "Config", token: str) -> Verified:
        """Return what the token says if its signature is good.

        Raises InvalidRequest where it is not, UpstreamError where the issuer's keys cannot be had.
        """
        header = _header(token)
        if config.jwt_validation_pubkeys:
            payload = _payload(token, map(public_key, config.jwt_validation_pubkeys))
        else:
            payload = await self._by_published(config, token, header.get("kid"))
        if payload is None:
            raise InvalidRequest(_UNKNOWN)
        return Verified(str(header["alg"]), _claims(payload))

    async def _by_published(self, config: "Config", token: str, kid: Any) -> bytes | None:
        now = self._clock.now()
        if self._config is not config or now - self._fetched >= FRESH:
            await self._fetch(config, self._fetched, now)
        payload = _payload(token, _fitting(self._published, kid))
        if payload is None and now - self._fetched >= AGAIN:
            await self._fetch(config, self._fetched, now)
            payload = _payload(token, _fitting(self._published, kid))
        return payload

    async def _fetch(self, config: "Config", seen: float, now: float) -> None:
        """Fetch, unless another login has meanwhile; after a failure there is a pause."""
        async with self._fetching:
            if self._config is config and self._fetched > seen:
                return
            if self._config is config and self._tried > self._fetched and now - self._tried < AGAIN:
                raise UpstreamError("the issuer's keys could not be fetched; tried again soon")
            if self._config is not config:
                self._config, self._fetched = config, 0.0
            self._tried = now
            self._published = tuple(await self._provider.keys(config))
            self._fetched = now


def _header(token: str) -> Mapping[str, Any]:
    try:
        header: Mapping[str, Any] = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise InvalidRequest("error verifying token signature: not a signed token in compact form") from None
    # Security 2: extensions that we do not know of must not be passed over (RFC 7515, 4.1.11).
    if "crit" in header or header.get("b64") is False:
        raise InvalidRequest("error verifying token signature: the token has critical header parameters")
    return header


def _fitting(keys: Sequence[jwt.PyJWK], kid: Any) -> list[PublicKey]:
    """Return the keys that a token's key id allows; without an id all are tried."""
    return [key.key for key in keys if kid is None or key.key_id == kid]


def _payload(token: str, keys: Iterable[PublicKey]) -> bytes | None:
    for key in keys:
        try:
            payload: bytes = jwt.PyJWS().decode_complete(token, key, algorithms=ALGORITHMS)["payload"]
        except (jwt.PyJWTError, TypeError, ValueError):  # the latter: a key of the wrong kind for the algorithm
            continue
        return payload
    return None


def _claims(payload: bytes) -> Mapping[str, Any]:
    try:
        claims = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        claims = None
    if not isinstance(claims, dict):
        raise InvalidRequest("error verifying token signature: the token's claims are no JSON object")
    return claims
