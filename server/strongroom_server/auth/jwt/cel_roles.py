"""cel/: roles that are programs, and logins by them (OpenBao, "JWT/OIDC auth method", CEL roles)."""

from dataclasses import replace
from typing import Any

from strongroom_common.fields import Given, Object, public
from strongroom_server.auth.jwt import claims, programs
from strongroom_server.auth.jwt.keys import Keys
from strongroom_server.auth.jwt.programs import CelRole
from strongroom_server.auth.jwt.schemas import Config, Login
from strongroom_server.lib.cidr import allows
from strongroom_server.lib.folders import Page, keys
from strongroom_server.lib.merge_patch import merge_patch
from strongroom_server.sdk.engine import Engine as Base
from strongroom_server.sdk.engine import delete, list_, patch, read, write
from strongroom_server.sdk.errors import InvalidRequest, NotFound, PermissionDenied
from strongroom_server.sdk.request import Request, Response
from strongroom_server.sdk.storage import load, remove, save


class CelRoles(Base):
    """Roles that are programs; the method has the configuration and the keys."""

    _keys: Keys

    async def known_config(self) -> Config:
        """Return the configuration; raises InvalidRequest where there is none."""
        raise NotImplementedError

    @list_("cel/role")
    async def list_cel_roles(self, page: Given[Page]) -> dict[str, Any]:
        """List the roles that are programs."""
        return keys(page.value.cut(await self.storage.list("cel/role/")))

    @read("cel/role/{name}")
    async def read_cel_role(self, name: str) -> dict[str, Any]:
        """Read a role that is a program."""
        role = await self._cel_role(name)
        if role is None:
            raise NotFound
        return _facts(name, role)

    @write("cel/role/{name}", exists="is_cel_role")
    async def write_cel_role(self, name: str, given: Given[CelRole]) -> dict[str, Any]:
        """Create a role that is a program, or replace it."""
        if "cel_program" not in given.sent:
            raise InvalidRequest("missing required field 'cel_program'")
        return await self._save_cel_role(name, given.value)

    @patch("cel/role/{name}")
    async def patch_cel_role(self, name: str, given: Given[CelRole]) -> dict[str, Any]:
        """Change some fields of a role that is a program."""
        stored = await self._cel_role(name)
        if stored is None:
            raise InvalidRequest("Unable to fetch cel role entry to patch")
        changed = given.over(stored)
        merged = merge_patch(stored.cel_program, changed.cel_program)
        return await self._save_cel_role(name, replace(changed, cel_program=Object(merged)))

    @delete("cel/role/{name}")
    async def delete_cel_role(self, name: str) -> None:
        """Delete a role that is a program; its tokens live on until they end."""
        await self.storage.commit([remove(_key(name))])

    @write("cel/login", public=True)
    async def cel_login(self, given: Given[Login], request: Request) -> Response:
        """Log in with a token of the issuer, by a role that is a program."""
        config = await self.known_config()
        name = (given.value.role or config.default_role).lower()
        if not name:
            raise InvalidRequest("missing role")
        role = await self._cel_role(name)
        if role is None:
            raise InvalidRequest(f'role "{name}" could not be found')
        if not given.value.jwt:
            raise InvalidRequest("missing token")
        try:
            token = await self._keys.verify(config, given.value.jwt.reveal())
        except InvalidRequest as error:
            raise InvalidRequest(f"error validating token: {error}") from None
        now = self.system.clock.now()
        claims.check_token(config, role, token, now)
        auth = programs.login(name, role, token.claims, now)
        if not allows(auth.bound_cidrs, request.connection.remote_address):
            raise PermissionDenied
        return Response(auth=auth)

    async def is_cel_role(self, name: str) -> bool:
        """Tell whether there is such a role."""
        return await self.storage.get(_key(name)) is not None

    async def _save_cel_role(self, name: str, role: CelRole) -> dict[str, Any]:
        role.check()
        role = role.stored()
        await save(self.storage, _key(name), role)
        return _facts(name, role)

    async def _cel_role(self, name: str) -> CelRole | None:
        return await load(self.storage, _key(name), CelRole)


def _key(name: str) -> str:
    return "cel/role/" + name.lower()


def _facts(name: str, role: CelRole) -> dict[str, Any]:
    return public(role) | {"name": name}
