"""PostgreSQL, through psycopg 3. One transaction and one round trip for whatever is asked.

All statements of a call go as one simple query, which PostgreSQL runs as one transaction and takes apart itself.
"""

import contextlib
import re
import select
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from strongroom_common.clock import Clock
from strongroom_common.fields import Seconds
from strongroom_common.secret import Secret
from strongroom_server.engines.database.plugins import scram
from strongroom_server.engines.database.plugins.memfile import MemoryFile
from strongroom_server.engines.database.plugins.pool import Driver, Pool
from strongroom_server.engines.database.plugins.protocol import DatabaseError, Unverified, User
from strongroom_server.engines.database.plugins.url import fill_url
from strongroom_server.engines.database.statements import Dialect, UnsafeValue, double, fill, without

if TYPE_CHECKING:
    from psycopg import AsyncConnection, Error

USERNAME = (
    '{{ printf "v-%s-%s-%s-%s" (.DisplayName | truncate 8) (.RoleName | truncate 8) (random 20) (unix_time) '
    "| truncate 63 }}"
)
CREDENTIALS = frozenset({"password", "client_certificate"})

_WAIT = 10  # seconds for a connection, unless the URL says otherwise
_UPDATE = ("ALTER ROLE \"{{name}}\" WITH PASSWORD '{{password}}'",)
_RENEW = ("ALTER ROLE \"{{name}}\" VALID UNTIL '{{expiration}}'",)
# What the role was granted goes with it, in whatever schema; what it made stays, and is then the server's.
_REVOKE = (
    """DO $strongroom$ BEGIN
IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = '{{name}}') THEN
  IF NOT pg_catalog.pg_has_role(current_user, '{{name}}', 'USAGE') THEN GRANT "{{name}}" TO CURRENT_USER; END IF;
  REASSIGN OWNED BY "{{name}}" TO CURRENT_USER;
  DROP OWNED BY "{{name}}";
  DROP ROLE "{{name}}";
END IF; END $strongroom$""",
)
_DIALECT = Dialect(
    re.compile(
        r"""(?P<escaped>\b[eE]'(?:[^'\\]|\\.|'')*(?:'|\Z))
          | (?P<literal>'[^']*(?:'|\Z))
          | (?P<identifier>"[^"]*(?:"|\Z))
          | (?P<comment>--[^\n]*|/\*(?:[^*/]|\*(?!/)|/(?!\*)|/\*.*?\*/)*(?:\*/|\Z))
          | (?P<body>(?P<tag>\$(?:[^\W\d]\w*)?\$).*?(?:(?P=tag)|\Z))
          | (?P<code>[^'"$/eE-]+|.)""",
        re.VERBOSE | re.DOTALL,
    ),
    {
        "literal": double("'"),
        "identifier": double('"'),
        "escaped": lambda value: value.replace("\\", "\\\\").replace("'", "''"),
    },
)


@dataclass(frozen=True)
class Settings:
    """Connection details (api-docs/secret/databases/postgresql)."""

    connection_url: Annotated[str, "URL of the database, with {{username}} and {{password}} in it."] = ""
    username: Annotated[str, "Who connects."] = ""
    password: Annotated[Secret[str], "The password."] = Secret("")
    max_open_connections: Annotated[int, "How many connections at most."] = 4
    max_idle_connections: Annotated[int, "How many are kept open; 0 is all, less is none."] = 0
    max_connection_lifetime: Annotated[Seconds, "How long one is used; 0 is for ever."] = Seconds(0)
    username_template: Annotated[str, "Template of users' names."] = ""
    password_authentication: Annotated[
        Literal["password", "scram-sha-256"], "Whether PostgreSQL is told passwords, or their SCRAM verifiers alone."
    ] = "password"  # noqa: S105 - a method
    disable_escaping: Annotated[bool, "Put credentials into the URL as they are."] = False
    tls_ca: Annotated[str, "Certificates (PEM) that the server's is checked by."] = ""
    tls_certificate: Annotated[str, "Certificate (PEM) to connect with."] = ""
    private_key: Annotated[Secret[str], "Its key (PEM)."] = Secret("")


def open_database(settings: Settings, clock: Clock) -> "PostgreSQL":
    """Return the database; raises DatabaseError where the settings cannot be."""
    if not settings.connection_url:
        raise DatabaseError("connection_url cannot be empty")
    return PostgreSQL(settings, clock)


