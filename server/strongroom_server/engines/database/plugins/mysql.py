"""MySQL and MariaDB, through PyMySQL in threads.

Each statement text goes as one multi-statement query, which the server takes apart itself. There is no transaction
around: statements about users commit by themselves there, so what failed half-way is cleaned up afterwards.
"""

import asyncio
import contextlib
import re
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import parse_qsl

from strongroom_common.clock import Clock
from strongroom_common.durations import parse_duration
from strongroom_common.fields import Seconds
from strongroom_common.secret import Secret
from strongroom_server.engines.database.plugins.memfile import MemoryFile
from strongroom_server.engines.database.plugins.pool import Driver, Pool
from strongroom_server.engines.database.plugins.protocol import DatabaseError, Interrupted, Unverified, User
from strongroom_server.engines.database.statements import Dialect, UnsafeValue, double, fill, without
from strongroom_server.lib.trust import trust

if TYPE_CHECKING:
    from pymysql import Connection

USERNAME = (
    '{{ printf "v-%s-%s-%s-%s" (.DisplayName | truncate 10) (.RoleName | truncate 10) (random 20) (unix_time) '
    "| truncate 32 }}"
)
_SHORT = '{{ printf "v-%s-%s-%s" (.RoleName | truncate 4) (random 20) (unix_time) | truncate 16 }}'
VARIANTS = {"aurora": _SHORT, "legacy": _SHORT, "rds": _SHORT}  # names had 16 characters before MySQL 5.7
CREDENTIALS = frozenset({"password"})

_WAIT = 10  # seconds for a connection
_UPDATE = ("ALTER USER '{{name}}'@'%' IDENTIFIED BY '{{password}}'",)
_REVOKE = "DROP USER IF EXISTS '{{name}}'@'{{host}}'"
_HOSTS = "SELECT host FROM mysql.user WHERE user = '{{name}}'"
_DENIED = frozenset({1142, 1143, 1044})  # ER_TABLEACCESS_DENIED_ERROR, ER_COLUMNACCESS_…, ER_DBACCESS_DENIED_ERROR
_EMPTY = 1065  # ER_EMPTY_QUERY: a comment is no statement
_LOST = frozenset({2006, 2013, 2055})  # CR_SERVER_GONE_ERROR, CR_SERVER_LOST, CR_SERVER_LOST_EXTENDED
_DSN = re.compile(
    r"(?:(?P<user>[^:]*?)(?::(?P<password>.*))?@)?(?:(?P<net>\w+)(?:\((?P<address>[^)]*)\))?)?/(?P<name>[^?]*)"
    r"(?:\?(?P<options>.*))?"
)


def _backslashes(quote: str) -> Callable[[str], str]:
    doubled = double(quote)
    return lambda value: doubled(value.replace("\\", "\\\\"))


_DIALECT = Dialect(
    re.compile(
        r"""(?P<literal>'(?:[^'\\]|\\.)*(?:'|\Z))
          | (?P<text>"(?:[^"\\]|\\.)*(?:"|\Z))
          | (?P<identifier>`[^`]*(?:`|\Z))
          | (?P<comment>(?:\#|--\s)[^\n]*|/\*.*?(?:\*/|\Z))
          | (?P<code>[^'"`/\#-]+|.)""",
        re.VERBOSE | re.DOTALL,
    ),
    {"literal": _backslashes("'"), "text": _backslashes('"'), "identifier": double("`")},
)


@dataclass(frozen=True)
class Settings:
    """Connection details (api-docs/secret/databases/mysql-maria)."""

    connection_url: Annotated[str, "{{username}}:{{password}}@tcp(host:port)/database?tls=true"] = ""
    username: Annotated[str, "Who connects."] = ""
    password: Annotated[Secret[str], "The password."] = Secret("")
    max_open_connections: Annotated[int, "How many connections at most."] = 4
    max_idle_connections: Annotated[int, "How many are kept open; 0 is all, less is none."] = 0
    max_connection_lifetime: Annotated[Seconds, "How long one is used; 0 is for ever."] = Seconds(0)
    username_template: Annotated[str, "Template of users' names."] = ""
    tls_ca: Annotated[str, "Certificates (PEM) that the server's is checked by."] = ""
    tls_certificate_key: Annotated[Secret[str], "Certificate and key (PEM) to connect with."] = Secret("")
    tls_server_name: Annotated[str, "Name that the server's certificate must have."] = ""
    tls_skip_verify: Annotated[bool, "Do not check the server's certificate."] = False


