"""PostgreSQL, through psycopg 3: one transaction and one round trip for whatever is asked.

All statements of a call go as one simple query, which PostgreSQL runs as one transaction and takes apart itself.
"""

import contextlib
import re
import select
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Annotated, Any, Literal

from strongroom_common.clock import Clock
from strongroom_common.fields import Seconds
from strongroom_common.secret import Secret
from strongroom_server.engines.database.plugins import scram
from strongroom_server.engines.database.plugins.batches import Batches
from strongroom_server.engines.database.plugins.creation import LOCK, arranged
from strongroom_server.engines.database.plugins.memfile import MemoryFile
from strongroom_server.engines.database.plugins.pool import Driver, Pool
from strongroom_server.engines.database.plugins.protocol import DatabaseError, Interrupted, Unverified, User
from strongroom_server.engines.database.plugins.url import fill_url, for_libpq
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
# What roles were granted goes with them, in whatever schema; what they made stays, and is then the server's.
_REVOKE = """DO {tag}
DECLARE role name; names text;
BEGIN
  FOR role IN SELECT rolname FROM pg_catalog.pg_roles
      WHERE rolname IN ({names}) AND NOT pg_catalog.pg_has_role(current_user, oid, 'USAGE') LOOP
    EXECUTE pg_catalog.format('GRANT %I TO CURRENT_USER', role);
  END LOOP;
  SELECT pg_catalog.string_agg(pg_catalog.quote_ident(rolname), ', ') INTO names
      FROM pg_catalog.pg_roles WHERE rolname IN ({names});
  IF names IS NOT NULL THEN
    EXECUTE 'REASSIGN OWNED BY ' || names || ' TO CURRENT_USER';
    EXECUTE 'DROP OWNED BY ' || names;
    EXECUTE 'DROP ROLE ' || names;
  END IF;
END {tag}"""
_ASK = """SELECT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user),
    current_setting('password_encryption'), current_setting('scram_iterations', true),
    (SELECT coalesce(string_agg(setting, ','), '') FROM pg_catalog.pg_settings WHERE name LIKE '%_preload_libraries')"""
_BATCH = 32  # roles dropped in one transaction
_TRIES = 4  # where a transaction meets another that changes the same row of a catalog
_CONFLICTS = frozenset({"40001", "40P01"})  # serialization_failure, deadlock_detected
_DIALECT = Dialect(
    re.compile(
        r"""(?P<escaped>\b[eE]'(?:[^'\\]|\\.|'')*(?:'|\Z))
          | (?P<literal>'[^']*(?:'|\Z))
          | (?P<identifier>"[^"]*(?:"|\Z))
          | (?P<comment>--[^\n]*|/\*(?:[^*/]|\*(?!/)|/(?!\*)|/\*.*?\*/)*(?:\*/|\Z))
          | (?P<body>(?P<tag>\$(?:[^\W\d]\w*)?\$).*?(?:(?P=tag)|\Z))
          | (?P<code>{{\w+}}|[^'"$/eE{-]+|.)""",
        re.VERBOSE | re.DOTALL,
    ),
    {
        "literal": double("'"),
        "identifier": double('"'),
        "escaped": lambda value: value.replace("\\", "\\\\").replace("'", "''"),
    },
)


