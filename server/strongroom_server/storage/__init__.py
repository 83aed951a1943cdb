"""Physical stores. Each module is a type (``SHARED`` names the rest); see ``sdk/backend.py`` for the contract."""

from strongroom_common.clock import Clock, SystemClock
from strongroom_server.sdk.backend import Backend, Settings
from strongroom_server.sdk.errors import BackendError
from strongroom_server.sdk.parts import load_part
from strongroom_server.storage.layers import Boundary

SHARED = ("layers",)


async def open_backend(kind: str, settings: Settings, clock: Clock | None = None) -> Backend:
    """Open the store of a ``storage "kind" { … }`` stanza.

    Raises BackendError for an unknown type, a wrong setting (the message names it), or a store that does not open.
    """
    try:
        part = load_part(__name__, kind)
        return Boundary(await part.open_backend(settings, clock or SystemClock()))
    except BackendError:
        raise
    except Exception as error:
        raise BackendError(f"storage {kind!r}: {error}") from error
