"""Connections: aiohttp's low-level server with the verb LIST, and with bounds on what a client may take.

Headers that never end, bodies that trickle, requests that run on and ever more connections all cost memory that
others need; each has its limit, its answer (4xx, 503) and its count in ``vault.http.refused``. This leans on internals
of aiohttp's request handler, as ``list_parser`` does.
"""

import asyncio
import json
import resource
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.http_parser import HttpRequestParserPy
from aiohttp.web_protocol import RequestHandler

from strongroom_server.core.in_flight import end_overdue
from strongroom_server.http.app import App
from strongroom_server.http.list_parser import HybridParser

_LINE = 64 * 1024
_HEADERS = 200
_RESERVE = 128  # open files that the store, audit devices and upstreams keep
_SWEEP = 1.0  # seconds, or less where a limit is less


class _Handler(RequestHandler):
    __slots__ = ("_app", "_hybrid")

    def __init__(self, manager: "ConnectionServer", *, loop: asyncio.AbstractEventLoop, **kwargs: Any) -> None:
        super().__init__(manager, loop=loop, **kwargs)
        self._app = manager.app
        self._hybrid = HybridParser(self._parser, self._slow_parser, loop.time)
        self._parser = self._hybrid  # type: ignore[assignment]  # same interface

    def _slow_parser(self) -> Any:
        return HttpRequestParserPy(
            self, self._loop, self._read_bufsize, max_line_size=self.max_line_size,
            max_field_size=self.max_field_size, max_headers=self.max_headers,
            payload_exception=web.RequestPayloadError, max_msg_queue_size=self._max_msg_queue_size,
        )  # fmt: skip

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
                f"Content-Length: {len(body)}\r\n\r\n".encode() + body
            )
        self.force_close()

    def handle_error(self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None,
                     message: str | None = None) -> web.StreamResponse:  # fmt: skip
        """Answer what is no HTTP message. Security 1: its text is not logged, it may hold a token."""
        text = str(message or "")
        if isinstance(exc, LineTooLong) or "headers" in text:
            status, text = 431, "header too large"
        self._app.refused("header_size" if status == 431 else "malformed")
        first = text.partition(":")[0].splitlines()[:1]
        answer = web.Response(status=status, body=json.dumps({"errors": [first[0] if first else "bad request"]}),
                              content_type="application/json")  # fmt: skip
        answer.force_close()
        return answer


class ConnectionServer(web.Server):
    """aiohttp's low-level server whose connections understand LIST and keep within the listener's limits."""

    def __init__(self, app: App) -> None:
        listener = app.listener
        self.app = app
        self._header_seconds = listener.http_read_header_timeout
        self._most = listener.max_connections or max(resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _RESERVE, 1)
        self._sweeper: asyncio.Task[None] | None = None
        super().__init__(
            app.handle, request_factory=_request_factory(listener.max_request_size), access_log=None,
            keepalive_timeout=listener.http_idle_timeout, lingering_time=2, max_line_size=_LINE, max_field_size=_LINE,
            max_headers=_HEADERS,
        )  # fmt: skip

    def __call__(self) -> Any:
        return _Handler(self, loop=self._loop, **self._kwargs)

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


def _request_factory(max_body: int) -> Any:
    """Return aiohttp's own factory with our limit: its default refuses bodies over 1 MiB."""

    def make(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
        loop = asyncio.get_running_loop()
        return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=max_body + 1)

    return make
