"""The verb LIST over aiohttp.

Vault's clients send ``LIST /v1/…``; aiohttp's fast parser knows registered methods only and answers 400. A
connection whose next message begins with an unknown method is handed to aiohttp's own Python parser from there on;
all others keep the fast one. This leans on internals of aiohttp's request handler, hence the pinned version and
the tests with split, pipelined and misleading input.
"""

from collections.abc import Callable
from typing import Any

from aiohttp.http_exceptions import BadHttpMethod

_LONGEST_METHOD = 16


class HybridParser:
    """aiohttp's parser interface over the fast parser, or over the Python one after the first unknown method.

    ``waiting_since`` is when the headers began that are still incomplete, by ``now``; None where none are under way.
    """

    __slots__ = ("_last", "_make_slow", "_now", "_parser", "_seen", "waiting_since")

    def __init__(self, fast: Any, make_slow: Callable[[], Any], now: Callable[[], float]) -> None:
        self._parser = fast
        self._now = now
        self.waiting_since: float | None = now()
        self._make_slow: Callable[[], Any] | None = make_slow
        self._seen: bytes | None = b""  # the start of a message that the fast parser has and has not yet judged
        self._last: Any = None

    @property
    def between(self) -> bool:
        """Whether what comes next begins a message."""
        return self.waiting_since is None and self._last is not None and self._last.is_eof()

    def feed_data(self, data: bytes) -> Any:
        body_open = self._last is not None and not self._last.is_eof()
        result = self._parser.feed_data(data) if self._make_slow is None else self._feed_fast(data, body_open)
        if result[0]:
            self._last, self._seen, self.waiting_since = result[0][-1][1], b"", None
        elif not body_open and data:
            if self.waiting_since is None:
                self.waiting_since = self._now()
            if self._seen is not None:
                seen = self._seen + data
                self._seen = seen if len(seen) <= _LONGEST_METHOD else None
        return result

    def _feed_fast(self, data: bytes, body_open: bool) -> Any:
        try:
            return self._parser.feed_data(data)
        except BadHttpMethod:
            # The bytes are a message's start only where no body is under way: else they are the body's own.
            if body_open or self._seen is None or self._make_slow is None:
                raise
            self._parser, self._make_slow = self._make_slow(), None
            return self._parser.feed_data(self._seen + data)

    def feed_eof(self) -> Any:
        return self._parser.feed_eof()

    def pause_reading(self) -> None:
        self._parser.pause_reading()

    def message_consumed(self) -> None:
        self._parser.message_consumed()

    def set_upgraded(self, value: bool) -> None:
        self._parser.set_upgraded(value)
