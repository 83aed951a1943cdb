"""What travels as text: base64 in requests, "vault:v1:…" in answers."""

import base64
import binascii
import re
from typing import Any

from strongroom_server.sdk.errors import InvalidRequest

PREFIX = "vault:v"
NO_CONTEXT = (
    "missing 'context' for key derivation; the key was created using a derived key, which means additional, "
    "per-request information must be included in order to perform operations with the key"
)
_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/\r\n")


def strict_decode64(text: Any) -> bytes:
    """Return the bytes of padded base64 on one line (RFC 4648, 4); raises TypeError or ValueError."""
    data = binascii.a2b_base64(text, strict_mode=True)
    if len(text) != (len(data) + 2) // 3 * 4:  # a whole text with padding after it, which Python lets pass
        raise ValueError
    return data


def decode64(text: Any) -> bytes:
    """Return the bytes of padded base64; raises InvalidRequest that says where it is wrong."""
    try:
        return strict_decode64(text)
    except (ValueError, TypeError):
        pass
    if not isinstance(text, str):
        raise InvalidRequest("expected base64 as a string")
    bare = text.replace("\n", "").replace("\r", "")  # Go's decoder passes over line ends
    try:
        return strict_decode64(bare)
    except ValueError:
        raise InvalidRequest(f"illegal base64 data at input byte {_wrong(text)}") from None


def _wrong(text: str) -> int:
    """Return where a text stops being base64, as Go counts: what is too short does where its last four signs begin."""
    at = next((index for index, sign in enumerate(text) if sign not in _ALPHABET), len(text) // 4 * 4)
    padding = text[at : at + 4 - at % 4]
    if at % 4 < 2 or set(padding) != {"="}:
        return at
    return at + len(padding)  # rightly padded: wrong is that more follows, or not enough


def encode64(data: bytes) -> str:
    """Return base64 with padding."""
    return binascii.b2a_base64(data, newline=False).decode()


def url_encode64(data: bytes) -> str:
    """Return base64 for URLs without padding (RFC 4648, 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def url_decode64(text: str) -> bytes:
    """Return the bytes of base64 for URLs without padding; raises InvalidRequest."""
    if not re.fullmatch("[A-Za-z0-9_-]*", text) or len(text) % 4 == 1:
        raise InvalidRequest("illegal base64 data in the signature")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def versioned(version: int, body: str) -> str:
    """Return ``body`` with the prefix of its key version."""
    return f"{PREFIX}{version}:{body}"


def split_version(text: Any, what: str) -> tuple[int, str]:
    """Return key version and body of a ciphertext or signature; raises InvalidRequest."""
    if not isinstance(text, str) or not text.startswith(PREFIX):
        raise InvalidRequest(f"invalid {what}: no prefix")
    number, colon, body = text[len(PREFIX) :].partition(":")
    if not colon:
        raise InvalidRequest(f"invalid {what}: wrong number of fields")
    if not (number.isascii() and number.isdigit()):
        raise InvalidRequest(f"invalid {what}: version number could not be decoded")
    return int(number), body
