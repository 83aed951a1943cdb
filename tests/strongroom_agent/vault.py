"""A server that speaks as much of Vault's HTTP API as an agent asks for, with leases and failures at will."""

import contextlib
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit


class Refused(Exception):
    """An answer with this status and message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Vault:
    """``secrets`` maps full paths to data; ``leases`` to lease seconds; ``denied`` are paths that answer 403.

    ``requests`` lists what came: method, path, token; ``namespaces`` in which. Tokens live ``ttl`` seconds, 0 for ever.
    """

    def __init__(self) -> None:
        self.address = ""
        self.secrets: dict[str, Any] = {}
        self.leases: dict[str, int] = {}
        self.denied: set[str] = set()
        self.down = False
        self.ttl = 3600
        self.renewable = True
        self.tokens: set[str] = {"root"}
        self.logins: list[dict[str, Any]] = []
        self.login_denied = False
        self.second_factor = False
        self.requests: list[tuple[str, str, str]] = []
        self.namespaces: list[str] = []

    def count(self, path: str) -> int:
        return sum(1 for _, seen, _ in self.requests if seen == path)

    def answer(self, method: str, path: str, token: str, body: Any) -> Any:
        self.requests.append((method, path, token))
        if self.down:
            raise Refused(503, "Vault is sealed")
        if path.endswith("/login"):
            return self.login(body)
        if token not in self.tokens or path in self.denied:
            raise Refused(403, "permission denied")
        if path == "auth/token/lookup-self":
            return {"data": {"ttl": self.ttl, "renewable": self.renewable}}
        if path == "auth/token/renew-self":
            return self.auth(token)
        if path == "auth/token/revoke-self":
            self.tokens.discard(token)
            return None
        if path == "sys/wrapping/wrap":
            return {"wrap_info": {"token": "wrapping", "ttl": 60}}
        if path == "sys/leases/renew":
            return {"lease_id": body["lease_id"], "lease_duration": 3, "renewable": True}
        if path.startswith("sys/internal/ui/mounts/"):
            mount = path.removeprefix("sys/internal/ui/mounts/").partition("/")[0]
            return {"data": {"path": f"{mount}/", "type": "kv", "options": {"version": "2" if mount == "kv" else "1"}}}
        return self.secret(method, path)

    def login(self, body: Any) -> Any:
        self.logins.append(body)
        if self.login_denied:
            raise Refused(403, "permission denied")
        if self.second_factor:
            return {"auth": {"client_token": "", "mfa_requirement": {"mfa_request_id": "r", "mfa_constraints": {}}}}
        token = f"token-{len(self.logins)}"
        self.tokens.add(token)
        return self.auth(token)

    def auth(self, token: str) -> Any:
        return {"auth": {"client_token": token, "lease_duration": self.ttl, "renewable": self.renewable}}

    def secret(self, method: str, path: str) -> Any:
        if method == "LIST":
            folder = path.rstrip("/") + "/"
            names = sorted(name.removeprefix(folder) for name in self.secrets if name.startswith(folder))
            return {"data": {"keys": names}}
        if path not in self.secrets:
            raise Refused(404, "")
        data = self.secrets[path]
        lease = self.leases.get(path, 0)
        count = self.count(path)
        envelope = {"lease_id": f"{path}/{count}", "lease_duration": lease, "renewable": False} if lease else {}
        if path.startswith("kv/data/"):
            data = {"data": data, "metadata": {"version": 1}}
        return {"data": {**data, "count": count} if lease else data, **envelope}


@contextlib.contextmanager
def serving(certificate: Path | None = None) -> Iterator[Vault]:
    """Run the server on a free port of loopback; ``certificate`` is a PEM file with certificate and key, for TLS."""
    vault = Vault()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def exchange(self) -> None:
            url = urlsplit(self.path)
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            method = "LIST" if "list=true" in url.query else self.command
            status, document = 200, None
            try:
                path = unquote(url.path).removeprefix("/v1/")
                token = self.headers.get("X-Vault-Token", "")
                vault.namespaces.append(self.headers.get("X-Vault-Namespace", ""))
                document = vault.answer(method, path, token, json.loads(raw) if raw else None)
            except Refused as refused:
                status, document = refused.status, {"errors": [str(refused)] if str(refused) else []}
            body = json.dumps(document).encode() if document is not None else b""
            self.send_response_only(status if body else 204)
            if body:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    for verb in ("GET", "PUT", "POST", "DELETE"):
        setattr(Handler, f"do_{verb}", Handler.exchange)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    vault.address = f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield vault
    finally:
        server.shutdown()
        server.server_close()
