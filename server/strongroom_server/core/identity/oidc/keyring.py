"""Named keys: one that signs, the next one published ahead of its time, and those that only verify still. Pure."""

import base64
import hashlib
import json
from dataclasses import dataclass, replace
from typing import Annotated, Any

from strongroom_common.fields import Names, Seconds
from strongroom_common.secret import Secret
from strongroom_server.core.leases import fresh_nonce

ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA")
DEFAULT = "default"
_DAY = Seconds(86_400)


@dataclass(frozen=True)
class KeySettings:
    """What can be set of a named key."""

    rotation_period: Annotated[Seconds, "How often a new key pair is made."] = _DAY
    verification_ttl: Annotated[Seconds, "How long a key is published after it has signed last."] = _DAY
    allowed_client_ids: Annotated[Names, 'Client ids of the roles that may use the key; "*" is all.'] = Names(())
    algorithm: Annotated[str, f"One of {', '.join(ALGORITHMS)}."] = "RS256"


@dataclass(frozen=True)
class SigningKey:
    """A key pair: PEM (PKCS 8) and its public JWK."""

    private: Secret[str]
    public: dict[str, str]


@dataclass(frozen=True)
class RetiredKey:
    """A public JWK that is shown until ``expires`` (epoch seconds)."""

    public: dict[str, str]
    expires: float


@dataclass(frozen=True)
class NamedKey:
    """A key as stored; without a pair until a role needs it."""

    settings: KeySettings
    current: SigningKey | None = None
    upcoming: SigningKey | None = None
    retired: tuple[RetiredKey, ...] = ()
    rotates: float = 0

    @property
    def algorithm(self) -> str:
        """Return the algorithm of the settings."""
        return self.settings.algorithm

    def allows(self, client_id: str) -> bool:
        """Say whether a role with this client id may use the key."""
        return "*" in self.settings.allowed_client_ids or client_id in self.settings.allowed_client_ids

    def public(self, now: float) -> list[dict[str, str]]:
        """Return the JWKs to check tokens by."""
        pairs = [pair.public for pair in (self.current, self.upcoming) if pair is not None]
        return pairs + [old.public for old in self.retired if old.expires > now]

    def fits(self) -> bool:
        """Say whether the pairs are of the algorithm that the settings name."""
        return self.current is not None and self.current.public["alg"] == self.algorithm


DEFAULT_KEY = NamedKey(KeySettings(allowed_client_ids=Names(("*",))))


def generate(algorithm: str) -> SigningKey:
    """Make a key pair; an RSA one takes a tenth of a second or more."""
    from cryptography.hazmat.primitives import serialization
    from jwt.algorithms import get_default_algorithms

    private = _private_key(algorithm)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    signer: Any = get_default_algorithms()[algorithm]
    jwk: dict[str, Any] = json.loads(signer.to_jwk(private.public_key()))
    public = {name: value for name, value in jwk.items() if name != "key_ops"}
    return SigningKey(Secret(pem.decode()), {"use": "sig", "kid": fresh_nonce(), "alg": algorithm, **public})


def _private_key(algorithm: str) -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if algorithm.startswith("RS"):
        return rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    curves = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
    return ec.generate_private_key(curves[algorithm])


def signed(key: NamedKey, claims: dict[str, Any]) -> str:
    """Return claims as a token, signed by a key that has its pairs (RFC 7519)."""
    import jwt

    assert key.current is not None  # noqa: S101 - ready_key has seen to it
    headers = {"kid": key.current.public["kid"], "typ": ""}  # no "typ", as the peer's tokens
    return jwt.encode(claims, key.current.private.reveal(), algorithm=key.algorithm, headers=headers)


def half_hash(algorithm: str, text: str) -> str:
    """Return what ties an id token to a code or an access token (OpenID Connect Core 1.0, 3.1.3.6)."""
    size = "512" if algorithm == "EdDSA" else algorithm[-3:]
    digest = hashlib.new(f"sha{size}", text.encode()).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()


def renewed(key: NamedKey, fresh: SigningKey, upcoming: SigningKey, now: float) -> NamedKey:
    """Return the key with two new pairs, as when it is made or its algorithm changes."""
    key = _retire(key, key.settings.verification_ttl, now)
    return replace(key, current=fresh, upcoming=upcoming, rotates=now + key.settings.rotation_period)


def rotated(key: NamedKey, upcoming: SigningKey, now: float, verification_ttl: int | None = None) -> NamedKey:
    """Return the key with the next pair signing; the former one verifies for ``verification_ttl`` seconds more."""
    ttl = key.settings.verification_ttl if verification_ttl is None else verification_ttl
    after = _retire(key, ttl, now)
    return replace(after, current=key.upcoming, upcoming=upcoming, rotates=now + key.settings.rotation_period)


def _retire(key: NamedKey, ttl: int, now: float) -> NamedKey:
    kept = tuple(old for old in key.retired if old.expires > now)
    return replace(key, retired=(*kept, RetiredKey(key.current.public, now + ttl)) if key.current else kept)
