"""What passes between a connection and the app: a message in, an answer out, each with no more than the API needs.

aiohttp's own requests and responses serve any web application; building a pair of them costs more than most of what
is asked of this server, so the parser's messages are read as they are and answers are written in one piece.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from wsgiref.handlers import format_date_time

from aiohttp.http import HttpVersion10, HttpVersion11, RawRequestMessage
from aiohttp.streams import StreamReader
from aiohttp.web import RequestPayloadError
from multidict import CIMultiDictProxy

from strongroom_server.http.repeats import Arrived
from strongroom_server.sdk.errors import InvalidRequest, TooLarge
from strongroom_server.sdk.request import Connection

_NO_BODY = frozenset({204, 304})  # RFC 9110, section 6.4.1
_ONE_PIECE = 64 * 1024
"""Bytes up to which head and body are joined, to leave in one packet."""


class Message:
    """One HTTP request, as the parser read it.

    ``target`` is the raw request target, not decoded; ``task`` serves it; ``whole`` is the body where it came with
    the head.
    """

    __slots__ = (
        "_go_on", "_payload", "headers", "keep_alive", "method", "origin", "target", "task", "version", "whole"
    )  # fmt: skip

    def __init__(self, raw: RawRequestMessage, payload: StreamReader | Arrived, origin: Connection,
                 transport: asyncio.WriteTransport | None, task: "asyncio.Task[None]") -> None:  # fmt: skip
        self.task = task
        self.method: str = raw.method
        self.target: str = raw.path
        self.headers: CIMultiDictProxy[str] = raw.headers
        self.version = raw.version
        self.keep_alive = not raw.should_close
        self.origin = origin
        self.whole = payload.read_nowait() if isinstance(payload, Arrived) else None
        self._payload = payload
        self._go_on = transport

    async def read(self, most: int) -> bytes:
        """Return the body; raises TooLarge for more than ``most`` bytes, InvalidRequest where it ends early."""
        payload = self._payload
        try:
            if int(self.headers.get("Content-Length", 0)) > most:
                raise TooLarge("http: request body too large")
            if isinstance(payload, Arrived) or payload.is_eof():
                return _within(payload.read_nowait(), most)
            self._let_come()
            chunks, size = [], 0
            while chunk := await payload.readany():  # chunked or packed: the length is known only as it comes
                size += len(chunk)
                chunks.append(_within(chunk, most - size + len(chunk)))
            return b"".join(chunks)
        except (ConnectionResetError, RequestPayloadError):  # it ends early, or is not encoded as it says
            raise InvalidRequest("failed to read the request body") from None

    def _let_come(self) -> None:
        """Ask for the body where the client waits for that (RFC 9110, section 10.1.1)."""
        if self._go_on is not None and self.headers.get("Expect", "").lower() == "100-continue":
            self._go_on.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _cancel(self, error: BaseException) -> None:  # aiohttp's handler asks for it where the connection is lost
        self._payload.set_exception(error)


def _within(raw: bytes, most: int) -> bytes:
    if len(raw) > most:
        raise TooLarge("http: request body too large")
    return raw


@dataclass(slots=True)
class Answer:
    """One HTTP response. ``body`` may come in pieces; ``head`` is the encoded status line and ``headers``, if known."""

    status: int
    headers: Mapping[str, str]
    body: bytes | AsyncIterator[bytes] = b""
    head: bytes = b""
    keep_alive: bool = True

    def beside(self, headers: Mapping[str, str]) -> "Answer":
        """Return it with more headers."""
        return Answer(self.status, {**self.headers, **headers}, self.body, keep_alive=self.keep_alive)

    def opening(self, message: Message | None, now: float) -> bytes:
        """Return all that comes before the body; ``now`` is epoch seconds."""
        head = self.head or head_of(self.status, self.headers)
        date = _date(int(now))
        if isinstance(self.body, bytes):
            length = b"" if self.status in _NO_BODY else b"Content-Length: %d\r\n" % len(self.body)
        else:
            length = b"Transfer-Encoding: chunked\r\n" if self.in_chunks(message) else b""
        return b"".join((head, length, date, self._persistence(message), b"\r\n"))

    def ends(self, message: Message | None) -> bool:
        """Say whether the client can tell where it ends, other than by the connection's end."""
        return isinstance(self.body, bytes) or self.in_chunks(message)

    def in_chunks(self, message: Message | None) -> bool:
        """Say whether a body in pieces is sent in chunks: HTTP/1.0 ends it by hanging up (RFC 9112, section 7)."""
        return message is None or message.version >= HttpVersion11

    def _persistence(self, message: Message | None) -> bytes:
        if not self.keep_alive:
            return b"Connection: close\r\n"
        old = message is not None and message.version == HttpVersion10
        return b"Connection: keep-alive\r\n" if old else b""

    def pieces(self, message: Message | None, now: float) -> tuple[bytes, ...]:
        """Return what is written, for a body that is known whole."""
        opening, body = self.opening(message, now), self.body
        if not body or not isinstance(body, bytes) or self.status in _NO_BODY:
            return (opening,)
        if message is not None and message.method == "HEAD":
            return (opening,)
        return (opening + body,) if len(body) <= _ONE_PIECE else (opening, body)


def head_of(status: int, headers: Mapping[str, str]) -> bytes:
    """Return a status line and header lines; raises ValueError for a line break in them."""
    lines = [f"HTTP/1.1 {status} {_phrase(status)}", *(f"{name}: {value}" for name, value in headers.items()), ""]
    # Security 1: a line break in a value would begin another header (RFC 9112, section 11.1).
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a header has more than one line")
    return "\r\n".join(lines).encode()


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:  # Vault's own, such as 472
        return ""


@lru_cache(maxsize=2)
def _date(second: int) -> bytes:
    return f"Date: {format_date_time(second)}\r\n".encode()