@dataclass(frozen=True)
class Server:
    """What a server lets us do: whether ``verifiers`` can be stored as they are, made in how many rounds."""

    verifiers: bool
    iterations: int


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
            Driver(self._connect, _at_rest, _alive, _close), clock, size=size, idle=min(idle, size),
            lifetime=settings.max_connection_lifetime,
        )  # fmt: skip
        self._revocations = Batches(self._drop, _BATCH)
        self._server: Server | None = None

    async def verify(self) -> None:
        """Make a connection and try it."""
        await self._run(["SELECT 1"])

    async def create(self, user: User, statements: Sequence[str]) -> None:
        """Run the creation statements in one transaction."""
        if not statements:
            raise DatabaseError("empty creation statements")
        await self._fill_and_run(arranged(statements, direct=await self._stores_verifiers(user)), user)

    async def update(self, user: User, statements: Sequence[str]) -> None:
        """Change a password."""
        await self._fill_and_run(statements or _UPDATE, user)

    async def renew(self, user: User, statements: Sequence[str]) -> None:
        """Move VALID UNTIL on."""
        await self._fill_and_run(statements or _RENEW, user)

    async def revoke(self, name: str, statements: Sequence[str]) -> None:
        """Drop a role."""
        if not statements:
            await self._revocations.add(name)
            return
        try:
            await self._fill_and_run([LOCK, *statements], User(name))
        except Unverified:
            raise
        except DatabaseError:
            if await self._is_there(name):
                raise

    async def _is_there(self, name: str) -> bool:
        query = fill(["SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = '{{name}}'"], {"name": name}, _DIALECT)
        return bool(await self._run(query))

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.close()
        for file in self._files.values():
            file.close()

    # -- statements ---------------------------------------------------------------------------------------------------

    async def _fill_and_run(self, statements: Sequence[str], user: User) -> None:
        expiration = datetime.fromtimestamp(user.expires, UTC).strftime("%Y-%m-%d %H:%M:%S+0000")
        values = {"name": user.name, "username": user.name, "password": user.password, "expiration": expiration}
        if self._settings.password_authentication == scram.METHOD and user.password.isascii():
            statements = [text.replace("{{password}}", "{{verifier}}") for text in statements]
        if any("{{verifier}}" in text for text in statements):
            values["verifier"] = await scram.verifier(user.password, (await self._known()).iterations)
        try:
            filled = fill(statements, values, _DIALECT)
        except UnsafeValue as error:
            raise DatabaseError(str(error)) from None
        await self._run(filled, secrets=(user.password, values.get("verifier", "")))

    async def _stores_verifiers(self, user: User) -> bool:
        """Tell whether a role's verifier may be stored as it is: only where the settings ask for verifiers alone."""
        asked = self._settings.password_authentication == scram.METHOD
        return asked and user.password.isascii() and (await self._known()).verifiers

    async def _known(self) -> "Server":
        """Find out once what the server does with passwords, and whether we may store their verifiers."""
        if self._server is None:
            (superuser, method, iterations, libraries), *_ = await self._run([_ASK])
            checks = "pass" in libraries or "cred" in libraries  # passwordcheck and its like want to see passwords
            verifiers = superuser and method == scram.METHOD and not checks
            self._server = Server(verifiers, int(iterations or scram.ITERATIONS))
        return self._server

    async def _drop(self, names: Sequence[str]) -> None:
        """Drop roles that are there, and with them what they were granted."""
        literals = ", ".join("'" + name.replace("'", "''") + "'" for name in names)
        # Security 1: no name ends the body that it stands in.
        tag = next(tag for number in count() if (tag := f"$drop{number}$") not in literals)
        await self._run([LOCK, _REVOKE.replace("{tag}", tag).replace("{names}", literals)])

    async def _run(self, statements: Sequence[str], secrets: Sequence[str] = ()) -> list[Any]:
        """Run all in one transaction and one round trip; return the rows of the first that has any."""
        import psycopg

        query = "\n;\n".join(statements).encode()
        for attempt in range(_TRIES):
            try:
                async with self._pool.connection() as connection:
                    cursor = await connection.execute(query)
                    return await cursor.fetchall() if cursor.description else []
            except psycopg.Error as error:
                if attempt + 1 < _TRIES and _conflict(error):
                    continue
                kind = DatabaseError if error.sqlstate else Interrupted
                raise kind(without(_message(error), secrets)) from None
        raise AssertionError("the last attempt returns or raises")

    # -- connections --------------------------------------------------------------------------------------------------

    async def _connect(self) -> "AsyncConnection[Any]":
        import psycopg

        try:
            words = self._words()
        except (psycopg.ProgrammingError, ValueError):  # which quotes the URL, with the password in it
            raise Unverified("invalid connection_url: expected postgresql://… or words such as host=… user=…") from None
        try:
            return await psycopg.AsyncConnection.connect(**words, autocommit=True)
        except psycopg.Error as error:
            password = self._settings.password.reveal()
            raise Unverified(without(f"error verifying connection: {str(error).strip()}", (password,))) from None

    def _words(self) -> Mapping[str, Any]:
        from psycopg.conninfo import conninfo_to_dict
        from psycopg.pq import Conninfo

        settings = self._settings
        known = frozenset(option.keyword.decode() for option in Conninfo.get_defaults())
        url = fill_url(for_libpq(settings.connection_url, known), settings.username, settings.password.reveal(),
                       escape=not settings.disable_escaping)  # fmt: skip
        files = {word: file.path for word, file in self._files.items() if file.path}
        return {"connect_timeout": _WAIT, "client_encoding": "utf8"} | conninfo_to_dict(url) | files


def _at_rest(connection: "AsyncConnection[Any]") -> bool:
    """Tell whether no transaction was left open."""
    from psycopg.pq import TransactionStatus

    return connection.info.transaction_status is TransactionStatus.IDLE


def _alive(connection: "AsyncConnection[Any]") -> bool:
    """Tell whether the server has not closed a connection while it was idle."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return not poll.poll(0)  # nothing was asked: what there is to read is its end


async def _close(connection: "AsyncConnection[Any]") -> None:
    with contextlib.suppress(Exception):
        await connection.close()


def _conflict(error: "Error") -> bool:
    """Tell whether a transaction failed, and was undone, only because of another at the same moment."""
    return error.sqlstate in _CONFLICTS or error.diag.message_primary == "tuple concurrently updated"


def _message(error: "Error") -> str:
    """Say what PostgreSQL said, without the line of the statement that it quotes."""
    primary = error.diag.message_primary
    if primary is None:
        return (str(error).strip().splitlines() or [type(error).__name__])[0]
    severity = error.diag.severity_nonlocalized or "ERROR"
    return f"failed to execute query: {severity}: {primary} (SQLSTATE {error.sqlstate})"
