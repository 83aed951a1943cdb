"""Encryption as a service: keys that never leave, and operations with them."""

import hashlib
import os
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
        name = path_algorithm or asked.algorithm
        if name not in DIGESTS or name == "sha1":
            raise InvalidRequest(f"unsupported algorithm {name}")
        if asked.input is None:
            raise InvalidRequest("unable to decode input as base64: input is missing")
        return {"sum": _formatted(hashlib.new(DIGESTS[name], decode64(asked.input)).digest(), asked.format)}

    @write("random")
    @write("random/{first:segment}")
    @write("random/{first:segment}/{second:segment}")
    async def random(
        self, body: Given[Random], first: Annotated[str, "A source or a number of bytes."] | None = None,
        second: Annotated[str, "A number of bytes."] | None = None,
    ) -> dict[str, str]:  # fmt: skip
        """Make random bytes."""
        asked = body.value
        text = second if second is not None else first if first is not None and first.isdigit() else None
        if text is not None and not text.isdigit():
            raise InvalidRequest("error parsing the number of bytes: expected an integer")
        count = asked.bytes if text is None else int(text)
        if not 1 <= count <= _MOST_RANDOM:
            raise InvalidRequest(f"'bytes' cannot be less than 1 or more than {_MOST_RANDOM}")
        return {"random_bytes": _formatted(os.urandom(count), asked.format)}


def _formatted(data: bytes, form: str) -> str:
    if form == "hex":
        return data.hex()
    if form == "base64":
        return encode64(data)
    raise InvalidRequest(f'unsupported encoding format {form}; must be "hex" or "base64"')
