"""The local proxy: passes requests on to the server, with the agent's token where they bring none, and caches leases.

``http.server`` is enough for one pod's own requests, and is imported only where a listener is configured.
API: developer.hashicorp.com/vault/docs/agent-and-proxy/agent/caching
"""

import json
import logging
import os
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from strongroom_agent.cache import Answer, Cache, key_of
from strongroom_agent.config import Config, Listener
from strongroom_client import Client, ClientError, Prepared, Settings

log = logging.getLogger("agent.proxy")
_LARGEST = 32 * 1024 * 1024  # of a request's body: the server's own default limit
_METHODS = ("GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "LIST", "SCAN")
_HOP_BY_HOP = frozenset({  # RFC 9110, 7.6.1: meant for one connection only
    "connection", "content-length", "host", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding",
    "upgrade",
})  # fmt: skip


class Proxy:
    """What all listeners share. ``token`` gives the agent's token, ``quit`` ends the agent."""

    def __init__(
        self, config: Config, settings: Settings, token: Callable[[], str], quit_: Callable[[], object],
        now: Callable[[], float],
    ) -> None:  # fmt: skip
        self.client = Client(settings._replace(token=""))
        self.mode, self.token, self.quit = config.proxy_token, token, quit_
        self.cache = Cache(now) if config.cache else None

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        """Return the server's answer or a cached one; raises ClientError."""
        sent = {name: value for name, value in headers.items() if name.lower() not in _HOP_BY_HOP}
        token = self._token_for(sent)
        if self.cache is None:
            return self._forward(method, target, sent, body)
        key = key_of(token, method, target, body)
        return self.cache.answer(key, target, token, lambda: self._forward(method, target, sent, body))

    def _token_for(self, headers: dict[str, str]) -> str:
        """Return the token that the request goes out with, setting the agent's own where that is wanted."""
        known = {name.lower(): name for name in headers}
        given = headers.get(known.get("x-vault-token", ""), "")
        if not given and "authorization" in known:
            given = headers[known["authorization"]].removeprefix("Bearer ")
        if self.mode == "force" or (self.mode == "auto" and not given):
            for name in ("x-vault-token", "authorization"):
                headers.pop(known.get(name, ""), None)
            given = headers["X-Vault-Token"] = self.token()
        return given

    def _forward(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        with self.client.stream(Prepared(method, target, headers, body or None)) as response:
            kept = tuple((k, v) for k, v in response.getheaders() if k.lower() not in _HOP_BY_HOP)
            return Answer(response.status, kept, response.read())


def start(listeners: tuple[Listener, ...], proxy: Proxy, poll: float = 60) -> list[ThreadingHTTPServer]:
    """Listen at every address, each in a thread that ends with the process; raises OSError.

    ``poll`` is how often, in seconds, a thread looks whether its server was shut down.
    """
    servers = [_server(listener, proxy) for listener in listeners]
    for listener, server in zip(listeners, servers, strict=True):
        threading.Thread(target=server.serve_forever, args=(poll,), daemon=True).start()
        log.info("listening on %s %s", listener.kind, listener.address)
    return servers


def _server(listener: Listener, proxy: Proxy) -> ThreadingHTTPServer:
    verbs = dict.fromkeys((f"do_{method}" for method in _METHODS), _Handler.handle_any)
    handler = type("Handler", (_Handler,), {"listener": listener, "proxy": proxy, **verbs})
    if listener.kind == "unix":
        return _unix_server(listener, handler)
    host, _, port = listener.address.rpartition(":")
    server = ThreadingHTTPServer((host.strip("[]"), int(port)), handler)
    if listener.cert_file:
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(listener.cert_file, listener.key_file or None)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    return server


def _unix_server(listener: Listener, handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    path = listener.address
    if os.path.exists(path):
        os.remove(path)

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_UNIX

        def server_bind(self) -> None:
            self.socket.bind(path)
            if listener.mode is not None:
                os.chmod(path, listener.mode)
            self.server_name, self.server_port = "localhost", 0

        def get_request(self) -> tuple[Any, Any]:
            return self.socket.accept()[0], ("unix", 0)

    return Server((path, 0), handler)


class _Handler(BaseHTTPRequestHandler):
    listener: Listener
    proxy: Proxy
    protocol_version = "HTTP/1.1"

    def handle_any(self) -> None:
        size = self.headers.get("Content-Length", "0")
        if not size.isdecimal() or int(size) > _LARGEST or self.headers.get("Transfer-Encoding"):
            self.close_connection = True
            self._refuse(413, "request body too large or of unknown length")
            return
        body = self.rfile.read(int(size))
        if self.listener.need_header and self.headers.get("X-Vault-Request") != "true":
            # A page in a browser cannot set this header: forged requests stop here (as Vault's agent does).
            self._refuse(412, "missing 'X-Vault-Request' header")
        elif self.path.startswith("/agent/v1/"):
            self._own(self.path.removeprefix("/agent/v1/"), body)
        else:
            self._pass_on(body)

    def _pass_on(self, body: bytes) -> None:
        try:
            answer = self.proxy.answer(self.command, self.path, dict(self.headers.items()), body)
        except ClientError as error:
            log.warning("%s %s: %s", self.command, self.path.partition("?")[0], error)
            self._refuse(502, "the server cannot be reached")
            return
        self._send(answer.status, answer.headers, answer.body)

    def _own(self, path: str, body: bytes) -> None:
        if self.command in ("POST", "PUT") and path == "quit" and self.listener.may_quit:
            self._send(200, (), b"")
            self.proxy.quit()
        elif self.command in ("POST", "PUT") and path == "cache-clear" and self.proxy.cache:
            self._clear(body)
        else:
            self._refuse(404, "no such path")

    def _clear(self, body: bytes) -> None:
        try:
            wish = json.loads(body or b"{}")
            self.proxy.cache.clear(str(wish.get("type", "")), str(wish.get("value", "")))  # type: ignore[union-attr]  # seen by who calls
        except (AttributeError, ValueError) as error:
            self._refuse(400, str(error) or "expected a JSON object with type and value")
            return
        self._send(200, (), b"")

    def _refuse(self, status: int, message: str) -> None:
        body = json.dumps({"errors": [message]}).encode() + b"\n"
        self._send(status, (("Content-Type", "application/json"),), body)

    def _send(self, status: int, headers: tuple[tuple[str, str], ...], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the base class's name
        log.debug(format, *args)
