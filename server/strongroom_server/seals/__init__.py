"""Seals. Each module is a type (``SHARED`` names the rest); see ``sdk/seal.py`` for the contract."""

from strongroom_server.sdk.backend import Settings
from strongroom_server.sdk.errors import SealError
from strongroom_server.sdk.parts import load_part
from strongroom_server.sdk.seal import Seal

SHARED = ("wrapping",)


async def open_seal(kind: str, settings: Settings) -> Seal:
    """Open the seal of a ``seal "kind" { … }`` stanza.

    Raises SealError for an unknown type, a wrong setting (the message names it), or a service that does not answer.
    """
    try:
        seal: Seal = await load_part(__name__, kind).open_seal(settings)
    except SealError as error:
        raise SealError(f"seal {kind!r}: {error}") from error.__cause__
    except Exception as error:
        raise SealError(f"seal {kind!r}: {error}") from error
    return seal
