"""The kinds of keys, what each can do, and how a new one is made.

Numbers in ``code`` are those of OpenBao's backups (its keysutil.KeyType): a key can go from one server to the other.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from strongroom_server.sdk.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class KeyType:
    """One kind. ``make(size)`` returns fresh material: raw bytes, or a private key as PKCS #8 (RFC 5958)."""

    name: str
    code: int
    make: Callable[[int], bytes]
    encrypts: bool = False
    signs: bool = False
    derives: bool = False
    slow: bool = False
    """Whether making one takes so long that it belongs off the event loop."""

    @property
    def symmetric(self) -> bool:
        """Whether it is one secret for both directions, used with authenticated data (AEAD)."""
        return self.name in {"aes128-gcm96", "aes256-gcm96", "chacha20-poly1305", "xchacha20-poly1305"}

    @property
    def asymmetric(self) -> bool:
        """Whether it has a public half."""
        return not self.symmetric and self.name != "hmac"


def _random(length: int) -> Callable[[int], bytes]:
    return lambda size: os.urandom(length or size)


def _private(make: Callable[[], Any]) -> Callable[[int], bytes]:
    def fresh(size: int) -> bytes:
        del size
        return to_pkcs8(make())

    return fresh


def _rsa(bits: int) -> Callable[[int], bytes]:
    def make() -> Any:
        from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

        return generate_private_key(65537, bits)

    return _private(make)


def _ec(curve: str) -> Callable[[int], bytes]:
    def make() -> Any:
        from cryptography.hazmat.primitives.asymmetric import ec

        return ec.generate_private_key(getattr(ec, curve)())

    return _private(make)


def _ml_dsa(strength: int) -> Callable[[int], bytes]:
    def make() -> Any:
        from cryptography.hazmat.primitives.asymmetric import mldsa

        return getattr(mldsa, f"MLDSA{strength}PrivateKey").generate()

    return _private(make)


def to_pkcs8(key: Any) -> bytes:
    """Return a private key's DER."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    der: bytes = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return der


_ALL = (
    KeyType("aes256-gcm96", 0, _random(32), encrypts=True, derives=True),
    KeyType("aes128-gcm96", 8, _random(16), encrypts=True, derives=True),
    KeyType("chacha20-poly1305", 5, _random(32), encrypts=True, derives=True),
    KeyType("xchacha20-poly1305", 11, _random(32), encrypts=True, derives=True),
    KeyType("ed25519", 2, _random(32), signs=True, derives=True),
    KeyType("ecdsa-p256", 1, _ec("SECP256R1"), signs=True),
    KeyType("ecdsa-p384", 6, _ec("SECP384R1"), signs=True),
    KeyType("ecdsa-p521", 7, _ec("SECP521R1"), signs=True),
    KeyType("rsa-2048", 3, _rsa(2048), encrypts=True, signs=True, slow=True),
    KeyType("rsa-3072", 9, _rsa(3072), encrypts=True, signs=True, slow=True),
    KeyType("rsa-4096", 4, _rsa(4096), encrypts=True, signs=True, slow=True),
    KeyType("hmac", 10, _random(0)),
    KeyType("ml-dsa-44", 44, _ml_dsa(44), signs=True),
    KeyType("ml-dsa-65", 65, _ml_dsa(65), signs=True),
    KeyType("ml-dsa-87", 87, _ml_dsa(87), signs=True),
)
KEY_TYPES = {kind.name: kind for kind in _ALL}
BY_CODE = {kind.code: kind for kind in _ALL}


def key_type(name: str) -> KeyType:
    """Return the kind; raises InvalidRequest for an unknown one."""
    kind = KEY_TYPES.get(name)
    if kind is None:
        raise InvalidRequest(f"unknown key type {name}: expected one of {', '.join(KEY_TYPES)}")
    return kind
