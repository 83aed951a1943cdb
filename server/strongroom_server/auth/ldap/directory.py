"""The directory, over LDAP: the only file of this method that does I/O besides storage.

ldap3 blocks; its calls run in threads of their own, so that a directory that hangs keeps no other work from them.
"""

import asyncio
import logging
import ssl
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from strongroom_server.auth.ldap.filters import escape_value, group_name, rendered
from strongroom_server.lib.trust import trust
from strongroom_server.sdk.errors import InvalidCredentials, InvalidRequest, UpstreamError

if TYPE_CHECKING:
    import ldap3

    from strongroom_server.auth.ldap.schemas import Config

log = logging.getLogger("auth.ldap")

T = TypeVar("T")
THREADS = 16  # logins at a time
_FAILED = "ldap operation failed: failed to bind as user"
_DEREFERENCES = {"never": "NEVER", "finding": "BASE", "searching": "SEARCH", "always": "ALWAYS"}
_TLS = {
    "tls10": ssl.TLSVersion.TLSv1, "tls11": ssl.TLSVersion.TLSv1_1, "tls12": ssl.TLSVersion.TLSv1_2,
    "tls13": ssl.TLSVersion.TLSv1_3,
}  # fmt: skip


_ANSWERS = frozenset({0, 10, 19, 32, 34, 48, 49, 50, 53})
"""Results that say something of what was asked for, and not of the server's state (RFC 4511, appendix A)."""


@dataclass(frozen=True)
class Found:
    """A user who has proved to be that user. ``alias`` names the identity; ``groups`` are the directory's."""

    dn: str
    alias: str
    groups: tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """A search result."""

    dn: str
    attributes: dict[str, list[str]]

    def values(self, attribute: str) -> list[str]:
        """Return an attribute's values; names of attributes have no case (RFC 4512, 2.5)."""
        wanted = attribute.lower()
        return next((values for name, values in self.attributes.items() if name.lower() == wanted), [])


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
        """Give the name that we bind with a new password (RFC 3062); raises InvalidRequest, UpstreamError."""
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
    with _connected(config) as connection:
        user = _searched(config, connection, username) if config.searches_for_users else None
        # Security 1: a bind without a password succeeds as nobody and proves nothing (RFC 4513, 5.1.2 and 6.3.1).
        if not password or not _bind(connection, user.dn if user else _made_name(config, username), password):
            raise InvalidCredentials(_FAILED)
        if config.binddn and config.bindpass:
            _bind_ourselves(config, connection)
        if user is None:
            user = _own_entry(config, connection, username)
        alias = _alias(config, user, username)
        if config.anonymous_group_search:
            _bind(connection, "", "")
        return Found(user.dn, alias, _groups(config, connection, user.dn, username))


def _searched(config: "Config", connection: "ldap3.Connection", username: str) -> Entry:
    _bind_ourselves(config, connection)
    return _one_user(config, connection, username)


def _made_name(config: "Config", username: str) -> str:
    """Return what to bind as without a search: a principal name, or a name made from the template."""
    if config.upndomain:
        return f"{username}@{config.upndomain}"
    return f"{config.userattr}={escape_value(username)},{config.userdn}"


def _own_entry(config: "Config", connection: "ldap3.Connection", username: str) -> Entry:
    """Return the entry of a user who was not searched for."""
    if config.upndomain:
        return _one_user(config, connection, username)
    dn = _made_name(config, username)
    found = _search(config, connection, dn, "(objectClass=*)", [config.userattr], base=True)
    return found[0] if found else Entry(dn, {})


def _one_user(config: "Config", connection: "ldap3.Connection", username: str) -> Entry:
    """Return the user's entry. Security 2: none and several are refused in the words of a wrong password."""
    by_principal = bool(config.upndomain)
    variables = {
        "UserAttr": "userPrincipalName" if by_principal else config.userattr,
        "Username": f"{username}@{config.upndomain}" if by_principal else username,
    }
    found = _search(config, connection, config.userdn, rendered(config.userfilter, variables), [config.userattr])
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


def _groups(config: "Config", connection: "ldap3.Connection", dn: str, username: str) -> tuple[str, ...]:
    if not config.groupdn or not config.groupfilter:
        return ()
    wanted = rendered(config.groupfilter, {"UserDN": dn, "Username": username})
    names: dict[str, None] = {}
    for entry in _search(config, connection, config.groupdn, wanted, [config.groupattr]):
        for value in entry.values(config.groupattr) or [entry.dn]:
            names[group_name(value, exact_case=config.use_pre111_group_cn_behavior)] = None
    return tuple(names)


def _change_password(config: "Config", new: str) -> None:
    with _connected(config) as connection:
        _bind_ourselves(config, connection)
        old = config.bindpass.reveal()
        if not connection.extend.standard.modify_password(config.binddn, old, new):
            raise InvalidRequest(f"the LDAP server did not change the password: {connection.result['description']}")


