"""The seal whose key comes from the server file, the environment or a file, as OpenBao's ``seal "static"``.

The previous key is there for one restart while the current one is replaced: what it wrapped is wrapped anew.
Settings: https://openbao.org/docs/configuration/seal/static
"""

from dataclasses import dataclass
from typing import Annotated

from strongroom_common.fields import parse
from strongroom_common.secret import Secret
from strongroom_server.sdk.backend import Settings as Stanza
from strongroom_server.sdk.errors import SealError
from strongroom_server.sdk.seal import Seal
from strongroom_server.seals.wrapping import KeySeal, WrappingKey, read_key

_SIZES = (32,)
_NO_KEY = Secret("")


@dataclass(frozen=True)
class Settings:
    """The stanza ``seal "static" { … }``. A key is 32 bytes: base64, hex, ``env://NAME`` or ``file://PATH``."""

    current_key_id: Annotated[str, "Name of the key that wraps."]
    current_key: Annotated[Secret[str], "The key that wraps."]
    previous_key_id: Annotated[str, "Name of the key that wrapped before."] = ""
    previous_key: Annotated[Secret[str], "The key that wrapped before."] = _NO_KEY


async def open_seal(settings: Stanza) -> Seal:
    """Return the seal; raises SealError or FieldError that names the wrong setting."""
    given = parse(Settings, settings).value
    if not given.current_key_id:
        raise SealError("current_key_id is empty: expected a name for the key")
    keys = [WrappingKey(given.current_key_id, read_key("current_key", given.current_key.reveal(), _SIZES))]
    if bool(given.previous_key) != bool(given.previous_key_id):
        raise SealError("previous_key and previous_key_id belong together: expected both or none")
    if given.previous_key_id == given.current_key_id:
        raise SealError("previous_key_id is current_key_id: expected another name for another key")
    if given.previous_key:
        keys.append(WrappingKey(given.previous_key_id, read_key("previous_key", given.previous_key.reveal(), _SIZES)))
    return KeySeal("static", keys)
