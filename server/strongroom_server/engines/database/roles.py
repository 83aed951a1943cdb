"""Roles: how users are made, stored by name."""

from typing import Any

from strongroom_common.fields import Given
from strongroom_server.engines.database import credentials
from strongroom_server.engines.database.connections import Connections
from strongroom_server.engines.database.schemas import ROLES, STATIC_ROLES, Role
from strongroom_server.lib.folders import Page, keys
from strongroom_server.sdk.engine import delete, list_, read, write
from strongroom_server.sdk.errors import InvalidRequest, NotFound
from strongroom_server.sdk.storage import load, remove, save


class Roles(Connections):
    """The roles of a mount."""

    @list_("roles")
    async def list_roles(self, page: Given[Page]) -> dict[str, Any]:
        """List the roles."""
        return keys(page.value.cut(await self.storage.list(ROLES)))

    @read("roles/{name}")
    async def read_role(self, name: str) -> dict[str, Any]:
        """Read a role."""
        role = await self.role(name)
        if role is None:
            raise NotFound
        return role.facts()

    @write("roles/{name}", exists="has_role")
    async def write_role(self, name: str, given: Given[Role]) -> None:
        """Create or update a role."""
        await self.check_unique(name, STATIC_ROLES)
        role = given.over(await self.role(name))
        if not role.db_name:
            raise InvalidRequest("database name is required")
        await save(self.storage, ROLES + name, credentials.checked(role))

    @delete("roles/{name}")
    async def delete_role(self, name: str) -> None:
        """Delete a role; its users live on until their leases end."""
        await self.storage.commit([remove(ROLES + name)])

    async def has_role(self, name: str) -> bool:
        """Tell whether there is such a role."""
        return await self.role(name) is not None

    async def role(self, name: str) -> Role | None:
        """Return a role, or None."""
        return await load(self.storage, ROLES + name, Role)
