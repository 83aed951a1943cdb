"""Static roles: users that are there already, whose passwords this server changes when they are due.

``static/<name>`` holds a role with its password. A new password is stored (``next``) before the database knows it, and
takes the other's place when it does: whenever the server stops, setting it again sets things right.
"""

import asyncio
import logging
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from strongroom_common.fields import Given
from strongroom_common.secret import Secret
from strongroom_server.engines.database import credentials, rotation
from strongroom_server.engines.database.connections import Connections, Open
from strongroom_server.engines.database.credentials import Credential
from strongroom_server.engines.database.plugins.protocol import DatabaseError, Interrupted, Unverified, User
from strongroom_server.engines.database.schemas import ROLES, STATIC_ROLES, StaticRole, static_facts
from strongroom_server.engines.database.statements import plain
from strongroom_server.lib.folders import Page, keys
from strongroom_server.lib.locks import KeyedLocks
from strongroom_server.lib.timestamps import timestamp
from strongroom_server.sdk.engine import delete, list_, read, write
from strongroom_server.sdk.errors import Internal, InvalidRequest, NotFound, RequestError
from strongroom_server.sdk.storage import load, remove, save

log = logging.getLogger("engines.database")

_RETRY = 10.0  # seconds until a change that failed is tried again


@dataclass(frozen=True)
class Account:
    """A static role as it is stored. ``rotated`` is when its password was last changed, in epoch seconds."""

    role: StaticRole
    credential: Secret[dict[str, Any]] = Secret({})
    next: Secret[dict[str, Any]] = Secret({})
    rotated: float = 0


