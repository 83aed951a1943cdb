"""Configured databases: stored under ``config/<name>``, opened when they are first needed."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from strongroom_common.fields import FieldError, Given, fields, parse
from strongroom_common.secret import Secret
from strongroom_server.engines.database import passwords, usernames
from strongroom_server.engines.database.plugins import load_plugin, username_template
from strongroom_server.engines.database.plugins.protocol import Database, DatabaseError, Unverified, User
from strongroom_server.engines.database.schemas import Config, Connection
from strongroom_server.engines.database.statements import plain
from strongroom_server.engines.database.username_templates import BadTemplate
from strongroom_server.lib import globs
from strongroom_server.lib.folders import Page, keys
from strongroom_server.lib.locks import KeyedLocks
from strongroom_server.sdk.engine import Engine as Base
from strongroom_server.sdk.engine import delete, list_, read, write
from strongroom_server.sdk.errors import Internal, InvalidRequest, NotFound
from strongroom_server.sdk.parts import UnknownPart
from strongroom_server.sdk.request import Request, Response
from strongroom_server.sdk.storage import load, remove, save
from strongroom_server.sdk.version import VERSION

log = logging.getLogger("engines.database")

_WARNING = (
    "Password found in connection_url, use a templated url to enable root rotation and prevent read access to "
    "password information."
)


@dataclass(frozen=True)
class Open:
    """A connection in use: what is stored of it, its plugin's module and the database itself."""

    stored: Connection
    plugin: Any
    database: Database
    username_template: str

    def allows(self, role: str) -> bool:
        """Tell whether a role may use it."""
        return globs.fits(self.stored.config.allowed_roles, role)


