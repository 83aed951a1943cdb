"""One encrypted entry: AES-256-GCM under a term's key, bound to the place where it is stored.

Layout: the key's term (4 bytes, big-endian), a version byte, a 12-byte nonce, the ciphertext with its tag. The key's
path is the associated data, so that an entry that somebody moved or swapped does not open (NIST SP 800-38D; the
nonces are random, which allows 2^32 encryptions a key, section 8.3).
"""

import struct
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom_server.lib.randomness import Randomness
from strongroom_server.sdk.backend import Change

KEY_SIZE = 32
_VERSION = 2  # 1 would be an entry without associated data, which is never accepted
NONCE_SIZE = 12
_HEADER = struct.Struct(">IB")
_START = _HEADER.size + NONCE_SIZE


class CannotDecrypt(ValueError):
    """The bytes are damaged, moved, of an unknown version, or the key is another one."""


def encrypt(key: AESGCM, term: int, entries: Mapping[str, bytes | None], nonces: Randomness) -> list[Change]:
    """Return what stores plain ``entries``, given by path; None removes one."""
    header, changes = _HEADER.pack(term, _VERSION), []
    for path, plaintext in entries.items():
        if plaintext is None:
            changes.append(Change(path, None))
        else:
            nonce = nonces.piece()
            changes.append(Change(path, header + nonce + key.encrypt(nonce, plaintext, path.encode())))
    return changes


def term_of(entry: bytes) -> int:
    """Return the term whose key opens ``entry``; raises CannotDecrypt where it is no entry."""
    if len(entry) < _START:
        raise CannotDecrypt("too short")
    term, version = _HEADER.unpack_from(entry)
    if version != _VERSION:
        raise CannotDecrypt(f"unknown version {version}")
    return int(term)


def decrypt(key: AESGCM, path: str, entry: bytes) -> bytes:
    """Return the plaintext of ``entry``, whose header ``term_of`` has checked; raises CannotDecrypt."""
    try:
        return key.decrypt(entry[_HEADER.size : _START], entry[_START:], path.encode())
    except InvalidTag:
        raise CannotDecrypt("wrong key, path or content") from None
