"""Who stands behind a token: entities, their aliases at auth mounts, their groups.

For now a login is known by its alias alone; entities are added by the identity engine.
"""

from collections.abc import Mapping
from typing import Any

from strongroom_server.core.mounts import Mount
from strongroom_server.sdk.request import Auth


class Identity:
    """Finds the entity of a login and what it adds to a token."""

    async def attach(self, auth: Auth, mount: Mount) -> None:
        """Fill in the entity of a login."""

    async def policies_of(self, entity_id: str) -> tuple[str, ...]:
        """Return the policies of an entity and its groups."""
        del entity_id
        return ()

    async def template_values(self, entity_id: str) -> dict[str, str]:
        """Return what templated paths of the entity's policies are filled with."""
        del entity_id
        return {}

    async def entity(self, entity_id: str) -> Mapping[str, Any] | None:
        """Return an entity, or None."""
        del entity_id
        return None

    async def groups(self, entity_id: str) -> list[Mapping[str, Any]]:
        """Return an entity's groups."""
        del entity_id
        return []