class StaticRoles(Connections):
    """The static roles of a mount, and the task that changes their passwords."""

    async def start(self) -> None:
        """Make ready and begin to rotate."""
        await super().start()
        self._due: dict[str, float] = {}
        self._changed = asyncio.Event()
        self._rotating_locks = KeyedLocks()
        for name in await self.storage.list(STATIC_ROLES):
            account = await self.account(name)
            if account is not None:
                self._schedule(name, account)
        self._rotating = asyncio.ensure_future(self._rotate_when_due())

    async def close(self) -> None:
        """Stop rotating."""
        self._rotating.cancel()
        await asyncio.gather(self._rotating, return_exceptions=True)
        await super().close()

    # -- routes -------------------------------------------------------------------------------------------------------

    @list_("static-roles")
    async def list_static_roles(self, page: Given[Page]) -> dict[str, Any]:
        """List the static roles."""
        return keys(page.value.cut(await self.storage.list(STATIC_ROLES)))

    @read("static-roles/{name}")
    async def read_static_role(self, name: str) -> dict[str, Any]:
        """Read a static role."""
        account = await self.account(name)
        if account is None:
            raise NotFound
        return static_facts(account.role, timestamp(account.rotated) if account.rotated else None)

    @write("static-roles/{name}", exists="has_static_role")
    async def write_static_role(self, name: str, given: Given[StaticRole]) -> None:
        """Create or update a static role; a new one's password is changed at once."""
        async with self._rotating_locks.of(name):
            await self.check_unique(name, ROLES)
            before = await self.account(name)
            role = credentials.checked(_updated(given, before))
            account = replace(before, role=role) if before else Account(role)
            connection = await self._allowed(name, role)
            if before is None and not role.skip_import_rotation:
                account = await self._rotate(name, account, connection)
            else:
                now = self.system.clock.now()
                account = replace(account, rotated=account.rotated or now)
                await save(self.storage, STATIC_ROLES + name, account)
            self._schedule(name, account)

    @delete("static-roles/{name}")
    async def delete_static_role(self, name: str) -> None:
        """Delete a static role; the user keeps the password that it has."""
        async with self._rotating_locks.of(name):
            await self.storage.commit([remove(STATIC_ROLES + name)])
            self._due.pop(name, None)

    @read("static-creds/{name}")
    async def read_static_credentials(self, name: str) -> dict[str, Any]:
        """Read the present password of a static role, and how long it holds."""
        account = await self.account(name)
        if account is None:
            raise InvalidRequest(f"unknown role: {name}")
        await self._allowed(name, account.role)
        now = self.system.clock.now()
        left = max(ceil(rotation.due(account.role, account.rotated, now) - now), 0)
        return {
            **(account.credential.reveal() or {"password": ""}),
            "last_vault_rotation": timestamp(account.rotated),
            "ttl": left,
            "username": account.role.username,
            **account.role.when(),
        }

    @write("rotate-role/{name}")
    async def rotate_static_role(self, name: str) -> None:
        """Change the password of a static role now."""
        async with self._rotating_locks.of(name):
            account = await self.account(name)
            if account is None:
                raise InvalidRequest("no static role found for role name")
            self._schedule(name, await self._rotate(name, account, await self._allowed(name, account.role)))

    async def has_static_role(self, name: str) -> bool:
        """Tell whether there is such a static role."""
        return await self.account(name) is not None

    async def account(self, name: str) -> Account | None:
        """Return a static role with its password, or None."""
        return await load(self.storage, STATIC_ROLES + name, Account)

    # -- rotation -----------------------------------------------------------------------------------------------------

    async def _allowed(self, name: str, role: StaticRole) -> Open:
        connection = await self.connection(role.db_name)
        if not connection.allows(name):
            raise Internal(f'"{name}" is not an allowed role')
        credentials.supported(role, connection.plugin.CREDENTIALS)
        return connection

    async def _rotate(self, name: str, account: Account, connection: Open) -> Account:
        """Change a password; raises Internal, and the old one holds, or the next one does once it is tried again."""
        role = account.role
        credential = _resumed(account)
        if credential is None:
            credential = await credentials.make(self.system, role, connection.stored.config.password_policy,
                                                role.username)  # fmt: skip
            account = replace(account, next=Secret(credential.stored()))
            await save(self.storage, STATIC_ROLES + name, account)
        user = User(role.username, credential.password, credential.public_key)
        try:
            statements = plain(role.rotation_statements)
            await self.run(role.db_name, connection, lambda database: database.update(user, statements))
        except DatabaseError as error:
            await self._failed(name, account, error)
            raise Internal(f"error setting credentials: {error}") from None
        done = Account(role, Secret(dict(credential.shown)), rotated=self.system.clock.now())
        await save(self.storage, STATIC_ROLES + name, done)
        return done

    async def _failed(self, name: str, account: Account, error: DatabaseError) -> None:
        """Forget what has come to nothing: a role that was to be imported, or a password that the database refuses.

        The next try is then with another one. What a broken connection leaves open is tried again as it is.
        """
        if not account.rotated:
            await self.storage.commit([remove(STATIC_ROLES + name)])
        elif not isinstance(error, Interrupted | Unverified):
            await save(self.storage, STATIC_ROLES + name, replace(account, next=Secret({})))

    def _schedule(self, name: str, account: Account) -> None:
        now = self.system.clock.now()
        self._due[name] = now if account.next else rotation.due(account.role, account.rotated, now)
        self._changed.set()

    async def _rotate_when_due(self) -> None:
        while True:
            self._changed.clear()
            now = self.system.clock.now()
            for name in [name for name, when in self._due.items() if when <= now]:
                await self._rotate_one(name)
            wait = min(self._due.values(), default=now + 3600) - self.system.clock.now()
            if wait > 0:
                await self._wait(wait)

    async def _wait(self, seconds: float) -> None:
        sleeper = asyncio.ensure_future(self.system.clock.sleep(seconds))
        waker = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait({sleeper, waker}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeper.cancel()
            waker.cancel()

    async def _rotate_one(self, name: str) -> None:
        self._due[name] = self.system.clock.now() + _RETRY
        try:
            async with self._rotating_locks.of(name):
                account = await self.account(name)
                if account is None:
                    self._due.pop(name, None)
                    return
                connection = await self._allowed(name, account.role)
                self._schedule(name, await self._rotate(name, account, connection))
        except RequestError as error:
            log.warning("a password could not be changed yet", extra={"fields": {"role": name, "error": str(error)}})
        except Exception:
            log.exception("a password could not be changed", extra={"fields": {"role": name}})


def _updated(given: Given[StaticRole], before: Account | None) -> StaticRole:
    """Return the role as it is to be; raises InvalidRequest."""
    role, stored = given.over(before.role if before else None), before.role if before else None
    if not role.db_name:
        raise InvalidRequest("database name is a required field")
    if not role.username:
        raise InvalidRequest("username is a required field to create a static account")
    if stored is not None and role.username != stored.username:
        raise InvalidRequest("cannot update static account username")
    if "rotation_schedule" in given.sent and role.rotation_schedule and "rotation_period" not in given.sent:
        role = replace(role, rotation_period=StaticRole.rotation_period)
    if "rotation_period" in given.sent and role.rotation_period and "rotation_schedule" not in given.sent:
        role = replace(role, rotation_schedule="", rotation_window=StaticRole.rotation_window)
    rotation.check(role, given.sent)
    return role


def _resumed(account: Account) -> Credential | None:
    """Return the credential that was about to be set when the server stopped."""
    return Credential.restored(account.next.reveal()) if account.next else None