class PostgreSQL:
    """Implements ``protocol.Database``."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._files = {
            "sslrootcert": MemoryFile(settings.tls_ca),
            "sslcert": MemoryFile(settings.tls_certificate),
            "sslkey": MemoryFile(settings.private_key.reveal()),
        }
        size = settings.max_open_connections if settings.max_open_connections > 0 else 4
        idle = max(settings.max_idle_connections, 0) if settings.max_idle_connections else size
        self._pool: Pool[AsyncConnection[Any]] = Pool(
            Driver(self._connect, _usable, _close), clock, size=size, idle=min(idle, size),
            lifetime=settings.max_connection_lifetime,
        )  # fmt: skip
        self._hashes_like: scram.Parameters | None = None

    async def verify(self) -> None:
        """Make a connection and try it."""
        await self._run(["SELECT 1"])

    async def create(self, user: User, statements: Sequence[str]) -> None:
        """Run the creation statements in one transaction."""
        await self._fill_and_run(statements, user)

    async def update(self, user: User, statements: Sequence[str]) -> None:
        """Change a password."""
        await self._fill_and_run(statements or _UPDATE, user)

    async def renew(self, user: User, statements: Sequence[str]) -> None:
        """Move VALID UNTIL on."""
        await self._fill_and_run(statements or _RENEW, user)

    async def revoke(self, name: str, statements: Sequence[str]) -> None:
        """Drop a role."""
        if statements:
            await self._fill_and_run(statements, User(name))
        else:
            await self._run([_default_revocation(name)])

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.close()
        for file in self._files.values():
            file.close()

    # -- statements ---------------------------------------------------------------------------------------------------

    async def _fill_and_run(self, statements: Sequence[str], user: User) -> None:
        expiration = datetime.fromtimestamp(user.expires, UTC).strftime("%Y-%m-%d %H:%M:%S+0000")
        values = {"name": user.name, "username": user.name, "password": user.password, "expiration": expiration}
        if user.password:
            statements = await self._with_verifier(statements, values)
        try:
            filled = fill(statements, values, _DIALECT)
        except UnsafeValue as error:
            raise DatabaseError(str(error)) from None
        await self._run(filled, secrets=(user.password, values.get("verifier", "")))

    async def _with_verifier(self, statements: Sequence[str], values: dict[str, str]) -> Sequence[str]:
        """Let the verifier take the password's place, everywhere if so configured, else where it comes to the same.

        PostgreSQL makes the same verifier of a role's password itself; made here the password is in no log of its.
        """
        everywhere = self._settings.password_authentication == scram.METHOD
        if not everywhere and not any(scram.replaceable(text) for text in statements):
            return statements
        like = await self._parameters()
        if like is None and not everywhere:
            return statements
        values["verifier"] = await scram.verifier(values["password"], like or scram.Parameters())
        if everywhere:
            return [text.replace("{{password}}", "{{verifier}}") for text in statements]
        return [scram.replaced(text) for text in statements]

    async def _parameters(self) -> scram.Parameters | None:
        """Return how this PostgreSQL hashes passwords, None where that is not SCRAM."""
        if self._hashes_like is None:
            rows = await self._run([
                "SELECT pg_catalog.current_setting('password_encryption'), "
                "coalesce(pg_catalog.current_setting('scram_iterations', true), '')"
            ])  # fmt: skip
            method, iterations = rows[0]
            self._hashes_like = scram.Parameters(method == scram.METHOD, int(iterations or scram.ITERATIONS))
        return self._hashes_like if self._hashes_like.on else None

    async def _run(self, statements: Sequence[str], secrets: Sequence[str] = ()) -> list[Any]:
        """Run all in one transaction and one round trip; return the rows of the first that has any."""
        import psycopg

        try:
            async with self._pool.connection() as connection:
                cursor = await connection.execute("\n;\n".join(statements).encode())
                return await cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            raise DatabaseError(without(_message(error), secrets)) from None

    # -- connections --------------------------------------------------------------------------------------------------

    async def _connect(self) -> "AsyncConnection[Any]":
        import psycopg

        try:
            connection = await psycopg.AsyncConnection.connect(**self._words(), autocommit=True)
        except (psycopg.Error, ValueError) as error:
            password = self._settings.password.reveal()
            raise Unverified(without(f"error verifying connection: {str(error).strip()}", (password,))) from None
        return connection

    def _words(self) -> Mapping[str, Any]:
        from psycopg.conninfo import conninfo_to_dict

        settings = self._settings
        url = fill_url(settings.connection_url, settings.username, settings.password.reveal(),
                       escape=not settings.disable_escaping)  # fmt: skip
        files = {word: file.path for word, file in self._files.items() if file.path}
        return {"connect_timeout": _WAIT, "client_encoding": "utf8"} | conninfo_to_dict(url) | files


def _default_revocation(name: str) -> str:
    """Fill the default. Its body is in dollars, yet the name stands in quotes there: it is escaped for those."""
    if "$strongroom$" in name or "\0" in name:
        raise DatabaseError("the user's name cannot stand in a statement")
    literal, identifier = name.replace("'", "''"), name.replace('"', '""')
    return _REVOKE[0].replace("'{{name}}'", f"'{literal}'").replace('"{{name}}"', f'"{identifier}"')


def _usable(connection: "AsyncConnection[Any]") -> bool:
    """Tell whether a connection can be lent: it is at rest, and the server has not closed it meanwhile."""
    from psycopg.pq import TransactionStatus

    if connection.closed or connection.info.transaction_status is not TransactionStatus.IDLE:
        return False
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return not poll.poll(0)  # nothing was asked: what there is to read is its end


async def _close(connection: "AsyncConnection[Any]") -> None:
    with contextlib.suppress(Exception):
        await connection.close()


def _message(error: "Error") -> str:
    """Say what PostgreSQL said, without the line of the statement that it quotes."""
    primary = error.diag.message_primary
    if primary is None:
        return (str(error).strip().splitlines() or [type(error).__name__])[0]
    severity = error.diag.severity_nonlocalized or "ERROR"
    return f"failed to execute query: {severity}: {primary} (SQLSTATE {error.sqlstate})"
