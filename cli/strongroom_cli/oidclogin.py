"""A login at an OpenID provider: the browser goes there, and comes back to a page that this program serves on loopback.

As RFC 8252, section 7.3, has it for programs on a person's machine. Where the role says so it comes back to the server
itself (``direct``) or to nowhere, as the user enters a code (``device``, RFC 8628); the server is then asked.
"""

import html
import queue
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, parse_qsl, urlsplit

from strongroom_cli.errors import CommandError, UsageError
from strongroom_cli.session import Session
from strongroom_client import ApiError, Client, ClientError, Response

PATH = "/oidc/callback"
_MODES = ("client", "direct", "device")
_TRUE = ("1", "t", "true")
_POLLED_EVERY = 5  # seconds
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
    mode = given.get("callbackmode") or "client"
    if mode not in _MODES:
        raise UsageError(f"callbackmode={mode}: expected one of {', '.join(_MODES)}")
    if given.get("show_qr", "false") in _TRUE:
        raise UsageError("show_qr: codes to scan are not supported; the address is printed")
    if mode != "client":
        redirect = _direct(client, mount, given) if mode == "direct" else ""
        return _login_by_polling(session, client, mount, given, redirect)
    with _listen(given) as listener:
        port = given.get("callbackport") or str(listener.server_port)
        host = given.get("callbackhost") or "localhost"
        redirect = f"{given.get('callbackmethod') or 'http'}://{host}:{port}{PATH}"
        nonce = secrets.token_urlsafe(24)
        told = _begin(client, mount, given, redirect, nonce)
        if told.get("state"):
            raise CommandError("The browser does not come back here: the role wants callbackmode=direct or =device.")
        url = told["auth_url"]
        _send_there(session, given, url)
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        try:
            return _finish(client, mount, listener, nonce, _state(url))
        finally:
            listener.shutdown()


def _direct(client: Client, mount: str, given: dict[str, str]) -> str:
    """Return the server's own address for the browser, as it is reached from here unless said otherwise."""
    here = urlsplit(client.settings.address)
    host, port = given.get("callbackhost") or here.hostname or "localhost", given.get("callbackport") or here.port
    namespace = f"{client.namespace.strip('/')}/" if client.namespace.strip("/") else ""
    where = f"{host}:{port}" if port else host
    return f"{given.get('callbackmethod') or here.scheme}://{where}/v1/{namespace}auth/{mount}{PATH}"


def _login_by_polling(session: Session, client: Client, mount: str, given: dict[str, str], redirect: str) -> Response:
    """Ask the server until it has heard of the login, which it ends by itself after a while."""
    nonce = secrets.token_urlsafe(24)
    told = _begin(client, mount, given, redirect, nonce)
    if not told.get("state"):
        raise CommandError("The browser comes back here: the role wants callbackmode=client.")
    code = f"When prompted, enter code {told['user_code']}\n\n" if told.get("user_code") else ""
    _send_there(session, given, told["auth_url"], code)
    pause = float(told.get("poll_interval") or _POLLED_EVERY)
    while True:
        time.sleep(pause)
        try:
            return client.write(f"auth/{mount}/oidc/poll", {"state": told["state"], "client_nonce": nonce})
        except ApiError as error:
            if "slow_down" in error.errors:
                pause += 5  # seconds (RFC 8628, 3.5)
            elif "authorization_pending" not in error.errors:
                raise


def _send_there(session: Session, given: dict[str, str], url: str, code: str = "") -> None:
    session.warn(f"Complete the login via your OIDC provider. Launching browser to:\n\n    {url}\n\n{code}")
    if given.get("skip_browser", "false") not in _TRUE:
        threading.Thread(target=_open_browser, args=(url,), daemon=True).start()
    session.warn("Waiting for OIDC authentication to complete...")


def _listen(given: dict[str, str]) -> _Listener:
    host, port = given.get("listenaddress") or "localhost", given.get("port") or "8250"
    if not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise UsageError(f"port={port}: expected a number from 0 to 65535")
    try:
        return _Listener(host, int(port))
    except OSError as error:
        hint = "Choose another one with port=..., which the role must allow."
        raise CommandError(f"listen tcp {host}:{port}: {error.strerror}", 2, hint) from error


def _begin(client: Client, mount: str, given: dict[str, str], redirect: str, nonce: str) -> dict[str, Any]:
    body = {"role": given.get("role", ""), "redirect_uri": redirect, "client_nonce": nonce}
    wrap, client.wrap_ttl = client.wrap_ttl, ""  # the login is to be wrapped, not the way there
    data: dict[str, Any] = client.write(f"auth/{mount}/oidc/auth_url", body).data or {}
    client.wrap_ttl = wrap
    if not data.get("auth_url"):
        raise CommandError(
            f'Unable to authorize role "{body["role"]}" with redirect_uri "{body["redirect_uri"]}". '
            "Check the server's logs for more information."
        )
    return data


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
