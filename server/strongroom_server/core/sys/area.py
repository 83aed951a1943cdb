"""What the areas of sys/ share."""

from strongroom_server.core.areas import Area

__all__ = ["Area"]
