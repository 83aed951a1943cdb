"""The seal with a list of AES keys in the server file: ``seal "aesgcm" { keys = ["…base64…"] }``.

The first key wraps, all unwrap: a new key is put before the old one, which is taken out a restart later.
"""

import hashlib
from dataclasses import dataclass
from typing import Annotated

from strongroom_common.fields import Strings, parse
from strongroom_server.sdk.backend import Settings as Stanza
from strongroom_server.sdk.errors import SealError
from strongroom_server.sdk.seal import Seal
from strongroom_server.seals.wrapping import KeySeal, WrappingKey, read_key

_SIZES = (16, 24, 32)


@dataclass(frozen=True)
class Settings:
    """The stanza ``seal "aesgcm" { … }``."""

    keys: Annotated[Strings, "AES keys: base64, hex, env://NAME or file://PATH."]


async def open_seal(settings: Stanza) -> Seal:
    """Return the seal; raises SealError or FieldError that names the wrong setting."""
    texts = parse(Settings, settings).value.keys
    if not texts:
        raise SealError("keys is empty: expected at least one key")
    keys = [read_key(f"keys[{number}]", text, _SIZES) for number, text in enumerate(texts)]
    return KeySeal("aesgcm", [WrappingKey(_id(key), key) for key in keys])


def _id(key: bytes) -> str:
    """Return a name that tells keys apart and stays when the list is reordered."""
    return hashlib.sha256(b"strongroom aesgcm key id:" + key).hexdigest()[:16]
