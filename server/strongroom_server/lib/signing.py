"""How certificates, requests and CRLs are signed: by what hash and padding, for each kind of key."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from strongroom_server.lib.x509 import PrivateKey, key_bits, key_kind
from strongroom_server.sdk.errors import InvalidRequest

Hash = hashes.SHA256 | hashes.SHA384 | hashes.SHA512
HASHES: Mapping[int, Hash] = {256: hashes.SHA256(), 384: hashes.SHA384(), 512: hashes.SHA512()}


class Signing(NamedTuple):
    """How a certificate is signed. ``bits`` is the hash's size, 0 the usual; an EC key's curve decides for itself."""

    bits: int = 0
    pss: bool = False


def hash_for(key: PrivateKey, bits: int) -> Hash | None:
    """Return the hash that ``key`` signs with; raises InvalidRequest for a size that there is not."""
    kind = key_kind(key)
    if kind in {"ed25519", "mldsa"}:
        return None
    if kind == "ec":
        size = key_bits(key)
        return HASHES[512 if size > 384 else max(256, size)]
    if bits not in {0, *HASHES}:
        raise InvalidRequest(f"unsupported hash signature algorithm: {bits}")
    return HASHES[bits or 256]


def padding_for(key: PrivateKey, signing: Signing) -> padding.PSS | None:
    """Return the padding for an RSA key where it is not the usual one."""
    if not signing.pss or key_kind(key) != "rsa":
        return None
    return padding.PSS(padding.MGF1(HASHES[signing.bits or 256]), padding.PSS.DIGEST_LENGTH)


def signer(key: PrivateKey, signing: Signing) -> Callable[[bytes], bytes]:
    """Return what signs with a key; raises InvalidRequest for a size that there is not."""
    private: Any = key  # each kind takes arguments of its own
    algorithm = hash_for(key, signing.bits)
    if algorithm is None:
        signs: Callable[[bytes], bytes] = private.sign
        return signs
    if key_kind(key) == "rsa":
        scheme = padding_for(key, signing) or padding.PKCS1v15()
        return lambda content: private.sign(content, scheme, algorithm)
    by = ec.ECDSA(Prehashed(algorithm))
    digest = getattr(hashlib, algorithm.name)  # made sooner there than by the library
    return lambda content: private.sign(digest(content).digest(), by)
