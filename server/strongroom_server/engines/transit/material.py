"""The cryptography of one key version: bytes in, bytes out, nothing of requests or storage.

Formats are Vault's, in both directions: a ciphertext is nonce and sealed text; a derived key is HKDF-SHA256 (RFC 5869)
over the context; a convergent nonce is an HMAC of the plaintext under a second derived key (convergent version 3).
"""

import base64
import hashlib
import hmac
import os
import re
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from strongroom_server.engines.transit import xchacha
from strongroom_server.engines.transit.key_types import KeyType
from strongroom_server.engines.transit.xchacha import XChaCha20Poly1305
from strongroom_server.sdk.errors import InvalidRequest

Aead = AESGCM | ChaCha20Poly1305 | XChaCha20Poly1305
NONCE = 12
PLAIN_NONCES = frozenset({"aes256-gcm96", "aes128-gcm96", "chacha20-poly1305"})
"""Types of keys with nonces of that length."""
PUBLIC_NAMES = {"ecdsa-p256": "P-256", "ecdsa-p384": "P-384", "ecdsa-p521": "P-521"}
HASHES: dict[str, Any] = {
    "sha1": hashes.SHA1, "sha2-224": hashes.SHA224, "sha2-256": hashes.SHA256, "sha2-384": hashes.SHA384,
    "sha2-512": hashes.SHA512, "sha3-224": hashes.SHA3_224, "sha3-256": hashes.SHA3_256, "sha3-384": hashes.SHA3_384,
    "sha3-512": hashes.SHA3_512,
}  # fmt: skip
DIGESTS = {name: name.replace("sha2-", "sha").replace("sha3-", "sha3_") for name in HASHES}
"""The same as ``hashlib`` calls them."""
_CURVE_DIGESTS: dict[int, Any] = {256: hashes.SHA256, 384: hashes.SHA384, 521: hashes.SHA512}


# -- symmetric -------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def aead(kind: str, secret: bytes) -> Aead:
    """Return the cipher of a type of key, with a key that is not to be derived."""
    if kind == "xchacha20-poly1305":
        return XChaCha20Poly1305(secret)
    return ChaCha20Poly1305(secret) if kind == "chacha20-poly1305" else AESGCM(secret)


def nonce_length(kind: KeyType) -> int:
    """Return how many bytes stand before the sealed text."""
    return xchacha.NONCE if kind.name == "xchacha20-poly1305" else NONCE


def nonces(count: int) -> bytes:
    """Return nonces of 12 bytes side by side.

    The system gives a fresh key and AES stretches it: zeros encrypted in counter mode, as in the generator of NIST SP
    800-90A, 10.2.1. Of 400 nonces that takes a quarter of the time in which the system gives as many bytes.
    """
    size = NONCE * count
    return AESGCM(os.urandom(32)).encrypt(bytes(NONCE), bytes(size), None)[:size]


@lru_cache(maxsize=1024)
def _derived(secret: bytes, context: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt=None, info=context).derive(secret)


def counted(secret: bytes, context: bytes) -> bytes:
    """Return the key that HMAC in counter mode derives (NIST SP 800-108, 4.1): the first round, counted from 0."""
    bits = 256  # also where less is taken
    return hmac.digest(secret, bytes(4) + context + bits.to_bytes(4, "big"), hashlib.sha256)[: len(secret)]


def seal(kind: KeyType, secret: bytes, plaintext: bytes, *, context: bytes | None, convergent: bool,
         associated: bytes | None) -> bytes:  # fmt: skip
    """Return nonce and sealed text. ``context`` is None for a key that is not derived."""
    size = nonce_length(kind)
    nonce = os.urandom(size)
    if context is not None:
        length = len(secret)
        both = _derived(secret, context, length + 32 if convergent else length)
        secret = both[:length]
        if convergent:
            nonce = hmac.digest(both[length:], plaintext, hashlib.sha256)[:size]
    return nonce + aead(kind.name, secret).encrypt(nonce, plaintext, associated)


