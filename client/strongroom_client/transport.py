"""Bytes over a socket: HTTP/1.1 on ``http.client`` with keep-alive, TLS, unix sockets and proxies.

Idle connections wait in a list; each request takes one out and puts it back when its answer is read. So threads
share a transport without locks, and there are as many connections as requests at one time.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from strongroom_client.errors import SettingsError, Unreachable
from strongroom_client.exchange import Prepared
from strongroom_client.settings import Settings
from strongroom_common.tls import TlsError, client_context

if TYPE_CHECKING:
    from ssl import SSLContext

_REPEATABLE = ("GET", "HEAD", "DELETE")
_PORTS = {"http": 80, "https": 443}
_WRONG_TIME, _UNKNOWN_AUTHORITY, _WRONG_NAME = (9, 10), (2, 18, 19, 20, 21), (62, 64)


class Answer(NamedTuple):
    """A raw answer: ``location`` is where a redirect points, else ""."""

    status: int
    body: bytes
    location: str = ""


class Transport:
    """Sends requests to one address. ``settings`` gives the address, TLS, proxy and the time-out of one try."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._url = _split(settings.address)
        self._context: SSLContext | None = None
        if self._url.scheme == "https":
            try:
                self._context = client_context(settings.tls)
            except TlsError as error:
                raise SettingsError(str(error)) from error
        self._idle: list[_Connection] = []

    def url(self, target: str) -> str:
        """Return the full address of ``target``, for messages."""
        return self._settings.address.rstrip("/") + target

    def send(self, request: Prepared) -> Answer:
        """Send ``request`` and read the whole answer; raises Unreachable when there is none."""
        with self.stream(request) as response:
            try:
                body = response.read()
            except (HTTPException, OSError) as error:
                raise self._unreachable(request, error) from error
            return Answer(response.status, body, response.headers.get("Location", ""))

    @contextmanager
    def stream(self, request: Prepared) -> Iterator[HTTPResponse]:
        """Send ``request`` and hand out the answer unread, for snapshots and logs that do not end soon.

        Raises Unreachable when no answer comes; reading it raises OSError or HTTPException where it breaks off.
        """
        connection, response = self._begin(request)
        try:
            yield response
        finally:
            if response.isclosed() and not response.will_close:
                self._idle.append(connection)
            else:
                connection.close()

    def close(self) -> None:
        """Close all idle connections. The transport can be used again."""
        while self._idle:
            self._idle.pop().close()

    def _begin(self, request: Prepared) -> tuple["_Connection", HTTPResponse]:
        connection, fresh = self._take()
        try:
            return connection, self._exchange(connection, request)
        except Unreachable:
            if fresh or request.method not in _REPEATABLE:
                raise
        connection = self._connection()  # the other side may have closed an idle one at the moment it was used
        return connection, self._exchange(connection, request)

    def _exchange(self, connection: "_Connection", request: Prepared) -> HTTPResponse:
        path = self._url.path.rstrip("/") if self._url.scheme != "unix" else ""
        try:
            connection.request(request.method, connection.prefix + path + request.target, request.body, request.headers)
            return connection.getresponse()
        except (HTTPException, OSError) as error:
            connection.close()
            raise self._unreachable(request, error) from error

    def _take(self) -> tuple["_Connection", bool]:
        while self._idle:
            connection = self._idle.pop()
            if connection.alive():
                return connection, False
            connection.close()
        return self._connection(), True

    def _connection(self) -> "_Connection":
        return _Connection(self._url, self._settings, self._context)

    def _unreachable(self, request: Prepared, error: Exception) -> Unreachable:
        reason, hint = _explain(error, self._url, self._settings)
        return Unreachable(request.method, self.url(request.target), reason, hint)


def _split(address: str) -> SplitResult:
    try:
        url = urlsplit(address)
        known = url.scheme == "unix" or (url.scheme in _PORTS and bool(url.hostname) and url.port != 0)
    except ValueError as error:
        raise SettingsError(f"address {address!r}: {error}") from error
    if not known:
        raise SettingsError(f"address {address!r}: expected http://, https:// or unix:// and where the server is")
    return url