def open_database(settings: Settings, clock: Clock) -> "MySQL":
    """Return the database; raises DatabaseError where the settings cannot be."""
    if not settings.connection_url:
        raise DatabaseError("connection_url cannot be empty")
    return MySQL(settings, clock)


class MySQL:
    """Implements ``protocol.Database``."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._words = _words(settings)
        size = settings.max_open_connections if settings.max_open_connections > 0 else 4
        idle = max(settings.max_idle_connections, 0) if settings.max_idle_connections else size
        self._pool: Pool[Connection[Any]] = Pool(
            Driver(self._connect, _open, _open, _close), clock, size=size, idle=min(idle, size),
            lifetime=settings.max_connection_lifetime,
        )  # fmt: skip

    async def verify(self) -> None:
        """Make a connection and try it."""
        await self._run(["SELECT 1"])

    async def create(self, user: User, statements: Sequence[str]) -> None:
        """Run the creation statements."""
        if not statements:
            raise DatabaseError("empty creation statements")
        await self._fill_and_run(statements, user)

    async def update(self, user: User, statements: Sequence[str]) -> None:
        """Change a password."""
        await self._fill_and_run(statements or _UPDATE, user)

    async def renew(self, user: User, statements: Sequence[str]) -> None:
        """Run the renew statements; users have no end of their own here."""
        await self._fill_and_run(statements, user)

    async def revoke(self, name: str, statements: Sequence[str]) -> None:
        """Drop a user, by default at each host that it was made for."""
        if statements:
            await self._fill_and_run(statements, User(name))
            return
        drops = [text for host in await self._hosts(name) for text in _texts([_REVOKE], {"name": name, "host": host})]
        if drops:
            await self._run(drops)

    async def _hosts(self, name: str) -> Sequence[str]:
        """Return the hosts that a user may come from; any ("%") where we may not see that."""
        try:
            return [row[0] for row in await self._run(_texts([_HOSTS], {"name": name}))]
        except Refused as error:
            if error.number in _DENIED:
                return ["%"]
            raise

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.close()

    async def _fill_and_run(self, statements: Sequence[str], user: User) -> None:
        expiration = datetime.fromtimestamp(user.expires, UTC).strftime("%Y-%m-%d %H:%M:%S")
        values = {"name": user.name, "username": user.name, "password": user.password, "expiration": expiration}
        filled = _texts(statements, values)
        if filled:
            await self._run(filled, (user.password,))

    async def _run(self, statements: Sequence[str], secrets: Sequence[str] = ()) -> Sequence[Any]:
        """Run all; return the rows of the first."""
        import pymysql

        try:
            while True:  # connections that died while they were idle are passed over
                async with self._pool.connection() as connection:
                    if await asyncio.to_thread(_alive, connection):
                        return await asyncio.to_thread(_execute, connection, statements)
        except (pymysql.Error, OSError) as error:
            message = without(f"failed to execute query: {_message(error)}", secrets)
            if isinstance(error, OSError) or error.args[0] in _LOST:
                raise Interrupted(message) from None
            raise Refused(message, error.args[0]) from None

    async def _connect(self) -> "Connection[Any]":
        import pymysql

        try:
            return await asyncio.to_thread(self._open)
        except (pymysql.Error, OSError, ValueError) as error:
            secrets = (self._settings.password.reveal(),)
            raise Unverified(without(f"error verifying connection: {_message(error)}", secrets)) from None

    def _open(self) -> "Connection[Any]":
        import pymysql
        from pymysql.constants.CLIENT import MULTI_STATEMENTS

        tls: Any = _tls(self._settings) if self._encrypted() else None
        password = self._words["password"].encode()  # a text would be sent as Latin 1
        words = self._words | {"password": password, "ssl": tls, "client_flag": MULTI_STATEMENTS, "autocommit": True}
        *first, last = _places(self._settings)
        for place in first:
            with contextlib.suppress(pymysql.OperationalError):
                return pymysql.connect(**words | place)
        return pymysql.connect(**words | last)

    def _encrypted(self) -> bool:
        settings = self._settings
        wanted = _options(settings).get("tls", "false")
        return wanted not in {"false", ""} or bool(settings.tls_ca or settings.tls_certificate_key)


class Refused(DatabaseError):
    """The server refused; ``number`` is that of its error."""

    def __init__(self, message: str, number: Any) -> None:
        super().__init__(message)
        self.number = number


def _texts(statements: Sequence[str], values: Mapping[str, str]) -> list[str]:
    try:
        return fill(statements, values, _DIALECT)
    except UnsafeValue as error:
        raise DatabaseError(str(error)) from None


def _open(connection: "Connection[Any]") -> bool:
    return bool(connection.open)


def _alive(connection: "Connection[Any]") -> bool:
    """Ask whether the server is still there; a connection that it has ended is closed here too."""
    import pymysql

    try:
        connection.ping()
    except (pymysql.Error, OSError):
        with contextlib.suppress(pymysql.Error):
            connection.close()
        return False
    return True


def _execute(connection: "Connection[Any]", statements: Sequence[str]) -> Sequence[Any]:
    import pymysql

    rows: list[Sequence[Any]] = []
    with connection.cursor() as cursor:
        for text in statements:
            try:
                cursor.execute(text)
                rows.append(cursor.fetchall())
                while cursor.nextset():
                    pass
            except pymysql.Error as error:
                if error.args[0] != _EMPTY:
                    raise
    return rows[0] if rows else ()


async def _close(connection: "Connection[Any]") -> None:
    with contextlib.suppress(Exception):
        await asyncio.to_thread(connection.close)


def _message(error: Exception) -> str:
    if len(error.args) == 2:
        return f"Error {error.args[0]}: {error.args[1]}"
    return str(error)


def _words(settings: Settings) -> dict[str, Any]:
    """Return PyMySQL's arguments for a URL as Go's driver has them; raises DatabaseError."""
    match = _dsn(settings)
    user, password, name = (_filled(match[part] or "", settings) for part in ("user", "password", "name"))
    words: dict[str, Any] = {"user": user, "password": password, "database": name or None, "host": "localhost"}
    timeout = parse_duration(_options(settings).get("timeout", _WAIT))
    return words | {"connect_timeout": max(int(timeout), 1), "charset": "utf8mb4"} | _places(settings)[0]


def _dsn(settings: Settings) -> re.Match[str]:
    match = _DSN.fullmatch(settings.connection_url)
    if match is None:
        raise DatabaseError("invalid connection_url: expected user:password@tcp(host:port)/database")
    return match


def _places(settings: Settings) -> Sequence[dict[str, Any]]:
    """Return where the server may be, as PyMySQL's arguments: of several hosts one that answers is taken."""
    match = _dsn(settings)
    address = match["address"] or "127.0.0.1"
    if match["net"] == "unix":
        return [{"unix_socket": address}]
    return [_place(one.strip()) for one in address.split(",")]


