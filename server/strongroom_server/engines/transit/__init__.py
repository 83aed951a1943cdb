"""Encryption as a service: keys that never leave, and operations with them."""

import hashlib
import os
import re
from dataclasses import dataclass, field
from typing import Annotated

from strongroom_common.fields import Given
from strongroom_server.engines.transit.agreement import KeyAgreement
from strongroom_server.engines.transit.certificates import Certificates
from strongroom_server.engines.transit.material import DIGESTS
from strongroom_server.engines.transit.texts import decode64, encode64
from strongroom_server.sdk.engine import write
from strongroom_server.sdk.errors import InvalidRequest

_MOST_RANDOM = 128 * 1024
_SOURCES = frozenset({"platform", "seal", "all"})


@dataclass(frozen=True)
class Hash:
    """What to hash."""

    input: Annotated[str | None, "The data, in base64."] = field(default=None, repr=False)
    algorithm: Annotated[str, "sha2-224 to sha2-512, sha3-224 to sha3-512."] = "sha2-256"
    format: Annotated[str, "hex or base64."] = "hex"


@dataclass(frozen=True)
class Random:
    """What to make."""

    bytes: Annotated[int, "Number of bytes."] = 32
    format: Annotated[str, "hex or base64."] = "base64"
    source: Annotated[str, "platform, seal or all; all are the system's own."] = "platform"


class Engine(Certificates, KeyAgreement):
    """Encrypts, signs and hashes for applications that hold no keys."""

    @write("hash")
    @write("hash/{path_algorithm:segment}")
    async def hash(
        self, body: Given[Hash], path_algorithm: Annotated[str, "Hash algorithm."] | None = None
    ) -> dict[str, str]:
        """Hash data."""
        asked = body.value
        if asked.input is None:
            raise InvalidRequest("input missing")
        try:
            message = decode64(asked.input)
        except InvalidRequest as error:
            raise InvalidRequest(f"unable to decode input as base64: {error}") from None
        name = path_algorithm or asked.algorithm
        if name not in DIGESTS or name == "sha1":
            raise InvalidRequest(f"unsupported algorithm {name}")
        return {"sum": _formatted(hashlib.new(DIGESTS[name], message).digest(), asked.format)}

    @write("random")
    @write("random/{first:segment}")
    @write("random/{first:segment}/{second:segment}")
    async def random(
        self, body: Given[Random], first: Annotated[str, "A source or a number of bytes."] | None = None,
        second: Annotated[str, "A number of bytes."] | None = None,
    ) -> dict[str, str]:  # fmt: skip
        """Make random bytes."""
        asked = body.value
        source, text = (first, second) if second is not None or first in _SOURCES else (None, first)
        source = source or asked.source
        if source not in _SOURCES:
            raise InvalidRequest(f'unsupported entropy source "{source}"; must be "platform" or "seal", or "all"')
        if text is not None and not re.fullmatch("-?[0-9]{1,9}", text):
            raise InvalidRequest(f"error parsing url-set byte count: expected a number, not {text!r}")
        count = asked.bytes if text is None else int(text)
        if count < 1:
            raise InvalidRequest("'bytes' cannot be less than 1")
        if count > _MOST_RANDOM:
            raise InvalidRequest(f"'bytes' should be less than {_MOST_RANDOM}")
        return {"random_bytes": _formatted(os.urandom(count), asked.format)}


def _formatted(data: bytes, form: str) -> str:
    if form == "hex":
        return data.hex()
    if form == "base64":
        return encode64(data)
    raise InvalidRequest(f'unsupported encoding format "{form}"; must be "hex" or "base64"')
