"""XChaCha20-Poly1305: nonces of 24 bytes, long enough to be drawn for ever (draft-irtf-cfrg-xchacha-03).

The library has ChaCha20 but no HChaCha20. The block function of the one gives the other: what its last step adds is
taken away again (section 2.2 of the draft).
"""

import struct

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

NONCE = 24
_CONSTANTS = struct.unpack("<4I", b"expand 32-byte k")


class XChaCha20Poly1305:
    """The cipher of one key, as the library's own ciphers are used."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """Return the sealed text."""
        cipher, rest = self._inner(nonce)
        return cipher.encrypt(rest, data, associated_data)

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """Return the plaintext; raises InvalidTag."""
        cipher, rest = self._inner(nonce)
        return cipher.decrypt(rest, data, associated_data)

    def _inner(self, nonce: bytes) -> tuple[ChaCha20Poly1305, bytes]:
        return ChaCha20Poly1305(hchacha20(self._key, nonce[:16])), bytes(4) + nonce[16:]


def hchacha20(key: bytes, nonce: bytes) -> bytes:
    """Return the 32 bytes that HChaCha20 makes of a key of 32 bytes and a nonce of 16."""
    block = struct.unpack("<16I", Cipher(ChaCha20(key, nonce), None).encryptor().update(bytes(64)))
    added = (*_CONSTANTS, *struct.unpack("<4I", nonce))
    return struct.pack("<8I", *((word - was) % 2**32 for word, was in zip(block[:4] + block[12:], added, strict=True)))
