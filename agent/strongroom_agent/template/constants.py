"""Go's constants: quoted strings, characters and numbers, read as ``strconv`` reads them."""

import re

from strongroom_agent.template.lexer import Token
from strongroom_agent.template.nodes import Constant

_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\'\"])|([0-7]{3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.?))", re.DOTALL
)
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_OCTAL = re.compile(r"[+-]?0_?[0-7][0-7_]*\Z")


def constant(token: Token) -> Constant:
    """Return what a string, raw string, character, number or ``nil`` stands for; raises ValueError."""
    at = (token.start, token.end, token.start)
    if token.kind == "nil":
        return Constant("nil", None, at)
    if token.kind == "raw":
        return Constant("string", token.value[1:-1].replace("\r", ""), at)
    if token.kind == "string":
        return Constant("string", unquote(token.value), at)
    if token.kind == "char":
        return Constant("number", _character(token.value), at)
    return Constant("number", number(token.value), at)


def unquote(text: str) -> str:
    """Return a Go string literal's value; bytes that are no UTF-8 become surrogates (PEP 383)."""
    quote, body = text[0], text[1:-1]
    out = bytearray()
    position = 0
    for match in _ESCAPE.finditer(body):
        out += body[position : match.start()].encode("utf-8", "surrogateescape")
        out += _escape(match, quote)
        position = match.end()
    out += body[position:].encode("utf-8", "surrogateescape")
    return out.decode("utf-8", "surrogateescape")


def _escape(match: "re.Match[str]", quote: str) -> bytes:
    simple, octal, hexadecimal, short, long, _ = match.groups()
    if simple and (simple not in "'\"" or simple == quote):
        return _SIMPLE.get(simple, simple).encode()
    if octal or hexadecimal:
        code = int(octal, 8) if octal else int(hexadecimal, 16)
        if code < 256:
            return bytes([code])
    if short or long:
        code = int(short or long, 16)
        if code < 0x110000 and not 0xD800 <= code < 0xE000:
            return chr(code).encode()
    raise ValueError("invalid syntax")


def _character(text: str) -> int:
    value = unquote(text)
    if len(value) != 1:
        raise ValueError(f"malformed character constant: {text}")
    code = ord(value)
    return code - 0xDC00 if 0xDC80 <= code < 0xDD00 else code  # '\xff' is the number, not the rune


def number(text: str) -> int | float:
    """Return a number as Go types it: an ``int`` where it is written as one, else a float64."""
    try:
        value = int(text.replace("_", ""), 8) if _OCTAL.match(text) else int(text, 0)
    except ValueError:
        return _float(text)
    if not -(2**63) <= value < 2**63:
        raise ValueError(f"integer overflow: {text!r}" if value >= 2**64 else f"{text} overflows int")
    return value


def _float(text: str) -> float:
    try:
        hexadecimal = text.lower().lstrip("+-").startswith("0x")
        return float.fromhex(text) if hexadecimal else float(text)
    except ValueError:
        raise ValueError(f"bad number syntax: {text!r}") from None
