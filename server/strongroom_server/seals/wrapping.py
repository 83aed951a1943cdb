"""Wrapping with AES-GCM keys from the server file: what the seals ``static`` and ``aesgcm`` share."""

import base64
import binascii
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom_server.sdk.errors import SealError
from strongroom_server.sdk.seal import Blob

_NONCE = 12
_PURPOSE = b"strongroom root key"
_HEX = re.compile(rb"(?:[0-9a-fA-F]{2})+\Z")


@dataclass(frozen=True, slots=True)
class WrappingKey:
    """One outer key. ``id`` is stored beside what it wrapped."""

    id: str
    key: bytes = field(repr=False)


class KeySeal:
    """A Seal whose first key wraps; all unwrap, so that a key can be replaced by putting a new one before it."""

    stored = True

    def __init__(self, kind: str, keys: list[WrappingKey]) -> None:
        self.kind = kind
        self._keys = keys

    async def wrap(self, plaintext: bytes) -> Blob:
        """Protect ``plaintext`` with the first key."""
        outer = self._keys[0]
        nonce = os.urandom(_NONCE)
        return Blob(nonce + AESGCM(outer.key).encrypt(nonce, plaintext, _PURPOSE), outer.id)

    async def unwrap(self, blob: Blob) -> bytes:
        """Return what was wrapped; raises SealError where none of the keys did it, or the blob is damaged."""
        known = [outer for outer in self._keys if outer.id == blob.key_id]
        if not known:
            raise SealError(f"seal {self.kind!r}: the root key is wrapped by the key {blob.key_id!r}, which is not set")
        try:
            return AESGCM(known[0].key).decrypt(blob.ciphertext[:_NONCE], blob.ciphertext[_NONCE:], _PURPOSE)
        except (InvalidTag, ValueError):
            raise SealError(f"seal {self.kind!r}: key {blob.key_id!r} does not open the root key") from None


def read_key(name: str, text: str, sizes: tuple[int, ...]) -> bytes:
    """Return the key that the setting ``name`` gives: base64, hex, ``env://NAME`` or ``file://PATH``.

    A file may hold the bytes themselves. Raises SealError that names the setting and says what was expected, and
    never shows the text.
    """
    expected = f"expected {' or '.join(map(str, sizes))} bytes"
    raw = _contents(name, text)
    if text.startswith("file://") and len(raw) in sizes:
        return raw
    key = _decoded(raw.strip(), sizes)
    if key is None:
        raise SealError(f"{name} is neither base64 nor hex: {expected}")
    if len(key) not in sizes:
        raise SealError(f"{name} has {len(key)} bytes: {expected}")
    return key


def _contents(name: str, text: str) -> bytes:
    scheme, separator, place = text.partition("://")
    if not separator:
        return text.encode()
    if scheme == "env":
        if place not in os.environ:
            raise SealError(f"{name}: environment variable {place!r} is not set")
        return os.environ[place].encode()
    if scheme == "file":
        try:
            return Path(place).read_bytes()
        except OSError as error:
            raise SealError(f"{name}: {place}: {error.strerror}") from error
    raise SealError(f"{name}: unknown scheme {scheme!r}: expected env:// or file://")


def _decoded(raw: bytes, sizes: tuple[int, ...]) -> bytes | None:
    """Decode hex where that gives a key of the right size (64 hex digits are base64 too, of 48 bytes), else base64."""
    if _HEX.match(raw) and len(raw) // 2 in sizes:
        return binascii.unhexlify(raw)
    try:
        return base64.b64decode(raw, validate=True)
    except ValueError:
        return binascii.unhexlify(raw) if _HEX.match(raw) else None