def _place(address: str) -> dict[str, Any]:
    host, colon, port = address.rpartition(":")
    known = colon and port.isdigit()
    return {"host": host.strip("[]"), "port": int(port)} if known else {"host": address.strip("[]"), "port": 3306}


def _filled(part: str, settings: Settings) -> str:
    """Put credentials into one part of the URL after it was taken apart: no sign in them means anything."""
    return {"{{username}}": settings.username, "{{password}}": settings.password.reveal()}.get(part, part)


def _options(settings: Settings) -> dict[str, str]:
    return dict(parse_qsl(settings.connection_url.rpartition("/")[2].partition("?")[2]))


class _Context(ssl.SSLContext):
    """A context that expects one name in the certificate, whatever host is connected to."""

    name = ""

    def wrap_socket(self, *words: Any, **more: Any) -> ssl.SSLSocket:
        """Wrap a socket."""
        return super().wrap_socket(*words, **(more | ({"server_hostname": self.name} if self.name else {})))


def _tls(settings: Settings) -> ssl.SSLContext:
    """Return how to check the server, and what to show it."""
    context = _Context(ssl.PROTOCOL_TLS_CLIENT)
    context.name = settings.tls_server_name
    if settings.tls_ca:
        trust(context, settings.tls_ca)
    else:
        context.load_default_certs()
    if settings.tls_skip_verify or _options(settings).get("tls") in {"skip-verify", "preferred"}:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if settings.tls_certificate_key:
        chain = MemoryFile(settings.tls_certificate_key.reveal())
        try:
            context.load_cert_chain(chain.path)
        finally:
            chain.close()
    return context
