"""What the areas of sys/ share: they are handed the whole server, as no other engine is."""

from typing import TYPE_CHECKING

from strongroom_server.sdk.engine import Engine

if TYPE_CHECKING:
    from strongroom_server.core.server import Server


class Area(Engine):
    """A part of sys/."""

    server: "Server"
