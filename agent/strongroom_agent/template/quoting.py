"""How Go quotes strings: ``strconv.Quote``, and the escapes of ``html``, ``js`` and ``urlquery``."""

import unicodedata
from urllib.parse import quote_from_bytes

from strongroom_agent.template.values import raw

_ESCAPES = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\"}
_JS = {"\\": "\\\\", "'": "\\'", '"': '\\"', "<": "\\u003C", ">": "\\u003E", "&": "\\u0026", "=": "\\u003D"}
_HTML = str.maketrans({
    '"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;", "\0": "\ufffd",
})  # fmt: skip


def is_printable(character: str) -> bool:
    """Whether Go prints a character as it is: letters, marks, numbers, punctuation, symbols and the ASCII space."""
    return character == " " or unicodedata.category(character)[0] in "LMNPS"


def quote(text: str, *, ascii_only: bool = False) -> str:
    """Return ``text`` as a Go string literal."""
    return '"' + "".join(_escaped(c, '"', ascii_only=ascii_only) for c in text) + '"'


def quote_rune(character: str, *, ascii_only: bool = False) -> str:
    """Return a character as a Go character literal."""
    return "'" + _escaped(character, "'", ascii_only=ascii_only) + "'"


def _escaped(character: str, mark: str, *, ascii_only: bool) -> str:
    code = ord(character)
    if character == mark:
        return "\\" + mark
    if character in _ESCAPES:
        return _ESCAPES[character]
    if 0xDC80 <= code < 0xDD00:  # a byte that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if is_printable(character) and not (ascii_only and code > 126):
        return character
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def html(text: str) -> str:
    """Escape for HTML."""
    return text.translate(_HTML)


def js(text: str) -> str:
    """Escape for a JavaScript string."""
    return "".join(_js(character) for character in text)


def _js(character: str) -> str:
    if character in _JS:
        return _JS[character]
    code = ord(character)
    if code < 0x20 or (code > 126 and not is_printable(character)):
        return f"\\u{code:04X}"
    return character


def urlquery(text: str) -> str:
    """Escape for the query of a URL."""
    return quote_from_bytes(raw(text), safe="~").replace("%20", "+")
