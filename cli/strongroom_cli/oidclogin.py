"""A login at an OpenID provider: the browser goes there, and comes back to a page that this program serves on loopback.

As RFC 8252, section 7.3, has it for programs on a person's machine.
"""

import html
import queue
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, parse_qsl, urlsplit

from strongroom_cli.errors import CommandError, UsageError
from strongroom_cli.session import Session
from strongroom_client import Client, ClientError, Response

PATH = "/oidc/callback"
_PATIENCE = 2  # seconds for the browser to take its page
_LONGEST = 1 << 20  # bytes that a provider may post
_PAGE = "<!DOCTYPE html><meta charset=utf-8><title>{title}</title><h1>{title}</h1><p>{text}</p>"


class _Arrival(NamedTuple):
    """What the browser brought, where its page is waited for, and whether it has been sent."""

    fields: dict[str, str]
    page: "queue.Queue[str]"
    sent: threading.Event

    def show(self, title: str, text: str) -> None:
        """Show a page with a plain text; it is sent when this returns, if the browser takes it."""
        self.page.put(_PAGE.format(title=title, text=html.escape(text)))
        self.sent.wait(_PATIENCE)


class _Listener(ThreadingHTTPServer):
    """Hands arrivals to the main thread. One thread a connection: browsers open some that they never use."""

    daemon_threads = True

    def __init__(self, host: str, port: int) -> None:
        super().__init__((host, port), _Handler)
        self.arrivals: queue.Queue[_Arrival] = queue.Queue()


class _Handler(BaseHTTPRequestHandler):
    server: _Listener

    def do_GET(self) -> None:
        self._take(urlsplit(self.path).query)

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length") or ""
        size = int(length) if length.isascii() and length.isdigit() else 0
        self._take(self.rfile.read(min(size, _LONGEST)).decode(errors="replace"))

    def _take(self, query: str) -> None:
        if urlsplit(self.path).path != PATH:
            self.send_error(404)
            return
        arrival = _Arrival(dict(parse_qsl(query)), queue.Queue(), threading.Event())
        self.server.arrivals.put(arrival)
        body = arrival.page.get().encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        arrival.sent.set()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the library's name
        """Say nothing: addresses hold codes."""


def login(session: Session, client: Client, mount: str, given: dict[str, str]) -> Response:
    """Send the user to the provider and wait for the answer; raises CommandError or ClientError."""
    role = given.get("role", "")
    with _listen(given) as listener:
        port = given.get("callbackport") or str(listener.server_port)
        host = given.get("callbackhost") or "localhost"
        redirect = f"{given.get('callbackmethod') or 'http'}://{host}:{port}{PATH}"
        nonce = secrets.token_urlsafe(24)
        url = _auth_url(client, mount, {"role": role, "redirect_uri": redirect, "client_nonce": nonce})
        session.warn(f"Complete the login via your OIDC provider. Launching browser to:\n\n    {url}\n\n")
        if given.get("skip_browser", "false") not in {"true", "1"}:
            threading.Thread(target=_open_browser, args=(url,), daemon=True).start()
        session.warn("Waiting for OIDC authentication to complete...")
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        try:
            return _finish(client, mount, listener, nonce, _state(url))
        finally:
            listener.shutdown()


def _listen(given: dict[str, str]) -> _Listener:
    host, port = given.get("listenaddress") or "localhost", given.get("port") or "8250"
    if not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise UsageError(f"port={port}: expected a number from 0 to 65535")
    try:
        return _Listener(host, int(port))
    except OSError as error:
        hint = "Choose another one with port=..., which the role must allow."
        raise CommandError(f"listen tcp {host}:{port}: {error.strerror}", 2, hint) from error


def _auth_url(client: Client, mount: str, body: dict[str, str]) -> str:
    wrap, client.wrap_ttl = client.wrap_ttl, ""  # the login is to be wrapped, not the way there
    data: dict[str, Any] = client.write(f"auth/{mount}/oidc/auth_url", body).data or {}
    client.wrap_ttl = wrap
    url = str(data.get("auth_url") or "")
    if not url:
        raise CommandError(
            f'Unable to authorize role "{body["role"]}" with redirect_uri "{body["redirect_uri"]}". '
            "Check the server's logs for more information."
        )
    return url


def _state(url: str) -> str:
    return parse_qs(urlsplit(url).query).get("state", [""])[0]


def _open_browser(url: str) -> None:
    import webbrowser

    webbrowser.open(url)


def _finish(client: Client, mount: str, listener: _Listener, nonce: str, state: str) -> Response:
    """Wait for the browser and end the login at the server.

    Security 1: what comes without the state of this login is another page's doing and is not passed on (RFC 6749,
    10.12).
    """
    while True:
        arrival = listener.arrivals.get()
        if not secrets.compare_digest(arrival.fields.get("state", "").encode(), state.encode()):
            arrival.show("Login failed", "This is not the answer to the login under way.")
            continue
        names = ("state", "code", "id_token", "error", "error_description")
        query = {name: arrival.fields[name] for name in names if arrival.fields.get(name)}
        try:
            response = client.read(f"auth/{mount}/oidc/callback", {**query, "client_nonce": nonce})
        except ClientError as error:
            arrival.show("Login failed", str(error))
            raise
        arrival.show("Signed in", "You can close this window and go back to the terminal.")
        return response
