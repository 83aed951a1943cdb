"""Login with the name and password of a directory (api-docs/auth/ldap)."""

import asyncio
import logging
import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote, unquote

from msgspec import structs

from strongroom_common.fields import Given
from strongroom_common.secret import Secret
from strongroom_server.auth.ldap import schemas
from strongroom_server.auth.ldap.directory import Directory, Found
from strongroom_server.auth.ldap.schemas import Config, Group, Login, User
from strongroom_server.lib import tokenparams
from strongroom_server.lib.cidr import allows
from strongroom_server.lib.folders import Page, keys
from strongroom_server.sdk.engine import Engine as Base
from strongroom_server.sdk.engine import delete, list_, read, write
from strongroom_server.sdk.errors import InvalidRequest, NotFound, PermissionDenied
from strongroom_server.sdk.request import Alias, Auth, Request, Response
from strongroom_server.sdk.storage import load, remove, save

log = logging.getLogger("auth.ldap")

_CONFIG = "config"
T = TypeVar("T", User, Group)


class Granted(NamedTuple):
    """What a login is worth: the directory's groups with the local ones, and the policies of all."""

    found: Found
    groups: Sequence[str]
    policies: Sequence[str]


class Engine(Base):
    """Lets people log in as a directory knows them."""

    async def start(self) -> None:
        """Make ready."""
        self._directory = Directory()
        self._changing = asyncio.Lock()

    async def close(self) -> None:
        """Let go of the threads."""
        self._directory.close()

    # -- configuration ------------------------------------------------------------------------------------------

    @read("config")
    async def read_config(self) -> dict[str, Any]:
        """Read how the directory is asked, without passwords."""
        return schemas.config_facts(await self._config())

    @write("config")
    async def write_config(self, given: Given[Config], request: Request) -> None:
        """Say how the directory is asked; what is not given stays."""
        async with self._changing:
            config = schemas.changed_config(given, await load(self.storage, _CONFIG, Config), request)
            await save(self.storage, _CONFIG, config)

    @write("config/rotate-root")
    async def rotate_root(self) -> None:
        """Change the password of binddn to one that nobody else knows."""
        async with self._changing:
            config = await self._config()
            if not config.binddn or not config.bindpass:
                raise InvalidRequest("auth is not using authenticated search, no root to rotate")
            new = await self._new_password(config)
            changed = replace(config, bindpass=Secret(new))
            await self._directory.change_password(config, new)
            try:
                await save(self.storage, _CONFIG, changed)
            except BaseException:
                log.exception("the new password of binddn could not be stored; it is changed back")
                await asyncio.shield(self._directory.change_password(changed, config.bindpass.reveal()))
                raise

    # -- users and groups ---------------------------------------------------------------------------------------

    @list_("users")
    async def list_users(self, page: Given[Page]) -> dict[str, Any]:
        """List the users that policies are kept for."""
        return keys(page.value.cut(await self._names("user/")))

    @read("users/{name:rest}")
    async def read_user(self, name: str) -> dict[str, Any]:
        """Read a user's policies and groups."""
        user = await self._known("user/", name, User)
        return {"policies": user.policies, "groups": ",".join(user.groups)}

    @write("users/{name:rest}")
    async def write_user(self, name: str, given: Given[User]) -> None:
        """Say which policies and groups a user gets."""
        user = replace(given.value, policies=tokenparams.tidy_policies(given.value.policies))
        await save(self.storage, await self._key("user/", name), user)

    @delete("users/{name:rest}")
    async def delete_user(self, name: str) -> None:
        """Forget a user's policies."""
        await self.storage.commit([remove(await self._key("user/", name))])

    @list_("groups")
    async def list_groups(self, page: Given[Page]) -> dict[str, Any]:
        """List the groups that policies are kept for."""
        return keys(page.value.cut(await self._names("group/")))

    @read("groups/{name:rest}")
    async def read_group(self, name: str) -> dict[str, Any]:
        """Read a group's policies."""
        return {"policies": (await self._known("group/", name, Group)).policies}

    @write("groups/{name:rest}")
    async def write_group(self, name: str, given: Given[Group]) -> None:
        """Say which policies a group's members get."""
        group = Group(tokenparams.tidy_policies(given.value.policies))
        await save(self.storage, await self._key("group/", name), group)

    @delete("groups/{name:rest}")
    async def delete_group(self, name: str) -> None:
        """Forget a group's policies."""
        await self.storage.commit([remove(await self._key("group/", name))])

    # -- logins -------------------------------------------------------------------------------------------------

    @write("login/{username:rest}", public=True)
    async def login(self, username: str, given: Given[Login], request: Request) -> Response:
        """Log in with a name and password of the directory."""
        config = await load(self.storage, _CONFIG, Config)
        if config is None:
            raise InvalidRequest("ldap backend not configured")
        # Security 3: directories do not tell " Bob" from "bob". One person must be one identity, and one to lock out.
        username = _canonical(username, config)
        password = given.value.password
        granted = await self._grant(config, username, password)
        # Security 1: networks are looked at after the password, so that they cannot be found out without it.
        if not allows(config.token_bound_cidrs, request.connection.remote_address):
            raise PermissionDenied
        auth = tokenparams.login(config, request)
        auth.policies = tokenparams.tidy_policies((*config.token_policies, *granted.policies))
        auth.alias = Alias(granted.found.alias, {"name": username})
        auth.group_aliases = tuple(Alias(group) for group in granted.groups)
        auth.display_name = username
        auth.metadata = {"username": username}
        # Security 2: kept with the token's record, encrypted, as a renewal asks the directory again (as Vault does).
        auth.internal = {"password": password}
        return Response(auth=auth, warnings=_warnings(config, granted.found))

    def login_name(self, request: Request) -> str:
        """Return the user of a login."""
        return request.path[6:].strip("/ ").lower() if request.path.startswith("login/") else ""

    async def renew_login(self, auth: Auth, request: Request) -> Auth:
        """Go on while the directory takes the password and gives the same policies; raises InvalidRequest otherwise."""
        config = await self._config()
        password, username = auth.internal.get("password", ""), auth.metadata.get("username", "")
        granted = await self._grant(config, username, password if isinstance(password, Secret) else Secret(password))
        policies = (*config.token_policies, *granted.policies)
        if not tokenparams.same_policies(policies, auth.policies):
            raise InvalidRequest("policies have changed, not renewing")
        renewed = tokenparams.renewed(config, auth)
        return structs.replace(renewed, group_aliases=tuple(Alias(group) for group in granted.groups))

    async def _grant(self, config: Config, username: str, password: Secret[str]) -> Granted:
        if not password:  # whatever deny_null_bind says: see ``directory``
            raise InvalidRequest("password cannot be of zero length when passwordless binds are being denied")
        found = await self._directory.log_in(config, username, password.reveal())
        user = await load(self.storage, _key("user/", username, config), User) or User()
        groups = list(dict.fromkeys((*found.groups, *user.groups)))
        policies = list(user.policies)
        for name in groups:
            group = await load(self.storage, _key("group/", name, config), Group)
            policies += group.policies if group else ()
        return Granted(found, groups, policies)

    # -- what several share -------------------------------------------------------------------------------------

    async def _config(self) -> Config:
        return await load(self.storage, _CONFIG, Config) or Config()

    async def _new_password(self, config: Config) -> str:
        if config.password_policy:
            return await self.system.generate_password(config.password_policy)
        return secrets.token_urlsafe(48)

    async def _names(self, folder: str) -> list[str]:
        return sorted(unquote(name) for name in await self.storage.list(folder))

    async def _key(self, folder: str, name: str) -> str:
        return _key(folder, name, await self._config())

    async def _known(self, folder: str, name: str, kind: type[T]) -> T:
        found = await load(self.storage, await self._key(folder, name), kind)
        if found is None:
            raise NotFound
        return found


def _key(folder: str, name: str, config: Config) -> str:
    """Return where a user or group is kept: names of a directory hold any sign, slashes too."""
    return folder + quote(_canonical(name, config), safe=" ")


def _canonical(name: str, config: Config) -> str:
    return name.strip() if config.case_sensitive_names else name.strip().lower()


def _warnings(config: Config, found: Found) -> list[str]:
    if not config.groupdn or found.groups:
        return []
    return [f'no LDAP groups found in groupDN "{config.groupdn}"; only policies from locally-defined groups available']
