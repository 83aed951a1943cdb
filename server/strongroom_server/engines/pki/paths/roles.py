"""Roles: what may be issued."""

from typing import Any

from strongroom_common.fields import Given, public
from strongroom_server.engines.pki.mount import Mount
from strongroom_server.engines.pki.role import Role, normal_role
from strongroom_server.lib.folders import Page, keys
from strongroom_server.sdk.engine import delete, list_, patch, read, write
from strongroom_server.sdk.errors import Internal, InvalidRequest, NotFound
from strongroom_server.sdk.request import Response
from strongroom_server.sdk.storage import remove, save

_NO_DEFAULT = (
    "Issuing Certificate was set to default, but no default issuing certificate (configurable at /config/issuers) is "
    "currently set"
)


class RolePaths(Mount):
    """Keeps roles."""

    @list_("roles")
    async def list_roles(self, page: Given[Page]) -> dict[str, Any]:
        """List the roles."""
        return keys(page.value.cut(await self.storage.list("role/")))

    @read("roles/{name}")
    async def read_role(self, name: str) -> dict[str, Any]:
        """Read a role."""
        role = await self.find_role(name)
        if role is None:
            raise NotFound
        return public(role)

    @write("roles/{name}", exists="role_exists")
    async def write_role(self, name: str, given: Given[Role]) -> Response:
        """Create a role, or replace it."""
        return await self._save(name, given.value)

    @patch("roles/{name}")
    async def patch_role(self, name: str, given: Given[Role]) -> Response:
        """Change some fields of a role."""
        stored = await self.find_role(name)
        if stored is None:
            raise InvalidRequest("Unable to fetch role entry to patch")
        return await self._save(name, given.over(stored))

    @delete("roles/{name}")
    async def delete_role(self, name: str) -> None:
        """Delete a role; its certificates stay."""
        await self.storage.commit([remove(f"role/{name}")])
        self.forget_role(name)

    async def role_exists(self, name: str) -> bool:
        """Tell whether there is such a role."""
        return await self.find_role(name) is not None

    async def _save(self, name: str, role: Role) -> Response:
        role, warnings = normal_role(role)
        warnings += await self._issuer_warnings(role.issuer_ref)
        await save(self.storage, f"role/{name}", role)
        self.forget_role(name)
        return Response(public(role), warnings=warnings)

    async def _issuer_warnings(self, ref: str) -> list[str]:
        try:
            await self.issuers.find(ref)
        except Internal:
            if ref == "default":
                return [_NO_DEFAULT]
            return [f"Issuing Certificate was set to {ref} but no issuing certificate currently has that name"]
        return []
