"""JSON values as YAML, for ``-format=yaml``, laid out as Vault's command line does.

YAML 1.1 readers are still common: what they would take for a truth value, a number or a date is quoted.
"""

import re
from json.encoder import encode_basestring
from typing import Any

_SPECIAL = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", "=", "<<"]) | {""}
_NUMBER = re.compile(
    r"[-+]?(\d[\d_]*|0x[\da-f_]+|0o?[0-7_]+|0b[01_]+|\d[\d_:]*)(\.[\d_]*)?(e[-+]?\d+)?\Z|[-+]?\.(\d[\d_]*(e[-+]?\d+)?|inf)\Z"
    r"|\.nan\Z",
    re.IGNORECASE,
)
_DATE = re.compile(r"\d{4}-\d\d?-\d\d?")
_STARTS = "!&*-?:,[]{}#|>@`\"'%"


def dumps(value: Any) -> str:
    """Return ``value`` as a YAML document; keys are sorted, numbers keep their text."""
    return _block(value, "").removeprefix("\n") + "\n"


def _block(value: Any, pad: str) -> str:
    """Return what follows ``key:`` at indentation ``pad``: a scalar on the line, or lines below it."""
    if isinstance(value, dict) and value:
        entries = (
            pad + _key(str(key)) + ":" + _after(value[key], pad + "  ", pad) for key in sorted(value, key=_natural)
        )
        return "\n" + "\n".join(entries)
    if isinstance(value, list | tuple) and value:
        return "\n" + "\n".join(pad + "-" + _item(item, pad + "  ") for item in value)
    return _scalar(value, pad)


def _natural(key: str) -> list[tuple[int, int, str]]:
    """Order keys so that "10" comes after "9"."""
    parts = re.findall(r"\d+|\D+", key, re.ASCII)
    numbers = [part.lstrip("0") if part[0] in "0123456789" else None for part in parts]
    return [
        (1, 0, part) if number is None else (0, len(number), number)
        for part, number in zip(parts, numbers, strict=True)
    ]


def _after(value: Any, deeper: str, pad: str) -> str:
    block = _block(value, pad if isinstance(value, list | tuple) else deeper)
    return block if block.startswith("\n") else " " + block


def _item(value: Any, deeper: str) -> str:
    block = _block(value, deeper)
    return " " + block.removeprefix("\n").removeprefix(deeper) if block.startswith("\n") else " " + block


def _key(key: str) -> str:
    return _double(key) if "\n" in key else _string(key, "")  # a key stands on one line


def _scalar(value: Any, pad: str) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{}"
    if isinstance(value, list | tuple):
        return "[]"
    if type(value) is str:
        return _string(value, pad)
    return str(value)  # int and jsonx.Number: their own text


def _string(text: str, pad: str) -> str:
    printable = all(char.isprintable() or char == "\n" for char in text)
    if "\n" in text and printable and text.strip("\n") and " \n" not in text and not text.endswith(" "):
        return _literal(text, pad or "  ")
    if not printable or "\n" in text:
        return _double(text)
    if text.startswith(("---", "...")):
        return _single(text)
    if text.lower() in _SPECIAL or _NUMBER.match(text) or _DATE.match(text):
        return _double(text)
    if text[0] in _STARTS or text != text.strip() or ": " in text or " #" in text or text.endswith(":"):
        return _plain_start(text)
    return text


def _double(text: str) -> str:
    return "".join(char if char.isprintable() else _escape(char) for char in encode_basestring(text))


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _plain_start(text: str) -> str:
    if text[0] in "-?:" and len(text) > 1 and text[1] != " " and ": " not in text and not text.endswith((":", " ")):
        return text if " #" not in text else _single(text)
    return _single(text)


def _single(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _literal(text: str, pad: str) -> str:
    body = text.rstrip("\n")
    tail = len(text) - len(body)
    sign = ("-", "")[tail] if tail < 2 else "+"
    lines = (body + "\n" * max(tail - 1, 0)).split("\n")
    hint = "2" if text[0] in "\n " else ""  # without it a reader would guess the indentation from the first line
    return f"|{hint}{sign}\n" + "\n".join(pad + line if line else "" for line in lines)