def unseal(kind: KeyType, secret: bytes, sealed: bytes, *, context: bytes | None, convergent: bool,
           associated: bytes | None) -> bytes:  # fmt: skip
    """Return the plaintext; raises InvalidRequest where key, context or text do not fit."""
    size = nonce_length(kind)
    if len(sealed) < size + 16:
        raise InvalidRequest("invalid ciphertext length")
    if context is not None:
        length = len(secret)
        secret = _derived(secret, context, length + 32 if convergent else length)[:length]
    try:
        return aead(kind.name, secret).decrypt(sealed[:size], sealed[size:], associated)
    except InvalidTag:
        cipher = "chacha20poly1305" if "chacha20" in kind.name else "cipher"
        raise InvalidRequest(f"{cipher}: message authentication failed") from None


@lru_cache(maxsize=1024)
def _mac(key: bytes, algorithm: str) -> HMAC:
    return HMAC(key, HASHES[algorithm]())


def mac(key: bytes, algorithm: str, message: bytes) -> bytes:
    """Return an HMAC (RFC 2104). One that is begun is copied, which costs a third of beginning."""
    begun = _mac(key, algorithm).copy()
    begun.update(message)
    return begun.finalize()


# -- asymmetric ------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def private_key(pkcs8: bytes) -> Any:
    """Return the private key of its DER."""
    return load_der_private_key(pkcs8, None)


@lru_cache(maxsize=256)
def public_key(der: bytes) -> Any:
    """Return the public key of its DER."""
    return load_der_public_key(der)


@lru_cache(maxsize=256)
def ed25519_key(secret: bytes, context: bytes | None) -> ed25519.Ed25519PrivateKey:
    """Return the signing key of a seed, or the one that ``context`` derives from it.

    What is derived from is the private key as Go has it: the seed with the public key after it.
    """
    key = ed25519.Ed25519PrivateKey.from_private_bytes(secret)
    if context is None:
        return key
    seed = _derived(secret + key.public_key().public_bytes_raw(), context, 32)
    return ed25519.Ed25519PrivateKey.from_private_bytes(seed)


@lru_cache(maxsize=256)
def public_of(kind: KeyType, secret: bytes | None, public: bytes | None, context: bytes | None = None) -> Any:
    """Return the public half."""
    if secret is None:
        return public_key(public or b"")
    if kind.name == "ed25519":
        return ed25519_key(secret, context).public_key()
    return private_key(secret).public_key()


def public_text(kind: KeyType, secret: bytes | None, public: bytes | None, context: bytes | None = None) -> str:
    """Return the public half as a read shows it: PEM, or base64 for ed25519."""
    key = public_of(kind, secret, public, context)
    if kind.name == "ed25519":
        return base64.b64encode(key.public_bytes_raw()).decode()
    text: str = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return text


def _oaep(algorithm: Any = hashes.SHA256) -> padding.OAEP:
    return padding.OAEP(mgf=padding.MGF1(algorithm()), algorithm=algorithm(), label=None)


def rsa_encrypt(key: rsa.RSAPublicKey, plaintext: bytes, scheme: str) -> bytes:
    """Encrypt (RFC 8017, section 7); raises InvalidRequest for a text that is too long, or another scheme."""
    try:
        return key.encrypt(plaintext, _encryption_scheme(scheme))
    except ValueError:
        raise InvalidRequest("message too long for RSA key size") from None


def rsa_decrypt(key: rsa.RSAPrivateKey, ciphertext: bytes, scheme: str) -> bytes:
    """Decrypt; raises InvalidRequest.

    By pkcs1v15 a ciphertext that is not right gives some other plaintext rather than an error, which would tell those
    who try many what the right one is.
    """
    try:
        return key.decrypt(ciphertext, _encryption_scheme(scheme))
    except ValueError:
        raise InvalidRequest("failed to RSA decrypt the ciphertext") from None


def _encryption_scheme(name: str) -> padding.AsymmetricPadding:
    if name in {"", "oaep"}:
        return _oaep()
    if name == "pkcs1v15":
        return padding.PKCS1v15()
    raise InvalidRequest(f"unsupported padding_scheme {name!r}: expected oaep or pkcs1v15")


