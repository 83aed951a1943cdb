"""The verb LIST over aiohttp.

Vault's clients send ``LIST /v1/…``; aiohttp's fast parser knows registered methods only and answers 400. A
connection whose next message begins with an unknown method is handed to aiohttp's own Python parser from there on;
all others keep the fast one. This leans on internals of aiohttp's request handler, hence the pinned version and
the tests with split, pipelined and misleading input.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMethod
from aiohttp.http_parser import HttpRequestParserPy
from aiohttp.web_protocol import RequestHandler

_LONGEST_METHOD = 16


class _HybridParser:
    """aiohttp's parser interface over the fast parser, or over the Python one after the first unknown method."""

    __slots__ = ("_last", "_make_slow", "_parser", "_seen")

    def __init__(self, fast: Any, make_slow: Callable[[], Any]) -> None:
        self._parser = fast
        self._make_slow: Callable[[], Any] | None = make_slow
        self._seen: bytes | None = b""  # the start of a message that the fast parser has and has not yet judged
        self._last: Any = None

    def feed_data(self, data: bytes) -> Any:
        if self._make_slow is None:
            return self._parser.feed_data(data)
        body_open = self._last is not None and not self._last.is_eof()
        try:
            result = self._parser.feed_data(data)
        except BadHttpMethod:
            # The bytes are a message's start only where no body is under way: else they are the body's own.
            if body_open or self._seen is None:
                raise
            self._parser, self._make_slow = self._make_slow(), None
            return self._parser.feed_data(self._seen + data)
        if result[0]:
            self._last, self._seen = result[0][-1][1], b""
        elif not body_open and data and self._seen is not None:
            seen = self._seen + data
            self._seen = seen if len(seen) <= _LONGEST_METHOD else None
        return result

    def feed_eof(self) -> Any:
        return self._parser.feed_eof()

    def pause_reading(self) -> None:
        self._parser.pause_reading()

    def message_consumed(self) -> None:
        self._parser.message_consumed()

    def set_upgraded(self, value: bool) -> None:
        self._parser.set_upgraded(value)


class _Handler(RequestHandler):
    __slots__ = ()

    def __init__(self, manager: Any, *, loop: asyncio.AbstractEventLoop, **kwargs: Any) -> None:
        super().__init__(manager, loop=loop, **kwargs)
        self._parser = _HybridParser(self._parser, self._slow_parser)  # type: ignore[assignment]  # same interface

    def _slow_parser(self) -> Any:
        return HttpRequestParserPy(
            self, self._loop, self._read_bufsize, max_line_size=self.max_line_size,
            max_field_size=self.max_field_size, max_headers=self.max_headers,
            payload_exception=web.RequestPayloadError, max_msg_queue_size=self._max_msg_queue_size,
        )  # fmt: skip


class ListServer(web.Server):
    """aiohttp's low-level server whose connections understand LIST."""

    def __call__(self) -> Any:
        return _Handler(self, loop=self._loop, **self._kwargs)