class Connections(Base):
    """The connections of a mount, and what can be done to them."""

    async def start(self) -> None:
        """Make ready."""
        await super().start()
        self._open: dict[str, Open] = {}
        self._configuring = KeyedLocks()

    async def close(self) -> None:
        """Close all connections."""
        await super().close()
        for name in list(self._open):
            await self._forget(name)

    def invalidate(self, key: str) -> None:
        """Open anew what another server configured."""
        super().invalidate(key)
        if key.startswith("config/") and key[7:] in self._open:
            self._closing = asyncio.ensure_future(self._forget(key[7:]))

    # -- routes -------------------------------------------------------------------------------------------------------

    @list_("config")
    async def list_connections(self, page: Given[Page]) -> dict[str, Any]:
        """List the connections."""
        return keys(page.value.cut(await self.storage.list("config/")))

    @read("config/{name}")
    async def read_connection(self, name: str) -> dict[str, Any]:
        """Read a connection, without its password."""
        stored = await load(self.storage, f"config/{name}", Connection)
        if stored is None:
            raise NotFound
        return stored.facts()

    @write("config/{name}", exists="has_connection")
    async def write_connection(self, name: str, given: Given[Config], request: Request) -> Response | None:
        """Configure a connection; it is tried first."""
        async with self._configuring.of(name):
            before = await load(self.storage, f"config/{name}", Connection)
            if before is not None and before.next_password and "password" not in request.data:
                before = await self._settled(name, before)  # which password holds must not be forgotten
            config = given.over(before.config if before else None)
            if not config.plugin_name:
                raise InvalidRequest("empty plugin name")
            _check_version(config)
            changed = {key: value for key, value in request.data.items() if key not in fields(Config) and key != "name"}
            stored = Connection(config, Secret((before.details.reveal() if before else {}) | changed))
            opened = await self._tried(stored)
            await save(self.storage, f"config/{name}", stored)
            await self._forget(name)
            self._open[name] = opened
        return Response(warnings=[_WARNING]) if stored.hidden_password else None

    @delete("config/{name}")
    async def delete_connection(self, name: str) -> None:
        """Delete a connection; users that it made stay until their leases end, and can then not be dropped."""
        async with self._configuring.of(name):
            await self.storage.commit([remove(f"config/{name}")])
            await self._forget(name)

    @write("reset/{name}")
    async def reset(self, name: str) -> None:
        """Close all of a connection's sockets and connect anew."""
        await self._stored(name)
        async with self._configuring.of(name):
            await self._forget(name)
            opened = await self._opened(name)
            try:
                await opened.database.verify()
            except DatabaseError as error:
                raise Internal(str(error)) from None

    @write("rotate-root/{name}")
    async def rotate_root(self, name: str) -> None:
        """Give the configured user a new password, which nobody but this server knows."""
        async with self._configuring.of(name):
            opened = await self._opened(name)
            stored = opened.stored
            details = stored.details.reveal()
            if not details.get("username") or not details.get("password"):
                raise InvalidRequest("unable to rotate root credentials: no username or password in configuration")
            password = await passwords.make(self.system, stored.config.password_policy)
            # Security 1: the new password is stored before the database knows it, so that no crash can lose it.
            await save(self.storage, f"config/{name}", replace(stored, next_password=Secret(password)))
            try:
                await opened.database.update(User(str(details["username"]), password),
                                             plain(stored.config.root_rotation_statements))  # fmt: skip
            except DatabaseError as error:
                raise Internal(f"failed to update user: {error}") from None
            finally:
                await self._forget(name)  # which of the two passwords holds is found out when it is opened
            if (await self._opened(name)).stored.details.reveal().get("password") != password:
                raise Internal("failed to update user: the database does not take the new password")

    async def has_connection(self, name: str) -> bool:
        """Tell whether there is such a connection."""
        return await self.storage.get(f"config/{name}") is not None

    # -- for roles ----------------------------------------------------------------------------------------------------

    async def check_unique(self, name: str, folder: str) -> None:
        """Raise InvalidRequest where a role of the other kind, stored in ``folder``, is called so."""
        if await self.storage.get(folder + name) is not None:
            raise InvalidRequest("Role and Static Role names must be unique")

    async def connection(self, name: str) -> Open:
        """Return a connection, opened; raises InvalidRequest where there is none."""
        if (opened := self._open.get(name)) is not None:
            return opened
        async with self._configuring.of(name):
            return await self._opened(name)

    async def run(self, name: str, connection: Open, work: Callable[[Database], Awaitable[None]]) -> None:
        """Let a database work; where it refuses our password, since that was just changed, once more with the new one.

        Raises DatabaseError, and RequestError where the connection is no longer there.
        """
        try:
            await work(connection.database)
        except Unverified:
            async with self._configuring.of(name):
                opened = await self._opened(name)
            if opened is connection:
                raise
            await work(opened.database)

    async def _opened(self, name: str) -> Open:
        if (opened := self._open.get(name)) is None:
            stored = await self._stored(name)
            if stored.next_password:
                stored = await self._settled(name, stored)
            opened = self._open[name] = _open(stored, self.system)
        return opened

    async def _settled(self, name: str, stored: Connection) -> Connection:
        """Find out whether the database has the password that was about to be set; store what holds."""
        details = stored.details.reveal() | {"password": stored.next_password.reveal()}
        renewed = Connection(stored.config, Secret(details))
        kept = Connection(stored.config, stored.details)
        settled = renewed if await _works(renewed, self.system) else kept
        if settled is kept and not await _works(kept, self.system):
            raise Internal("error verifying connection: neither the password in use nor the next one is accepted, "
                           "or the database is down")  # fmt: skip
        await save(self.storage, f"config/{name}", settled)
        return settled

    async def _stored(self, name: str) -> Connection:
        stored = await load(self.storage, f"config/{name}", Connection)
        if stored is None:
            raise Internal(f'failed to find entry for connection with name: "{name}"')
        return stored

    async def _forget(self, name: str) -> None:
        opened = self._open.pop(name, None)
        if opened is not None:
            await opened.database.close()

    async def _tried(self, stored: Connection) -> Open:
        try:
            opened = _open(stored, self.system)
            if opened.username_template:
                usernames.check(opened.username_template)
            if stored.config.verify_connection:
                try:
                    await opened.database.verify()
                except DatabaseError:
                    await opened.database.close()
                    raise
        except (DatabaseError, FieldError, UnknownPart) as error:
            raise InvalidRequest(f"error creating database object: {error}") from None
        except BadTemplate as error:
            raise InvalidRequest(f"error creating database object: invalid username template: {error}") from None
        return opened


def _check_version(config: Config) -> None:
    """Refuse a version of a plugin that is not there: there is one only, the server's own."""
    version = config.plugin_version.removeprefix("v").partition("+")[0]
    if version not in {"", VERSION}:
        raise InvalidRequest("error creating database object: plugin not found in the catalog: "
                             f"{config.plugin_name}, version={config.plugin_version}")  # fmt: skip


def _open(stored: Connection, system: Any) -> Open:
    """Make the database of a connection; nothing is connected yet."""
    plugin = load_plugin(stored.config.plugin_name)
    details: Mapping[str, Any] = stored.details.reveal()
    settings = parse(plugin.Settings, details).value
    template = str(details.get("username_template") or "") or username_template(stored.config.plugin_name)
    return Open(stored, plugin, plugin.open_database(settings, system.clock), template)


async def _works(stored: Connection, system: Any) -> bool:
    database = _open(stored, system).database
    try:
        await database.verify()
    except Unverified:
        return False
    finally:
        await database.close()
    return True