# -- one connection -------------------------------------------------------------------------------------------------


def _bind(connection: "ldap3.Connection", dn: str, password: str) -> bool:
    """Bind, as nobody where there is no name or password; tell whether the server takes it."""
    import ldap3

    connection.user, connection.password = dn or None, password or None
    connection.authentication = ldap3.SIMPLE if dn and password else ldap3.ANONYMOUS
    bound: bool = connection.bind(read_server_info=False)
    _check(connection, bound)
    return bound


def _check(connection: "ldap3.Connection", good: bool) -> None:
    """Raise UpstreamError where an operation failed by no fault of the user's: half an answer is none."""
    result = connection.result or {}
    if not good and result.get("result") not in _ANSWERS:
        log.warning("the directory answers %s: %s", result.get("description"), result.get("message"))
        raise UpstreamError(f"the LDAP server answered: {result.get('description')}")


def _bind_ourselves(config: "Config", connection: "ldap3.Connection") -> None:
    if not _bind(connection, config.binddn, config.bindpass.reveal()):
        log.warning("the directory at %s refuses binddn %r", config.url, config.binddn)
        raise UpstreamError("ldap operation failed: failed to bind with binddn")


def _search(
    config: "Config", connection: "ldap3.Connection", where: str, wanted: str, attributes: list[str], *,
    base: bool = False,
) -> list[Entry]:  # fmt: skip
    import ldap3
    from ldap3.core.exceptions import LDAPInvalidFilterError

    options = {
        "search_base": where, "search_filter": wanted, "search_scope": ldap3.BASE if base else ldap3.SUBTREE,
        "dereference_aliases": _DEREFERENCES[config.dereference_aliases], "attributes": attributes,
    }  # fmt: skip
    try:
        if config.max_page_size > 0 and not base:
            found = connection.extend.standard.paged_search(**options, paged_size=config.max_page_size, generator=False)
        else:
            _check(connection, connection.search(**options))
            found = connection.response
    except LDAPInvalidFilterError as error:
        raise InvalidRequest(f"the LDAP server does not understand a filter: {error}") from None
    return [_entry(one) for one in found or () if one["type"] == "searchResEntry"]


def _entry(found: dict[str, Any]) -> Entry:
    raw = found["raw_attributes"]
    values = {name: [value.decode(errors="replace") for value in raw[name]] for name in raw}
    return Entry(found["dn"], values)


@contextmanager
def _connected(config: "Config") -> "Iterator[ldap3.Connection]":
    """Connect to the first server that answers."""
    connection = _connect(config)
    try:
        yield connection
    finally:
        connection.unbind()


def _connect(config: "Config") -> "ldap3.Connection":
    from ldap3.core.exceptions import LDAPException

    failure: Exception = InvalidRequest("no url")
    for url in config.urls:
        try:
            return _open(config, url)
        except (LDAPException, OSError) as error:
            log.warning("no connection to %s: %s", url, error)
            failure = error
    raise failure


def _open(config: "Config", url: str) -> "ldap3.Connection":
    import ldap3

    parts = urlsplit(url)
    secure = parts.scheme == "ldaps"
    server = ldap3.Server(
        parts.hostname, parts.port or (636 if secure else 389), use_ssl=secure, get_info=ldap3.NONE,
        connect_timeout=config.connection_timeout or None, tls=_tls(config, parts.hostname or ""),
    )  # fmt: skip
    connection = ldap3.Connection(
        server, auto_referrals=False, check_names=False, raise_exceptions=False,
        receive_timeout=config.request_timeout or None,
    )  # fmt: skip
    try:
        connection.open(read_server_info=False)
        if config.starttls and not secure:
            connection.start_tls(read_server_info=False)
    except BaseException:
        if connection.socket is not None:  # ldap3 leaves it open
            connection.socket.close()
        raise
    return connection


def _tls(config: "Config", host: str) -> "ldap3.Tls":
    """Return TLS by a context of ours: ldap3's own knows no versions and looks at names by itself."""
    import ldap3

    class Tls(ldap3.Tls):  # type: ignore[misc]  # ldap3 has no types
        def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:
            connection.socket = _context(config).wrap_socket(
                connection.socket, server_hostname=host, do_handshake_on_connect=do_handshake
            )

    return Tls()


def _context(config: "Config") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version, context.maximum_version = _TLS[config.tls_min_version], _TLS[config.tls_max_version]
    if config.insecure_tls:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    elif config.certificate:
        trust(context, config.certificate)
    else:
        context.load_default_certs()
    if config.client_tls_cert:
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:  # ssl reads keys from files alone; this one is 0600
            Path(file.name).write_text(f"{config.client_tls_cert}\n{config.client_tls_key.reveal()}\n")
            context.load_cert_chain(file.name)
    return context
