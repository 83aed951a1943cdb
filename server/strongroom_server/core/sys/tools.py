"""sys/tools: random bytes and hashes, which touch no secret, and decode-token."""

import base64
import binascii
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from strongroom_common.fields import Given
from strongroom_common.secret import Secret
from strongroom_server.core.sys.area import Area
from strongroom_server.sdk.engine import write
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.request import Response

_MOST = 128 * 1024
_SOURCES = ("platform", "seal", "all")
_HASHES: Mapping[str, str] = {
    "sha2-224": "sha224", "sha2-256": "sha256", "sha2-384": "sha384", "sha2-512": "sha512",
    "sha3-224": "sha3_224", "sha3-256": "sha3_256", "sha3-384": "sha3_384", "sha3-512": "sha3_512",
}  # fmt: skip

Source = Annotated[str, "Where the bytes come from: platform, seal or all."]
Count = Annotated[str, "How many bytes."]


@dataclass(frozen=True)
class Random:
    """Random bytes."""

    bytes: Annotated[int, "How many bytes."] = 32
    format: Annotated[str, '"hex" or "base64".'] = "base64"


@dataclass(frozen=True)
class Hash:
    """A value to hash."""

    input: Annotated[Secret[str], "The value, in base64."] = Secret("")
    algorithm: Annotated[str, "Hash function, such as sha2-256."] = "sha2-256"
    format: Annotated[str, '"hex" or "base64".'] = "hex"


@dataclass(frozen=True)
class Encoded:
    """A root token under its one-time pad."""

    encoded_token: Annotated[str, "What sys/generate-root gave, in base64."] = ""
    otp: Annotated[Secret[str], "The one-time pad."] = Secret("")


class Tools(Area):
    """Tools that touch no secret."""

    @write("tools/random")
    async def random(self, body: Given[Random]) -> Response:
        """Make random bytes."""
        return _random(body.value, "platform", body.value.bytes)

    @write("tools/random/{what}")
    async def random_of(self, what: Annotated[str, "A source, or how many bytes."], body: Given[Random]) -> Response:
        """Make random bytes, from a source or so many."""
        if what in _SOURCES:
            return _random(body.value, what, body.value.bytes)
        return _random(body.value, "platform", _count(what))

    @write("tools/random/{source}/{urlbytes}")
    async def random_from(self, source: Source, urlbytes: Count, body: Given[Random]) -> Response:
        """Make so many random bytes from a source."""
        if source not in _SOURCES:
            raise InvalidRequest(f'unsupported entropy source "{source}"; must be "platform" or "seal", or "all"')
        return _random(body.value, source, _count(urlbytes))

    @write("tools/hash")
    async def hash(self, body: Given[Hash]) -> dict[str, Any]:
        """Hash a value."""
        return _hash(body.value, body.value.algorithm)

    @write("tools/hash/{urlalgorithm}")
    async def hash_by(self, urlalgorithm: Annotated[str, "Hash function."], body: Given[Hash]) -> dict[str, Any]:
        """Hash a value by a named function."""
        return _hash(body.value, urlalgorithm)

    @write("decode-token", public=True)
    async def decode_token(self, body: Given[Encoded]) -> dict[str, Any]:
        """Take the one-time pad off a generated root token."""
        if not body.value.encoded_token or not body.value.otp:
            raise InvalidRequest("provided 'encoded_token' or 'otp' is empty")
        text = body.value.encoded_token
        token, pad = _decoded(text + "=" * (-len(text) % 4), "encoded_token"), body.value.otp.reveal().encode()
        if len(token) != len(pad):
            raise InvalidRequest("'encoded_token' and 'otp' differ in length")
        return {"token": bytes(a ^ b for a, b in zip(token, pad, strict=True)).decode(errors="replace")}


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise InvalidRequest(f"bytes: expected a number, not {text!r}")
    return int(text[:9])


def _random(asked: Random, source: str, count: int) -> Response:
    if count < 1:
        raise InvalidRequest("'bytes' cannot be less than 1")
    if count > _MOST:
        raise InvalidRequest(f"'bytes' should be less than {_MOST}")
    warning = "no seal/entropy augmentation available, using platform entropy source"
    response = Response({"random_bytes": _encoded(os.urandom(count), asked.format)})
    response.warnings = [warning] if source == "seal" else []
    return response


def _hash(asked: Hash, algorithm: str) -> dict[str, Any]:
    if algorithm not in _HASHES:
        raise InvalidRequest(f"unsupported algorithm {algorithm}; expected one of {', '.join(_HASHES)}")
    digest = hashlib.new(_HASHES[algorithm], _decoded(asked.input.reveal(), "input")).digest()
    return {"sum": _encoded(digest, asked.format)}


def _decoded(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest(f"unable to decode {what} as base64") from None


def _encoded(raw: bytes, form: str) -> str:
    if form not in ("hex", "base64"):
        raise InvalidRequest(f'unsupported encoding format "{form}"; must be "hex" or "base64"')
    return raw.hex() if form == "hex" else base64.b64encode(raw).decode()
