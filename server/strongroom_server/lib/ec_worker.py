"""The program that makes EC keys for ``ec_keys``: a size and a count a line in, the length and keys of a batch out."""

from hashlib import sha1
from struct import Struct

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from strongroom_server.lib.key_worker import serve

SIZES = Struct("!HH")
"""What stands before each key of a batch: the lengths of its PEM and of its SubjectPublicKeyInfo, which follow."""
IDENTIFIER = 20
"""How long what names the key is, which stands last: the SHA-1 of its point (RFC 5280, section 4.2.1.2, method 1)."""
_NICENESS = 5  # a key that is not ready costs the server more than it costs here, so not the very last to run
_CURVES = {256: ec.SECP256R1, 384: ec.SECP384R1}


def make(wish: str) -> bytes:
    """Return a batch of new keys; the wish is "bits count"."""
    bits, count = map(int, wish.split())
    curve = _CURVES[bits]()
    return b"".join(_packed(ec.generate_private_key(curve)) for _ in range(count))


def _packed(key: ec.EllipticCurvePrivateKey) -> bytes:
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).rstrip(b"\n")
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    point = spki[-(1 + 2 * ((key.key_size + 7) // 8)) :]  # not compressed: a byte that says so, and both coordinates
    return SIZES.pack(len(pem), len(spki)) + pem + spki + sha1(point, usedforsecurity=False).digest()


if __name__ == "__main__":
    serve(make, _NICENESS)
