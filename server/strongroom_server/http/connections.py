"""Connections: aiohttp's low-level server with the verb LIST, and with bounds on what a client may take.

Headers that never end, bodies that trickle, requests that run on and ever more connections all cost memory that
others need; each has its limit, its answer (4xx, 503) and its count in ``vault.http.refused``. This leans on internals
of aiohttp's request handler, as ``list_parser`` does.
"""

import asyncio
import json
import logging
import resource
from time import time
from typing import Any

from aiohttp import web
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import LineTooLong
from aiohttp.http_parser import HttpRequestParserPy
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestHandler, _ErrInfo

from strongroom_server.core.in_flight import end_overdue
from strongroom_server.http.app import App
from strongroom_server.http.list_parser import HybridParser
from strongroom_server.http.messages import Answer, Message
from strongroom_server.http.repeats import Repeats
from strongroom_server.http.tls import client_certificates
from strongroom_server.sdk.request import Connection

log = logging.getLogger("http")

_LINE = 64 * 1024
_HEADERS = 200
_RESERVE = 128  # open files that the store, audit devices and upstreams keep
_SWEEP = 1.0  # seconds, or less where a limit is less


class _Handler(RequestHandler):
    __slots__ = ("_app", "_hybrid", "_origin", "_repeats", "_task", "client")

    def __init__(self, manager: "ConnectionServer", *, loop: asyncio.AbstractEventLoop, **kwargs: Any) -> None:
        super().__init__(manager, loop=loop, **kwargs)
        self._app = manager.app
        self._hybrid = HybridParser(self._parser, self._slow_parser, loop.time)
        self._parser = self._hybrid  # type: ignore[assignment]  # same interface
        self._origin: Connection | None = None
        self._repeats = Repeats()
        self.client: tuple[str, int] | None = None  # whom a balancer speaks for

    def _slow_parser(self) -> Any:
        return HttpRequestParserPy(
            self, self._loop, self._read_bufsize, max_line_size=self.max_line_size,
            max_field_size=self.max_field_size, max_headers=self.max_headers,
            payload_exception=web.RequestPayloadError, max_msg_queue_size=self._max_msg_queue_size,
        )  # fmt: skip

    def data_received(self, data: bytes) -> None:
        """Take what has come: a message with headers as before at once, all else by way of the parser."""
        waiter = self._waiter
        if waiter is None or waiter.done() or not self._hybrid.between:
            super().data_received(data)
        elif (repeat := self._repeats.find(data)) is not None and not (self._close or self._force_close):
            self._messages.append(repeat)  # type: ignore[arg-type]  # they have what is asked of them
            waiter.set_result(None)
        else:
            super().data_received(data)
            if len(self._messages) == 1:
                message, payload = self._messages[0]
                if isinstance(message, RawRequestMessage):
                    self._repeats.learn(data, message, payload)

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Go on where reading was paused; a body that was read asks each time."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

    async def start(self) -> None:
        """Serve one message after the other, in this one task; aiohttp's own takes a task more for each."""
        self._task: Any = asyncio.current_task()
        while not self._force_close:
            if not self._messages:
                self._waiter = self._loop.create_future()
                try:
                    await self._waiter
                finally:
                    self._waiter = None
            raw, payload = self._messages.popleft()
            self._make_room()
            keep = await self._serve(raw, payload)
            self._decline_upgrade()
            whole = payload.is_eof() or await self._read_off(payload)
            if not keep or not whole or self._close or self._force_close:
                break
            self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
            if self._keepalive_handle is None:
                self._keepalive_handle = self._loop.call_at(self._next_keepalive_close_time, self._process_keepalive)
        if not self._force_close:
            self._task_handler = None
            if self.transport is not None:
                self.transport.close()

    def _make_room(self) -> None:
        """Let the parser and the socket go on where they waited for this message to be taken."""
        if self._parser is not None:
            self._parser.message_consumed()
        if self._buffer_paused and len(self._messages) <= self._msg_queue_resume_size:
            self._resume_reading_if_drained()

    def _decline_upgrade(self) -> None:
        """Go on with what came behind a request that asked for another protocol too (RFC 9110, section 7.8)."""
        if not self._upgraded or self._messages or self._parser is None:
            return
        self._parser.set_upgraded(False)
        self._upgraded = False
        tail, self._message_tail = self._message_tail, b""
        if tail:
            self.data_received(tail)
        if self._buffer_paused:
            self._resume_reading_if_drained()

    async def _serve(self, raw: Any, payload: StreamReader) -> bool:
        """Answer one message; returns whether the connection lives on."""
        message: Message | None = None
        self._request_in_progress = True
        try:
            if isinstance(raw, _ErrInfo):
                answer = self._refused(raw)
            else:
                message = Message(raw, payload, self._origin_of(), self.transport, self._task)
                self._current_request = message  # type: ignore[assignment]  # it has what aiohttp asks of it
                answer = await self._app.handle(message)
            answer.keep_alive = (
                answer.keep_alive and message is not None and message.keep_alive and answer.ends(message)
            )
            await self._write(answer, message)
        except ConnectionError:  # the client has gone
            return False
        except Exception:
            log.exception("an answer could not be written")
            self.force_close()
            return False
        finally:
            self._current_request = None
            self._request_in_progress = False
            if self._handler_waiter is not None:
                self._handler_waiter.set_result(None)
        return answer.keep_alive

    async def _write(self, answer: Answer, message: Message | None) -> None:
        transport = self.transport
        if transport is None:
            raise ConnectionResetError
        for piece in answer.pieces(message, time()):
            transport.write(piece)
        if not isinstance(answer.body, bytes) and (message is None or message.method != "HEAD"):
            await self._write_on(answer, message)
        elif self._paused:
            await self._drain()

    async def _write_on(self, answer: Answer, message: Message | None) -> None:
        """Write a body that comes in pieces."""
        chunks = answer.in_chunks(message)
        async for piece in answer.body:  # type: ignore[union-attr]  # bytes are written otherwise
            if self.transport is None:
                raise ConnectionResetError
            self.transport.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunks else piece)
            if self._paused:
                await self._drain()
        if chunks and self.transport is not None:
            self.transport.write(b"0\r\n\r\n")

    async def _drain(self) -> None:
        """Wait until the client takes what it is sent; raises ConnectionResetError where that takes too long."""
        try:
            async with asyncio.timeout(self._app.listener.http_write_timeout or None):
                await self._drain_helper()
        except TimeoutError:
            self._app.refused("write_timeout")
            if self.transport is not None:
                self.transport.abort()
            raise ConnectionResetError from None

    async def _read_off(self, payload: StreamReader) -> bool:
        """Read what is left of a body that was not asked for; says whether all of it came in time."""
        try:
            async with asyncio.timeout(self._lingering_time):
                while not payload.is_eof():
                    await payload.readany()
        except (TimeoutError, web.RequestPayloadError, ConnectionError):
            return False
        return True

    def _origin_of(self) -> Connection:
        """Return who is at the other end: asked once, it does not change."""
        if self._origin is None:
            peer = self.client or self.peername
            secured: Any = None if self.transport is None else self.transport.get_extra_info("ssl_object")
            address, port = (peer[0], peer[1]) if isinstance(peer, tuple) else ("", 0)
            certificates = client_certificates(secured) if secured is not None else ()
            self._origin = Connection(address, port, certificates, self._app.access)
        return self._origin

    def slow(self, before: float) -> bool:
        """Say whether its headers have been under way since ``before``."""
        return self._hybrid.waiting_since is not None and self._hybrid.waiting_since <= before

    def refuse(self, status: str, message: str, limit: str) -> None:
        """Answer without a request, and hang up."""
        self._app.refused(limit)
        if self.transport is not None and not self._request_in_progress:
            body = json.dumps({"errors": [message]}).encode()
            self.transport.write(
                f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n"
                f"Content-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
        self.force_close()

    def _refused(self, error: Any) -> Answer:
        """Answer what is no HTTP message. Security 1: its text is not logged, it may hold a token."""
        text, status = str(error.message or ""), error.status
        if isinstance(error.exc, LineTooLong) or "headers" in text:
            status, text = 431, "header too large"
        self._app.refused("header_size" if status == 431 else "malformed")
        first = text.partition(":")[0].splitlines()[:1]
        body = json.dumps({"errors": [first[0] if first else "bad request"]}).encode()
        return Answer(status, {"Content-Type": "application/json"}, body, keep_alive=False)


class ConnectionServer(web.Server):
    """aiohttp's low-level server whose connections understand LIST and keep within the listener's limits."""

    def __init__(self, app: App) -> None:
        listener = app.listener
        self.app = app
        self._header_seconds = listener.http_read_header_timeout
        self._most = listener.max_connections or max(resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _RESERVE, 1)
        self._sweeper: asyncio.Task[None] | None = None
        super().__init__(
            app.handle, access_log=None,  # type: ignore[arg-type]  # aiohttp hands it on, and ``start`` alone calls it
            keepalive_timeout=listener.http_idle_timeout, lingering_time=2, max_line_size=_LINE, max_field_size=_LINE,
            max_headers=_HEADERS,
        )  # fmt: skip

    def __call__(self, client: tuple[str, int] | None = None) -> Any:
        handler = _Handler(self, loop=self._loop, **self._kwargs)
        handler.client = client
        return handler

    @property
    def room(self) -> int:
        """How many more connections may come."""
        return self._most - len(self._connections)

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """Take a connection, or refuse it where there are as many as can be."""
        super().connection_made(handler, transport)
        if len(self._connections) > self._most and isinstance(handler, _Handler):
            handler.refuse("429 Too Many Requests", "too many connections", "connections")

    def start(self) -> None:
        """Begin to look after slow clients and long requests."""
        self._sweeper = asyncio.ensure_future(self._sweeping())

    async def shutdown(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - aiohttp's own
        """End all connections."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        await super().shutdown(timeout)

    async def _sweeping(self) -> None:
        listener = self.app.listener
        limits = (self._header_seconds, listener.max_request_duration, listener.http_read_timeout)
        pause = min(_SWEEP, *(limit / 4 for limit in limits if limit > 0), _SWEEP)
        while True:
            await asyncio.sleep(pause)
            self._sweep(self._loop.time())

    def _sweep(self, now: float) -> None:
        end_overdue(self.app.flights, now)
        if self._header_seconds <= 0:
            return
        for handler in self.connections:
            if isinstance(handler, _Handler) and handler.slow(now - self._header_seconds):
                handler.refuse("408 Request Timeout", "the request's headers took too long", "header_timeout")
