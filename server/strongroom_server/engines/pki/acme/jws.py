"""Signed requests (RFC 8555, section 6.2; RFC 7515) and the accounts' keys (RFC 7517, RFC 7638). Pure.

Security 1: the algorithm is one of a short list of signatures; "none" and HMACs are not on it. Security 2: an HMAC
counts for the external account binding alone, where the key is a secret that this server made. Security 3: a header
that is said to be critical must be understood (RFC 7515, section 4.1.11), and here is none.
"""

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from jwt.algorithms import Algorithm, get_default_algorithms

from strongroom_server.engines.pki.acme.problems import Problem, malformed

ALGORITHMS = ("RS256", "ES256", "ES384", "ES512", "EdDSA")
_SMALLEST_RSA = 2048
_MEMBERS = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x")}


@dataclass(frozen=True)
class Message:
    """A signed request taken apart, its signature not yet looked at. ``payload`` is None for POST-as-GET."""

    header: Mapping[str, Any]
    payload: dict[str, Any] | None
    signed: bytes
    signature: bytes

    @property
    def jwk(self) -> dict[str, Any] | None:
        """Return the key that it brings along, if it does."""
        jwk = self.header.get("jwk")
        return jwk if isinstance(jwk, dict) else None


def encode(raw: bytes) -> str:
    """Return Base64 for URLs, without padding."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: Any, field: str) -> bytes:
    """Return what such Base64 stands for; raises Problem."""
    if not isinstance(text, str) or not text.isascii():
        raise malformed(f"'{field}' is not Base64 for URLs")
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise malformed(f"'{field}' is not Base64 for URLs") from None


def parse(data: Mapping[str, Any]) -> Message:
    """Take a request in flattened JSON serialization apart; raises Problem."""
    for field in ("protected", "payload", "signature"):
        if field not in data:
            raise malformed(f"missing required field '{field}'")
    protected, payload = decode(data["protected"], "protected"), decode(data["payload"], "payload")
    header = _object(protected, "protected")
    if ("jwk" in header) == ("kid" in header):
        raise malformed("failed to json unmarshal 'protected': invalid header: got neither or both of 'kid' and 'jwk'")
    if "crit" in header:
        raise malformed("failed to json unmarshal 'protected': invalid header: unsupported critical header")
    signed = f"{data['protected']}.{data['payload']}".encode()
    body = _object(payload, "payload") if payload else None
    return Message(header, body, signed, decode(data["signature"], "signature"))


def _object(raw: bytes, field: str) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        raise malformed(f"failed to json unmarshal '{field}'") from None
    if not isinstance(value, dict):
        raise malformed(f"'{field}' is no object")
    return value


def check_key(jwk: Mapping[str, Any]) -> None:
    """Raise Problem unless accounts may have this key."""
    if "d" in jwk:
        raise Problem("badPublicKey", "the key is a private one")
    key = _key(_algorithm_for(jwk), jwk)
    if jwk.get("kty") == "RSA" and key.key_size < _SMALLEST_RSA:
        raise Problem("badPublicKey", f"RSA keys must have {_SMALLEST_RSA} bits at least")


def _algorithm_for(jwk: Mapping[str, Any]) -> str:
    curve = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "Ed25519": "EdDSA"}
    name = "RS256" if jwk.get("kty") == "RSA" else curve.get(str(jwk.get("crv")), "")
    if not name:
        raise Problem("badPublicKey", "unsupported key: expected RSA, P-256, P-384, P-521 or Ed25519")
    return name


def _algorithm(name: Any) -> Algorithm:
    if name not in ALGORITHMS:
        raise Problem("badSignatureAlgorithm", f"unsupported algorithm: expected one of {', '.join(ALGORITHMS)}")
    return get_default_algorithms()[name]


def _key(name: str, jwk: Mapping[str, Any]) -> Any:
    try:
        return _algorithm(name).from_jwk(dict(jwk))
    except (jwt.PyJWTError, ValueError, KeyError, TypeError):
        raise Problem("badPublicKey", "the key could not be parsed") from None


def verify(message: Message, jwk: Mapping[str, Any]) -> None:
    """Raise Problem unless ``message`` is signed with the key ``jwk``, by the algorithm that suits it."""
    name = message.header.get("alg")
    algorithm = _algorithm(name)
    if name != _algorithm_for(jwk):
        raise Problem("badSignatureAlgorithm", "the algorithm does not suit the key")
    try:
        valid = algorithm.verify(message.signed, _key(str(name), jwk), message.signature)
    except (ValueError, TypeError):
        valid = False
    if not valid:
        raise malformed("the signature is wrong")


def verify_hmac(message: Message, key: bytes) -> None:
    """Raise Problem unless ``message`` bears the HMAC of ``key`` (RFC 8555, section 7.3.4)."""
    if message.header.get("alg") != "HS256":
        raise Problem("badSignatureAlgorithm", "unsupported algorithm of the external account binding: expected HS256")
    if not hmac.compare_digest(hmac.digest(key, message.signed, hashlib.sha256), message.signature):
        raise Problem("unauthorized", "the external account binding's signature is wrong")


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """Return the thumbprint of a key (RFC 7638)."""
    members = {name: jwk[name] for name in _MEMBERS[str(jwk["kty"])]}
    canonical = json.dumps(members, separators=(",", ":"), sort_keys=True)
    return encode(hashlib.sha256(canonical.encode()).digest())


def as_jwk(kind: str, key: Any) -> dict[str, Any]:
    """Return a public key of ``kind`` ("rsa", "ec", "ed25519") as a JWK."""
    name = {"rsa": "RS256", "ec": "ES256", "ed25519": "EdDSA"}[kind]
    jwk: dict[str, Any] = get_default_algorithms()[name].to_jwk(key, as_dict=True)
    return jwk
