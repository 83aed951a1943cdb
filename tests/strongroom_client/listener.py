"""A small HTTP listener that answers from a script, for what a real server seldom does: drops, redirects, 5xx."""

import contextlib
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Listener:
    """``answers`` are given in turn, the last one again and again; ``seen`` and ``connections`` tell what came."""

    answers: list[Answer | None]
    address: str = ""
    seen: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    connections: int = 0

    def next(self) -> Answer | None:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def json_answer(body: str, status: int = 200) -> Answer:
    return status, {"Content-Type": "application/json"}, body.encode()


def _handler(listener: Listener) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            listener.connections += 1

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            listener.seen.append((self.command, self.path, dict(self.headers), body))
            answer = listener.next()
            if answer is None:
                self.close_connection = True
                return
            status, headers, content = answer
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if "Transfer-Encoding" not in headers:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = _any  # noqa: N815 http.server wants these names

        def address_string(self) -> str:
            return "client"

        def log_message(self, *args: object) -> None:
            pass

    return Handler


class _Tcp(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        pass


class _Unix(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


@contextlib.contextmanager
def listening(
    *answers: Answer | None, context: ssl.SSLContext | None = None, path: Path | None = None
) -> Iterator[Listener]:
    """Listen on loopback (or on the unix socket ``path``) until the block ends; None drops the connection."""
    listener = Listener(list(answers))
    server = _Unix(str(path), _handler(listener)) if path else _Tcp(("127.0.0.1", 0), _handler(listener))
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    listener.address = (
        f"unix://{path}" if path else f"http{'s' if context else ''}://127.0.0.1:{server.server_address[1]}"
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield listener
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