def sign(key: Any, message: bytes, *, algorithm: Any, prehashed: bool, rsa_scheme: str, salt: Any) -> bytes:
    """Return a signature: ASN.1 for ECDSA, raw for the others. ``algorithm`` is a hash class, None for "none"."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        fitted, by = _ecdsa_hash(message, algorithm, key.key_size, prehashed=prehashed)
        return key.sign(fitted, ec.ECDSA(by))
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(message, _rsa_scheme(rsa_scheme, algorithm, salt), _hash(algorithm, prehashed=prehashed))
    signature: bytes = key.sign(message)
    return signature


def verify(key: Any, signature: bytes, message: bytes, *, algorithm: Any, prehashed: bool, rsa_scheme: str,
           salt: Any) -> bool:  # fmt: skip
    """Tell whether a signature is good; anything that is not is simply false."""
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            fitted, by = _ecdsa_hash(message, algorithm, key.key_size, prehashed=prehashed)
            key.verify(signature, fitted, ec.ECDSA(by))
        elif isinstance(key, rsa.RSAPublicKey):
            scheme = _rsa_scheme(rsa_scheme, algorithm, salt)
            key.verify(signature, message, scheme, _hash(algorithm, prehashed=prehashed))
        else:
            key.verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _ecdsa_hash(message: bytes, algorithm: Any, key_size: int, *, prehashed: bool) -> tuple[bytes, Any]:
    """Return what is signed and the hash that the library is told of.

    A digest may have any length: its leftmost bits count, as many as the curve's order has (FIPS 186-5, 6.4.1).
    """
    if not prehashed:
        return message, algorithm()
    by = _CURVE_DIGESTS[key_size]()
    if key_size == 521 and len(message) > by.digest_size:
        raise InvalidRequest(f"the digest is too long: expected at most {by.digest_size} bytes")
    return message[: by.digest_size].rjust(by.digest_size, b"\0"), utils.Prehashed(by)


def _hash(algorithm: Any, *, prehashed: bool) -> Any:
    if algorithm is None:
        return utils.NoDigestInfo()
    return utils.Prehashed(algorithm()) if prehashed else algorithm()


def _rsa_scheme(name: str, algorithm: Any, salt: Any) -> Any:
    if name == "pkcs1v15":
        return padding.PKCS1v15()
    if name not in {"", "pss"}:
        raise InvalidRequest(f"unsupported rsa signature algorithm {name}: expected pss or pkcs1v15")
    if algorithm is None:
        raise InvalidRequest("hash_algorithm=none requires both prehashed=true and signature_algorithm=pkcs1v15")
    return padding.PSS(mgf=padding.MGF1(algorithm()), salt_length=salt)


def pss_salt(text: str, *, verifying: bool) -> Any:
    """Return the salt length that a request asks for: "auto", "hash" or a number; raises InvalidRequest."""
    if text in {"", "auto", "0"}:  # the numbers 0 and -1 are Go's names of the two words
        return padding.PSS.AUTO if verifying else padding.PSS.MAX_LENGTH
    if text in {"hash", "-1"}:
        return padding.PSS.DIGEST_LENGTH
    if re.fullmatch("[0-9]{1,4}", text):  # no key has room for more
        return int(text)
    raise InvalidRequest(f"unsupported salt length {text!r}: expected auto, hash or a number of bytes")


# -- ECDSA as JSON Web Signatures have it ------------------------------------------------------------------------------


def to_jws(signature: bytes, key_size: int) -> bytes:
    """Return r and s side by side (RFC 7518, 3.4) of an ASN.1 signature."""
    r, s = utils.decode_dss_signature(signature)
    length = (key_size + 7) // 8
    return r.to_bytes(length) + s.to_bytes(length)


def from_jws(raw: bytes) -> bytes:
    """Return the ASN.1 signature of r and s side by side."""
    half = len(raw) // 2
    return utils.encode_dss_signature(int.from_bytes(raw[:half]), int.from_bytes(raw[half:]))
