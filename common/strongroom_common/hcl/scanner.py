"""HCL text to tokens. The quirks are hcl v1's own and were asked of OpenBao 2.7.2; files depend on them."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from strongroom_common.hcl.tree import HclError

_SKIP = re.compile(r"(?:[ \t\r\n]+|(?:#|//)[^\n]*|/\*.*?\*/)*", re.DOTALL)
_WORD = re.compile(r"[^\W\d][\w.\-]*")
_NUMBER = re.compile(
    r"(?P<HEX>-?0[xX][0-9a-fA-F]*)|(?P<FLOAT>-?(?:\d+\.\d*|\.\d+)(?:[eE][+-]?\d+)?|-?\d+[eE][+-]?\d+)|(?P<INT>-?\d+)",
    re.ASCII,
)
_SIMPLE_STRING = re.compile(r'"([^"\\$\n]*)"')
_SIGNS = {
    "[": "LBRACK", "]": "RBRACK", "{": "LBRACE", "}": "RBRACE", ",": "COMMA",
    "=": "ASSIGN", ".": "PERIOD", "+": "ADD", "-": "SUB",
}  # fmt: skip
_ESCAPE = re.compile(r'\\(?:([abfnrtv\\"])|([0-7]{3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))')
_CONTROLS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"'}
_ANCHOR = re.compile(r"<<(-?)(\w*)")


class Token(NamedTuple):
    """One word of the text; ``kind`` is what hcl v1 calls it in its messages."""

    kind: str
    value: str | int | float | bool | None
    offset: int


class Scanner:
    """Yields the tokens of a text, an endless run of EOF last; raises HclError at the first that is none."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]

    def position(self, offset: int) -> tuple[int, int]:
        """Return the line and the column of a character."""
        line = bisect_right(self._lines, offset)
        return line, offset - self._lines[line - 1] + 1

    def error(self, offset: int, message: str) -> HclError:
        """Return an error that points at a character."""
        return HclError(*self.position(offset), message)

    def __iter__(self) -> Iterator[Token]:
        offset, end = 0, len(self._text)
        while True:
            start = self._skip(offset)
            if start == end:
                break
            token, offset = self._token(start)
            yield token
        while True:
            yield Token("EOF", None, end)

    def _skip(self, offset: int) -> int:
        match = _SKIP.match(self._text, offset)
        start = match.end() if match else offset
        if self._text.startswith("/", start):
            unclosed = self._text.startswith("/*", start)
            raise self.error(start, "comment not terminated" if unclosed else "expected '/' for comment")
        return start

    def _token(self, start: int) -> tuple[Token, int]:
        text = self._text
        if simple := _SIMPLE_STRING.match(text, start):
            return Token("STRING", self._characters(simple[1], start), start), simple.end()
        if text[start] == '"':
            return self._string(start)
        if word := _WORD.match(text, start):
            kind, value = ("BOOL", word[0] == "true") if word[0] in ("true", "false") else ("IDENT", word[0])
            return Token(kind, value, start), word.end()
        if number := _NUMBER.match(text, start):
            return self._number(number)
        if text[start] == "<":
            return self._heredoc(start)
        if sign := _SIGNS.get(text[start]):
            return Token(sign, text[start], start), start + 1
        nul = text[start] == "\0"
        raise self.error(start, "unexpected null character (0x00)" if nul else "illegal char")

    def _characters(self, text: str, start: int) -> str:
        if "\0" in text:
            raise self.error(start, "unexpected null character (0x00)")
        return text

    def _number(self, match: re.Match[str]) -> tuple[Token, int]:
        text, start = match[0], match.start()
        digits = text.lstrip("-")
        if match["FLOAT"]:
            return Token("FLOAT", float(text), start), match.end()
        if match["HEX"] and len(digits) == 2:
            raise self.error(start, "illegal hexadecimal number")
        base = 16 if match["HEX"] else 8 if digits[0] == "0" else 10
        if base == 8 and not set(digits) <= set("01234567"):
            raise self.error(start, "illegal octal number")
        if len(digits) > 100:
            raise self.error(start, "number is too long")  # and Python refuses to read one of 4,300 digits
        return Token("NUMBER", int(text, base), start), match.end()

    def _string(self, start: int) -> tuple[Token, int]:
        """Read a quoted text: Go's escapes, but ``${…}`` is taken as it stands, quotes and newlines in it too."""
        text, offset, depth = self._text, start + 1, 0
        parts: list[str | bytes] = []
        while offset < len(text):
            char = text[offset]
            if depth == 0 and char == '"':
                return Token("STRING", self._characters(_join(parts), start), start), offset + 1
            if depth == 0 and char == "\n":
                break
            if char == "\\":
                escape = self._escape(offset)
                parts.append(_unescape(escape) if depth == 0 else escape[0])
                offset = escape.end()
                continue
            if depth == 0 and text.startswith("${", offset):
                depth, char = 1, "${"
            elif depth:
                depth += (char == "{") - (char == "}")
            parts.append(char)
            offset += len(char)
        raise self.error(start, "literal not terminated")

    def _escape(self, offset: int) -> re.Match[str]:
        match = _ESCAPE.match(self._text, offset)
        if match is None or int(match[2] or "0", 8) > 0xFF or int(match[5] or "0", 16) > 0x10FFFF:
            raise self.error(offset, "illegal char escape")
        return match

    def _heredoc(self, start: int) -> tuple[Token, int]:
        text = self._text
        anchor = _ANCHOR.match(text, start)
        if anchor is None:
            raise self.error(start, "heredoc expected second '<', didn't see it")
        if text[anchor.end() : anchor.end() + 1] != "\n":
            at_end = anchor.end() == len(text)
            raise self.error(start, "heredoc not terminated" if at_end else "invalid characters in heredoc anchor")
        if not anchor[2]:
            raise self.error(start, "zero-length heredoc anchor")
        # With <<- the closing word must be indented by one character at least: hcl v1 counts the minus.
        closing = re.compile(rf"^([^\S\n]{'+' if anchor[1] else '*'}){anchor[2]}\r*\n", re.MULTILINE)
        end = closing.search(text, anchor.end() + 1)
        if end is None:
            raise self.error(start, "heredoc not terminated")
        content = text[anchor.end() + 1 : end.start()]
        content = _unindent(content, end[1]) if anchor[1] else content + end[1]
        return Token("HEREDOC", self._characters(content, start), start), end.end()


def _join(parts: list[str | bytes]) -> str:
    """Put a string together; escaped bytes that are no UTF-8 become U+FFFD, as Go prints them."""
    raw = b"".join(part if isinstance(part, bytes) else part.encode("utf-8", "replace") for part in parts)
    return raw.decode("utf-8", "replace")


def _unescape(match: re.Match[str]) -> str | bytes:
    control, octal, byte, short, long = match.groups()
    if control:
        return _CONTROLS[control]
    if octal or byte:
        return bytes([int(octal, 8) if octal else int(byte, 16)])
    code = int(short or long, 16)
    return "\ufffd" if 0xD800 <= code <= 0xDFFF else chr(code)


def _unindent(content: str, indent: str) -> str:
    """Take the closing word's indentation off every line, or off none where one line has less."""
    lines = content.split("\n")[:-1]
    if not all(line.startswith(indent) for line in lines):
        return content
    return "".join(line[len(indent) :] + "\n" for line in lines)
