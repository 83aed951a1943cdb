"""Messages that repeat the headers of an earlier one on their connection, taken without parsing these again.

Programs send the same header lines with each request, so most of what a parser reads it has read before. A block of
lines that it has accepted on this connection is known by its bytes, with the headers and the length of body that it
made of them; a message that has such a block needs its first line read alone. Anything else is the parser's.
"""

from typing import NamedTuple

from aiohttp.http import HttpVersion, HttpVersion11, RawRequestMessage
from aiohttp.streams import StreamReader
from multidict import CIMultiDictProxy

_KEPT = 8
"""Blocks that a connection keeps; one more, and it begins anew."""
_LONGEST = 4096
"""Bytes of a first line, and of a block, up to which they are looked at."""
_VERSION = b"HTTP/1.1"
_METHODS = {method.encode(): method for method in ("GET", "POST", "PUT", "DELETE", "LIST", "PATCH", "HEAD", "SCAN")}
_UNPLAIN = ("Transfer-Encoding", "Expect", "Upgrade", "Connection", "Content-Encoding")
"""Headers that say more of a message's form than its length."""


class Repeat(NamedTuple):
    """A message's head, as far as a request needs it: what a ``RawRequestMessage`` has under these names."""

    method: str
    path: str
    headers: CIMultiDictProxy[str]
    version: HttpVersion = HttpVersion11
    should_close: bool = False


class Arrived:
    """A body that came with its head: what is asked of a ``StreamReader`` that has all of it."""

    __slots__ = ("_body",)

    def __init__(self, body: bytes) -> None:
        self._body = body

    def is_eof(self) -> bool:
        """Return True: nothing more comes."""
        return True

    def read_nowait(self) -> bytes:
        """Return the body."""
        return self._body

    def set_exception(self, error: BaseException) -> None:
        """Do nothing: a connection that is lost takes none of it away."""


class Repeats:
    """What a connection's parser has accepted: header lines as they came, each line's end included."""

    __slots__ = ("_blocks",)

    def __init__(self) -> None:
        self._blocks: dict[bytes, tuple[CIMultiDictProxy[str], int]] = {}

    def find(self, data: bytes) -> tuple[Repeat, Arrived] | None:
        """Return the message that ``data`` is, where it is one whole message with known headers."""
        line = data.find(b"\r\n", 0, _LONGEST)
        end = data.find(b"\r\n\r\n", line, line + _LONGEST) + 4
        known = self._blocks.get(data[line:end])
        if known is None or len(data) - end != known[1]:
            return None
        # Security 1: the first line is read to the letter of RFC 9112, section 3; the parser judges any other.
        method, _, rest = data[:line].partition(b" ")
        target, _, version = rest.partition(b" ")
        if version != _VERSION or method not in _METHODS or not target.startswith(b"/") or not target.isascii():
            return None
        path = target.decode("ascii")
        if not path.isprintable():
            return None
        return Repeat(_METHODS[method], path, known[0]), Arrived(data[end:])

    def learn(self, data: bytes, message: RawRequestMessage, payload: StreamReader) -> None:
        """Keep the headers of ``message`` that the parser made of ``data``, where the two are plainly the same.

        Security 2: only a message whose end its length alone tells is taken (RFC 9112, section 6.3), and only where
        that length is what came behind the head; a block is known by all its bytes, so none is read in two ways.
        """
        line = data.find(b"\r\n", 0, _LONGEST)
        end = data.find(b"\r\n\r\n", line, line + _LONGEST) + 4
        headers = message.headers
        if line < 0 or end < 4 or not payload.is_eof() or message.version != HttpVersion11:
            return
        if message.should_close or message.chunked or any(name in headers for name in _UNPLAIN):
            return
        if headers.get("Content-Length", "0") != str(len(data) - end):
            return
        if len(self._blocks) >= _KEPT:
            self._blocks.clear()
        self._blocks[data[line:end]] = (headers, len(data) - end)
