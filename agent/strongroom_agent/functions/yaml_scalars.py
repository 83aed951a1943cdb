"""What a single YAML 1.1 word means, as go-yaml version 2 has it: booleans, null, numbers, else a string."""

import re
from typing import Any

Quoted = re.compile(r""""(?:\\.|[^"\\])*"|'(?:''|[^'])*'""", re.DOTALL)
_TRUE = ("y", "yes", "true", "on")
_FALSE = ("n", "no", "false", "off")
_INTEGER = re.compile(r"[-+]?(?:0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)\Z")
_FLOAT = re.compile(r"[-+]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9_]+)(?:[eE][-+]?[0-9]+)?\Z")
_SPECIAL = {".inf": "inf", "+.inf": "inf", "-.inf": "-inf", ".nan": "nan"}
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|\n[ \t]*|(.))", re.DOTALL)
_SIMPLE = {"0": "\0", "a": "\a", "b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r",
           "e": "\x1b", " ": " ",
           '"': '"', "/": "/", "\\": "\\", "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029"}  # fmt: skip


def resolved(text: str) -> Any:
    """Return what a plain word stands for."""
    if text in ("~", "null", "Null", "NULL", ""):
        return None
    lower = text.lower()
    if text in (lower, lower.upper(), lower.title()) and lower in (*_TRUE, *_FALSE):
        return lower in _TRUE
    if _INTEGER.match(text):
        return _integer(text.replace("_", ""))
    if _FLOAT.match(text):
        return float(text.replace("_", ""))
    if text in (lower, lower.upper(), ".NaN", ".Inf", "-.Inf", "+.Inf") and lower in _SPECIAL:
        return float(_SPECIAL[lower])
    return text


def _integer(text: str) -> int | float:
    sign, digits = (text[:1], text[1:]) if text[:1] in ("-", "+") else ("", text)
    octal = len(digits) > 1 and digits[0] == "0" and digits[1].isdecimal()
    if octal and not set(digits) <= set("01234567"):
        return float(text)
    value = int(digits, 8) if octal else int(digits, 0)
    value = -value if sign == "-" else value
    return value if -(2**63) <= value < 2**64 else float(value)


def quoted(text: str) -> str:
    """Return the string in quotes; raises ValueError for an unknown escape or text after the closing quote."""
    match = Quoted.fullmatch(text)
    if not match:
        raise ValueError("did not find expected end of quoted scalar")
    body = text[1:-1]
    if text[0] == "'":
        return folded(body.replace("''", "'").split("\n"))
    return _ESCAPE.sub(_escape, folded(re.sub(r"\\\n[ \t]*", "", body).split("\n")))


def _escape(match: "re.Match[str]") -> str:
    code = match[1] or match[2] or match[3]
    if code:
        return chr(int(code, 16))
    if match[4] not in _SIMPLE:
        raise ValueError("found unknown escape character")
    return _SIMPLE[match[4]]


def folded(lines: list[str]) -> str:
    """Join lines as YAML does: one line end is a blank, more of them are line ends."""
    out, gap = lines[0], 0
    for line in lines[1:]:
        if not line.strip():
            gap += 1
            continue
        out += "\n" * gap if gap else " "
        out, gap = out + line.strip(), 0
    return out + "\n" * gap