class _Connection(HTTPConnection):
    """One connection, however the server is reached."""

    def __init__(self, url: SplitResult, settings: Settings, context: "SSLContext | None") -> None:
        host = url.hostname or "localhost"
        super().__init__(host, url.port or _PORTS.get(url.scheme, 80), timeout=settings.timeout or None)
        self._target, self._settings, self._tls = url, settings, context
        proxy = urlsplit(settings.proxy if "://" in settings.proxy else f"http://{settings.proxy}")
        self._proxy = (proxy.hostname or "", proxy.port or 80) if settings.proxy and url.scheme != "unix" else None
        through = self._proxy and not context  # a proxy wants the whole URL for plain HTTP, a tunnel for TLS
        self.prefix = f"http://{url.netloc}" if through else ""

    def connect(self) -> None:
        if self._target.scheme == "unix":
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(self.timeout)
            self.sock.connect(unquote(self._target.netloc + self._target.path))
            return
        self.sock = socket.create_connection(self._proxy or (self.host, self.port), self.timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls:
            if self._proxy:
                self._open_tunnel()
            name = self._settings.tls.server_name or self.host
            self.sock = self._tls.wrap_socket(self.sock, server_hostname=name)

    def _open_tunnel(self) -> None:
        there = f"[{self.host}]" if ":" in self.host else self.host
        self.sock.sendall(f"CONNECT {there}:{self.port} HTTP/1.1\r\nHost: {there}:{self.port}\r\n\r\n".encode())
        response = HTTPResponse(self.sock, method="CONNECT")
        response.begin()
        if response.status != 200:
            raise OSError(f"the proxy refused the tunnel with {response.status} {response.reason}")

    def alive(self) -> bool:
        """Tell whether an idle connection is still open: anything to read there is its end."""
        import select

        if self.sock is None:
            return False
        poll = select.poll()
        poll.register(self.sock, select.POLLIN | select.POLLHUP)
        return not poll.poll(0)


def _explain(error: Exception, url: SplitResult, settings: Settings) -> tuple[str, str]:
    """Return what happened in plain words, and what to look at."""
    where = f"{url.hostname}:{url.port or _PORTS.get(url.scheme, '')}" if url.hostname else settings.address
    text = str(error) or type(error).__name__
    if isinstance(error, ConnectionRefusedError):
        return (
            f"dial {where}: connection refused",
            "Is the server running there? VAULT_ADDR says where it is looked for.",
        )
    if isinstance(error, TimeoutError):
        return f"no answer within {settings.timeout:g}s", "VAULT_CLIENT_TIMEOUT sets how long to wait."
    if isinstance(error, socket.gaierror):
        return f"cannot find the host {url.hostname!r}", "Check the host in VAULT_ADDR."
    if isinstance(error, FileNotFoundError) and url.scheme == "unix":
        return f"no socket at {url.netloc + url.path}", "Check the path in VAULT_ADDR."
    if "WRONG_VERSION_NUMBER" in text or "HTTP_REQUEST" in text:
        return "the server speaks HTTP, not HTTPS", "Begin VAULT_ADDR with http:// instead of https://."
    if isinstance(error, ConnectionResetError) and url.scheme == "http":
        return text, "If the server speaks HTTPS, begin VAULT_ADDR with https://."
    if "CERTIFICATE_VERIFY_FAILED" in text:
        name = settings.tls.server_name or url.hostname or ""
        hint = "VAULT_CACERT names the CA to trust; VAULT_TLS_SERVER_NAME the name on the certificate."
        return f"tls: failed to verify certificate: x509: {_distrust(error, name)}", hint
    return text, ""


def _distrust(error: Exception, name: str) -> str:
    """Return why a certificate is not trusted, in the words that those who look into logs know from Vault's."""
    code = getattr(error, "verify_code", 0)  # X509_V_ERR_…
    if code in _UNKNOWN_AUTHORITY:
        return "certificate signed by unknown authority"
    if code in _WRONG_TIME:
        return "certificate has expired or is not yet valid"
    if code in _WRONG_NAME:
        return f"certificate is not valid for {name}"
    return str(getattr(error, "verify_message", "") or error)
