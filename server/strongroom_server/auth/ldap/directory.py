"""What is asked of a directory to let somebody in, in threads of its own.

A directory that hangs holds up other logins by LDAP at worst, and no other work.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from strongroom_server.auth.ldap.connection import Connection, Entry, connected
from strongroom_server.auth.ldap.filters import escape_value, group_name, rendered
from strongroom_server.sdk.errors import InvalidCredentials, InvalidRequest, UpstreamError

if TYPE_CHECKING:
    from strongroom_server.auth.ldap.schemas import Config

log = logging.getLogger("auth.ldap")

T = TypeVar("T")
THREADS = 16  # logins at a time
_FAILED = "ldap operation failed: failed to bind as user"


@dataclass(frozen=True)
class Found:
    """A user who has proved to be that user. ``alias`` names the identity; ``groups`` are the directory's."""

    dn: str
    alias: str
    groups: tuple[str, ...]


class Directory:
    """Asks the directory, a few logins at a time."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, "ldap")

    def close(self) -> None:
        """Take no more logins; those under way end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def log_in(self, config: "Config", username: str, password: str) -> Found:
        """Return a user whose password is right; raises InvalidRequest, UpstreamError."""
        return await self._run(_log_in, config, username, password)

    async def change_password(self, config: "Config", new: str) -> None:
        """Give the name that we bind with a new password; raises InvalidRequest, UpstreamError."""
        await self._run(_change_password, config, new)

    async def _run(self, work: Callable[..., T], config: "Config", *arguments: str) -> T:
        from ldap3.core.exceptions import LDAPException

        def guarded() -> T:
            try:
                return work(config, *arguments)
            except (LDAPException, OSError) as error:
                log.warning("the directory at %s cannot be asked: %s", config.url, error)
                raise UpstreamError("the LDAP server cannot be asked") from error

        return await asyncio.get_running_loop().run_in_executor(self._threads, guarded)


def _log_in(config: "Config", username: str, password: str) -> Found:
    with connected(config) as connection:
        user = _searched(config, connection, username) if config.searches_for_users else None
        # Security 1: a bind without a password succeeds as nobody and proves nothing (RFC 4513, 5.1.2 and 6.3.1).
        if not password or not connection.bind(user.dn if user else _made_name(config, username), password):
            raise InvalidCredentials(_FAILED)
        if config.binddn and config.bindpass:
            _bind_ourselves(config, connection)
        if user is None:
            user = _own_entry(config, connection, username)
        alias = _alias(config, user, username)
        if config.anonymous_group_search:
            connection.bind("", "")
        return Found(user.dn, alias, _groups(config, connection, user.dn, username))


def _bind_ourselves(config: "Config", connection: Connection) -> None:
    if not connection.bind(config.binddn, config.bindpass.reveal()):
        log.warning("the directory at %s refuses binddn %r", config.url, config.binddn)
        raise UpstreamError("ldap operation failed: failed to bind with binddn")


def _searched(config: "Config", connection: Connection, username: str) -> Entry:
    _bind_ourselves(config, connection)
    return _one_user(config, connection, username)


def _made_name(config: "Config", username: str) -> str:
    """Return what to bind as without a search: a principal name, or a name made from the template."""
    if config.upndomain:
        return f"{username}@{config.upndomain}"
    return f"{config.userattr}={escape_value(username)},{config.userdn}"


def _own_entry(config: "Config", connection: Connection, username: str) -> Entry:
    """Return the entry of a user who was not searched for."""
    if config.upndomain:
        return _one_user(config, connection, username)
    dn = _made_name(config, username)
    found = connection.search(dn, "(objectClass=*)", [config.userattr], base=True)
    return found[0] if found else Entry(dn, {})


def _one_user(config: "Config", connection: Connection, username: str) -> Entry:
    """Return the user's entry. Security 2: none and several are refused in the words of a wrong password."""
    by_principal = bool(config.upndomain)
    variables = {
        "UserAttr": "userPrincipalName" if by_principal else config.userattr,
        "Username": f"{username}@{config.upndomain}" if by_principal else username,
    }
    found = connection.search(config.userdn, rendered(config.userfilter, variables), [config.userattr])
    if len(found) != 1:
        log.info("%d entries below %s for one user", len(found), config.userdn)
        raise InvalidRequest(_FAILED)
    return found[0]


def _alias(config: "Config", user: Entry, username: str) -> str:
    if config.username_as_alias:
        return username
    values = user.values(config.userattr)
    if not values:
        raise InvalidRequest(f"missing entity alias attribute value: {config.userattr} of the user cannot be read")
    # Of several values it is the one that was typed, so that one person is one identity.
    return next((value for value in values if value.lower() == username.lower()), values[0])


def _groups(config: "Config", connection: Connection, dn: str, username: str) -> tuple[str, ...]:
    if not config.groupdn or not config.groupfilter:
        return ()
    wanted = rendered(config.groupfilter, {"UserDN": dn, "Username": username})
    names: dict[str, None] = {}
    for entry in connection.search(config.groupdn, wanted, [config.groupattr]):
        for value in entry.values(config.groupattr) or [entry.dn]:
            names[group_name(value, exact_case=config.use_pre111_group_cn_behavior)] = None
    return tuple(names)


def _change_password(config: "Config", new: str) -> None:
    with connected(config) as connection:
        _bind_ourselves(config, connection)
        connection.change_password(config.binddn, config.bindpass.reveal(), new)
