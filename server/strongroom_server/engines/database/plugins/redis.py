"""Redis and Valkey, through redis-py: users are entries of the access control list (redis.io, ACL).

Statements are rules: one string with a JSON list of them, or each a string of its own. One command makes a user wholly
or not at all.
"""

import json
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

from strongroom_common.clock import Clock
from strongroom_common.secret import Secret
from strongroom_server.engines.database.plugins.protocol import DatabaseError, Interrupted, Unverified, User
from strongroom_server.engines.database.statements import without

if TYPE_CHECKING:
    from redis.asyncio import Redis as Client

USERNAME = '{{ printf "V_%s_%s_%s_%s" .DisplayName .RoleName (random 20) (unix_time) | uppercase | truncate 128 }}'
CREDENTIALS = frozenset({"password"})

_WAIT = 10  # seconds for a connection and for an answer
_DEFAULT = ("~*", "+@read")
_SCHEMES = {"redis": "plain", "valkey": "plain", "rediss": "tls", "valkeys": "tls"}


@dataclass(frozen=True)
class Settings:
    """Connection details (api-docs/secret/databases/redis)."""

    connection_url: Annotated[
        str, "valkey://{{username}}:{{password}}@host:port, in place of host and port; valkeys:// is with TLS."
    ] = ""
    host: Annotated[str, "Name or address."] = ""
    port: Annotated[int, "Port."] = 6379
    username: Annotated[str, "Who connects."] = ""
    password: Annotated[Secret[str], "The password."] = Secret("")
    username_template: Annotated[str, "Template of users' names."] = ""
    tls: Annotated[bool, "Whether to use TLS."] = False
    insecure_tls: Annotated[bool, "Do not check the server's certificate."] = False
    ca_cert: Annotated[str, "Certificates (PEM) that the server's is checked by."] = ""
    persistence_mode: Annotated[
        Literal["NONE", "ACLFILE", "REWRITE"], "Where the server is told to keep users: its ACL file or its settings."
    ] = "NONE"


def open_database(settings: Settings, clock: Clock) -> "Redis":
    """Return the database; raises DatabaseError where the settings cannot be."""
    del clock
    if settings.connection_url:
        settings = _from_url(settings)
    if not settings.host:
        raise DatabaseError("host cannot be empty")
    if not settings.username or not settings.password:
        raise DatabaseError("username and password cannot be empty")
    return Redis(settings)


def _from_url(settings: Settings) -> Settings:
    """Return the settings that a URL stands for; raises DatabaseError."""
    if settings.host:
        raise DatabaseError("cannot specify both connection_url and individual connection parameters")
    try:
        url = urlsplit(settings.connection_url)
        port, kind = url.port or settings.port, _SCHEMES[url.scheme]
    except (KeyError, ValueError):
        raise DatabaseError("invalid connection_url: expected valkey://user:password@host:port") from None
    given = {"{{username}}": settings.username, "{{password}}": settings.password.reveal()}
    username, password = (given.get(text or "", unquote(text or "")) for text in (url.username, url.password))
    return replace(
        settings, host=url.hostname or "", port=port, username=username or settings.username,
        password=Secret(password) or settings.password, tls=settings.tls or kind == "tls",
    )  # fmt: skip


class Redis:
    """Implements ``protocol.Database``."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: Client | None = None

    async def verify(self) -> None:
        """Make a connection and try it."""
        try:
            await self._run(["PING"])
        except Unverified:
            raise
        except DatabaseError as error:
            raise Unverified(f"error verifying connection: {error}") from None

    async def create(self, user: User, statements: Sequence[str]) -> None:
        """Make a user with the rules given, or one that may read everything."""
        rules = _rules(statements)
        await self._run(["ACL", "SETUSER", user.name, "reset", "on", ">" + user.password, *(rules or _DEFAULT)], user)
        await self._persist()

    async def update(self, user: User, statements: Sequence[str]) -> None:
        """Give a user a new password in place of all it had, and further rules."""
        if await self._run(["ACL", "GETUSER", user.name]) is None:  # which SETUSER would make
            raise DatabaseError(f'user "{user.name}" does not exist')
        await self._run(["ACL", "SETUSER", user.name, "resetpass", ">" + user.password, *_rules(statements)], user)
        await self._persist()

    async def renew(self, user: User, statements: Sequence[str]) -> None:
        """Do nothing: users have no end of their own."""

    async def revoke(self, name: str, statements: Sequence[str]) -> None:
        """Remove a user; the server ends its connections."""
        del statements
        await self._run(["ACL", "DELUSER", name])
        await self._persist()

    async def close(self) -> None:
        """Close all connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _persist(self) -> None:
        if self._settings.persistence_mode == "ACLFILE":
            await self._run(["ACL", "SAVE"])
        elif self._settings.persistence_mode == "REWRITE":
            await self._run(["CONFIG", "REWRITE"])

    async def _run(self, words: Sequence[str], user: User | None = None) -> Any:
        from redis.exceptions import AuthenticationError, RedisError, ResponseError

        secrets = (self._settings.password.reveal(), user.password if user else "")
        try:
            if self._client is None:
                self._client = self._open()
            return await self._client.execute_command(*words)  # type: ignore[no-untyped-call]
        except AuthenticationError as error:
            raise Unverified(without(f"error verifying connection: {error}", secrets)) from None
        except ResponseError as error:
            raise DatabaseError(without(str(error), secrets)) from None
        except (RedisError, OSError, ValueError) as error:
            raise Interrupted(without(str(error), secrets)) from None

    def _open(self) -> "Client":
        from redis.asyncio import Redis as Client
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        settings = self._settings
        tls: dict[str, Any] = {}
        if settings.tls:
            checked = not settings.insecure_tls
            tls = {"ssl": True, "ssl_ca_data": settings.ca_cert or None, "ssl_check_hostname": checked,
                   "ssl_cert_reqs": ssl.CERT_REQUIRED if checked else ssl.CERT_NONE}  # fmt: skip
        return Client(
            host=settings.host, port=settings.port, username=settings.username, password=settings.password.reveal(),
            socket_connect_timeout=_WAIT, socket_timeout=_WAIT, decode_responses=True,
            retry=Retry(NoBackoff(), 1), **tls,
        )  # fmt: skip


def _rules(statements: Sequence[str]) -> list[str]:
    """Return the rules that statements stand for; raises DatabaseError."""
    rules: list[str] = []
    for text in statements:
        if not text.lstrip().startswith("["):
            rules += text.split()
            continue
        try:
            given = json.loads(text)
        except ValueError:
            raise DatabaseError("creation_statements: expected a JSON list of rules") from None
        rules += [str(rule) for rule in given]
    if any(rule.startswith((">", "<", "#", "!")) or rule.lower() in {"nopass", "reset", "resetpass"} for rule in rules):
        # Security 1: a rule must not let anybody else in: passwords are this server's to set.
        raise DatabaseError("creation_statements: rules about passwords are not allowed")
    return rules
