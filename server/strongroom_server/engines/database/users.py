"""Users made on demand: each has a lease, and is dropped when that ends.

Whoever makes a user puts it on record first (``wal``); the record goes when the lease is stored, in the same commit.
"""

import logging
from typing import Any

from strongroom_server.engines.database import credentials, passwords, usernames
from strongroom_server.engines.database.connections import Open
from strongroom_server.engines.database.plugins.protocol import DatabaseError, Interrupted, User
from strongroom_server.engines.database.roles import Roles
from strongroom_server.engines.database.schemas import Role
from strongroom_server.engines.database.statements import plain
from strongroom_server.engines.database.username_templates import BadTemplate
from strongroom_server.engines.database.wal import Entry, WriteAheadLog
from strongroom_server.sdk.engine import read, renews, revokes
from strongroom_server.sdk.errors import Internal, InvalidRequest, RequestError
from strongroom_server.sdk.request import Lease, Request, Response

log = logging.getLogger("engines.database")

_GRACE = 5  # seconds between the end of the lease and the end that the database knows


class Users(Roles):
    """Makes users, renews and drops them."""

    async def start(self) -> None:
        """Make ready."""
        await super().start()
        self._wal = WriteAheadLog(self.storage, self.system.clock)

    async def tick(self) -> None:
        """Drop users that were made for nobody."""
        await super().tick()
        await self.sweep()

    async def sweep(self, *, last: bool = False) -> None:
        """Drop the users whose lease was never stored; the ``last`` time nothing is under way any more.

        They stay on record for a while: the database may only then get to making them.
        """
        for key, entry in await self._wal.stale(last=last):
            if await self._take_back(entry) and self._wal.over(entry):
                await self._wal.drop(key)

    @read("creds/{name}")
    async def make_user(self, name: str, request: Request) -> Response:
        """Make a user and return its credentials, once."""
        role = await self.role(name)
        if role is None:
            raise InvalidRequest(f"unknown role: {name}")
        connection = await self.connection(role.db_name)
        if not connection.allows(name):
            raise Internal(f'"{name}" is not an allowed role')
        credentials.supported(role, connection.plugin.CREDENTIALS)
        username = self._username(connection, role, name, request)
        credential = await credentials.make(self.system, role, connection.stored.config.password_policy, username)
        user = User(username, credential.password, credential.public_key, self._end(role))
        key, entry = await self._wal.begin(role.db_name, username, role.rollback_statements)
        try:
            statements = plain(role.creation_statements)
            await self.run(role.db_name, connection, lambda database: database.create(user, statements))
        except Interrupted as error:
            raise Internal(str(error)) from None
        except DatabaseError as error:
            if await self._take_back(entry):
                await self._wal.drop(key)
            raise Internal(str(error)) from None
        internal = {"username": username, "role": name, "db_name": role.db_name,
                    "revocation_statements": role.revocation_statements}  # fmt: skip
        lease = Lease("creds", internal, role.default_ttl, role.max_ttl, beside=[self._wal.end(key)])
        return Response({**credential.shown, "username": username}, lease=lease)

    @renews("creds")
    async def renew_user(self, lease: Lease, request: Request) -> Lease:
        """Move the end that the database knows on."""
        del request
        name = lease.internal["role"]
        role = await self.role(name)
        if role is None:
            raise InvalidRequest(f'error during renew: could not find role with name "{name}"')
        lease.max_ttl = role.max_ttl
        connection, statements = await self.connection(role.db_name), plain(role.renew_statements)
        user = User(lease.internal["username"], expires=self.system.clock.now() + lease.ttl + _GRACE)
        try:
            await self.run(role.db_name, connection, lambda database: database.renew(user, statements))
        except DatabaseError as error:
            raise InvalidRequest(f"failed to renew entry: {error}") from None
        return lease

    @revokes("creds")
    async def revoke_user(self, lease: Lease, request: Request) -> None:
        """Drop a user, by the role's statements of today or, where the role is gone, of the day it was made."""
        del request
        role = await self.role(lease.internal["role"])
        given = role.revocation_statements if role else lease.internal.get("revocation_statements") or ()
        db_name = role.db_name if role else lease.internal["db_name"]
        username, statements = lease.internal["username"], plain(tuple(given))
        connection = await self.connection(db_name)
        try:
            await self.run(db_name, connection, lambda database: database.revoke(username, statements))
        except DatabaseError as error:
            raise Internal(str(error)) from None

    # -- parts --------------------------------------------------------------------------------------------------------

    def _username(self, connection: Open, role: Role, name: str, request: Request) -> str:
        display_name = request.caller.display_name if request.caller else ""
        facts = usernames.Facts(display_name, name, self.system.clock.now(), passwords.letters)
        template = role.credential_config.get("common_name_template") or connection.username_template
        try:
            return usernames.render(template, facts)
        except BadTemplate as error:
            raise InvalidRequest(f"failed to generate username: {error}") from None

    def _end(self, role: Role) -> float:
        ttl = role.default_ttl or self.system.default_lease_ttl
        longest = min(limit for limit in (role.max_ttl, self.system.max_lease_ttl, ttl) if limit)
        return self.system.clock.now() + min(ttl, longest) + _GRACE

    async def _take_back(self, entry: Entry) -> bool:
        """Drop a user that has no lease, if it is there; tell whether that was done."""
        try:
            connection = await self.connection(entry.db_name)
            if entry.statements:
                await connection.database.revoke(entry.username, plain(entry.statements))
            await connection.database.revoke(entry.username, ())
        except (DatabaseError, RequestError) as error:
            log.warning("a user without a lease could not be dropped yet", extra={"fields": _fields(entry, error)})
            return False
        return True


def _fields(entry: Entry, error: Exception) -> dict[str, Any]:
    return {"username": entry.username, "connection": entry.db_name, "error": str(error)}
