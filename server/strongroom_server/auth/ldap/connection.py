"""One connection to a directory, over ldap3, which blocks: for threads (docs/adr/0006-ldap3.md)."""

import logging
import ssl
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from strongroom_server.lib.trust import trust
from strongroom_server.sdk.errors import InvalidRequest, UpstreamError

if TYPE_CHECKING:
    import ldap3

    from strongroom_server.auth.ldap.schemas import Config

log = logging.getLogger("auth.ldap")

_ANSWERS = frozenset({0, 10, 19, 32, 34, 48, 49, 50, 53})
"""Results that say something of what was asked for, and not of the server's state (RFC 4511, appendix A)."""

_DEREFERENCES = {"never": "NEVER", "finding": "BASE", "searching": "SEARCH", "always": "ALWAYS"}
_TLS = {
    "tls10": ssl.TLSVersion.TLSv1, "tls11": ssl.TLSVersion.TLSv1_1, "tls12": ssl.TLSVersion.TLSv1_2,
    "tls13": ssl.TLSVersion.TLSv1_3,
}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """A search result."""

    dn: str
    attributes: dict[str, list[str]]

    def values(self, attribute: str) -> list[str]:
        """Return an attribute's values; names of attributes have no case (RFC 4512, 2.5)."""
        wanted = attribute.lower()
        return next((values for name, values in self.attributes.items() if name.lower() == wanted), [])


class Connection:
    """An open connection. Everything here raises LDAPException or OSError where it breaks."""

    def __init__(self, config: "Config", raw: "ldap3.Connection") -> None:
        self._config = config
        self._raw = raw

    def bind(self, dn: str, password: str) -> bool:
        """Bind, as nobody where there is no name or password; tell whether the server takes it."""
        import ldap3

        raw = self._raw
        raw.user, raw.password = dn or None, password or None
        raw.authentication = ldap3.SIMPLE if dn and password else ldap3.ANONYMOUS
        bound: bool = raw.bind(read_server_info=False)
        self._check(bound)
        return bound

    def search(self, where: str, wanted: str, attributes: Sequence[str], *, base: bool = False) -> list[Entry]:
        """Return what is at ``where`` (``base``) or at and below it and fits the filter ``wanted``."""
        import ldap3
        from ldap3.core.exceptions import LDAPInvalidFilterError

        config, raw = self._config, self._raw
        options = {
            "search_base": where, "search_filter": wanted, "search_scope": ldap3.BASE if base else ldap3.SUBTREE,
            "dereference_aliases": _DEREFERENCES[config.dereference_aliases], "attributes": list(attributes),
        }  # fmt: skip
        try:
            if config.max_page_size > 0 and not base:
                found = raw.extend.standard.paged_search(**options, paged_size=config.max_page_size, generator=False)
            else:
                self._check(raw.search(**options))
                found = raw.response
        except LDAPInvalidFilterError as error:
            raise InvalidRequest(f"the LDAP server does not understand a filter: {error}") from None
        return [_entry(one) for one in found or () if one["type"] == "searchResEntry"]

    def change_password(self, dn: str, old: str, new: str) -> None:
        """Change a password (RFC 3062); raises InvalidRequest where the server does not."""
        if not self._raw.extend.standard.modify_password(dn, old, new):
            raise InvalidRequest(f"the LDAP server did not change the password: {self._raw.result['description']}")

    def _check(self, good: bool) -> None:
        """Raise UpstreamError where an operation failed by no fault of the user's: half an answer is none."""
        result = self._raw.result or {}
        if not good and result.get("result") not in _ANSWERS:
            log.warning("the directory answers %s: %s", result.get("description"), result.get("message"))
            raise UpstreamError(f"the LDAP server answered: {result.get('description')}")


def _entry(found: dict[str, Any]) -> Entry:
    raw = found["raw_attributes"]
    return Entry(found["dn"], {name: [value.decode(errors="replace") for value in raw[name]] for name in raw})


@contextmanager
def connected(config: "Config") -> Iterator[Connection]:
    """Connect to the first server that answers; raises LDAPException or OSError where none does."""
    raw = _connect(config)
    try:
        yield Connection(config, raw)
    finally:
        raw.unbind()


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
    raw = ldap3.Connection(
        server, auto_referrals=False, check_names=False, raise_exceptions=False,
        receive_timeout=config.request_timeout or None,
    )  # fmt: skip
    try:
        raw.open(read_server_info=False)
        if config.starttls and not secure:
            raw.start_tls(read_server_info=False)
    except BaseException:
        if raw.socket is not None:  # ldap3 leaves it open
            raw.socket.close()
        raise
    return raw


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
