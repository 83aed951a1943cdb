"""identity/oidc/role: what identity tokens hold and how long they are good for."""

from dataclasses import replace
from typing import Annotated, Any

from strongroom_common.fields import Given
from strongroom_server.core.areas import Area
from strongroom_server.core.identity.oidc import template
from strongroom_server.core.identity.oidc.records import Role
from strongroom_server.core.tokens import random_text
from strongroom_server.lib.folders import keys
from strongroom_server.sdk.engine import delete, list_, read, write
from strongroom_server.sdk.errors import InvalidRequest, NotFound

Name = Annotated[str, "Name of the role."]


class Roles(Area):
    """Roles of identity tokens."""

    @write("oidc/role/{name}")
    async def write_role(self, name: Name, body: Given[Role]) -> None:
        """Create or update a role."""
        store = self.server.identity.oidc
        role = body.over(await store.roles.get(name))
        if not role.key:
            raise InvalidRequest("the key parameter is required")
        if "template" in body.sent:
            role = replace(role, template=template.plain(role.template))
            template.check(role.template)
        key = await store.ready_key(role.key)
        if role.ttl > key.settings.verification_ttl:
            raise InvalidRequest(
                "a role's token ttl cannot be longer than the verification_ttl of the key it references"
            )
        await store.roles.save(name, replace(role, client_id=role.client_id or random_text(26)))

    @read("oidc/role/{name}")
    async def read_role(self, name: Name) -> Role:
        """Read a role."""
        role = await self.server.identity.oidc.roles.get(name)
        if role is None:
            raise NotFound
        return role

    @list_("oidc/role")
    async def list_roles(self) -> dict[str, Any]:
        """List the roles."""
        return keys(await self.server.identity.oidc.roles.names())

    @delete("oidc/role/{name}")
    async def delete_role(self, name: Name) -> None:
        """Delete a role."""
        await self.server.identity.oidc.roles.remove(name)
