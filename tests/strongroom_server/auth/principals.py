"""A directory that takes binds by principal name (ann@example.com), as Active Directory does and OpenLDAP does not."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ldap3.protocol.rfc4511 import LDAPMessage
from pyasn1.codec.ber import decoder, encoder

SUCCESS, WRONG = b"\x0a\x01\x00", b"\x0a\x01\x31"  # result codes 0 and 49 (RFC 4511, 4.1.9)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True

    def __init__(self, users: dict[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.users = users
        self.filters: list[str] = []

    @property
    def url(self) -> str:
        return f"ldap://127.0.0.1:{self.server_address[1]}"


def _tlv(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    length = bytes([len(body)]) if len(body) < 128 else b"\x82" + len(body).to_bytes(2, "big")
    return bytes([tag]) + length + body


class _Handler(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        pending = b""
        while chunk := self.request.recv(65536):
            pending += chunk
            message, pending = decoder.decode(pending, asn1Spec=LDAPMessage())
            number = encoder.encode(message["messageID"])
            operation: Any = message["protocolOp"].getComponent()
            for body in self._answers(message["protocolOp"].getName(), operation):
                self.request.sendall(_tlv(0x30, number, body))

    def _answers(self, kind: str, operation: Any) -> Iterator[bytes]:
        if kind == "bindRequest":
            name, password = str(operation["name"]), str(operation["authentication"].getComponent())
            good = self.server.users.get(name) == password
            yield _tlv(0x61, SUCCESS if good else WRONG, b"\x04\x00", b"\x04\x00")
        if kind == "searchRequest":
            wanted = operation["filter"].getComponent()
            pair = f"{wanted['attributeDesc']}={wanted['assertionValue']}"
            self.server.filters.append(pair)
            dn = f"cn={pair.partition('=')[2]},dc=example"
            value = _tlv(0x30, _tlv(0x04, b"cn"), _tlv(0x31, _tlv(0x04, b"alias")))
            yield _tlv(0x64, _tlv(0x04, dn.encode()), _tlv(0x30, value))
            yield _tlv(0x65, SUCCESS, b"\x04\x00", b"\x04\x00")


@contextmanager
def directory(users: dict[str, str]) -> Iterator[_Server]:
    """Serve these principals and passwords on loopback; each search finds one entry, and is written down."""
    with _Server(users) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
