"""JSON as Go's encoding/json writes and reads it."""

import json
import math
from typing import Any

from strongroom_agent.template.printing import decimal, scientific, shortest
from strongroom_agent.template.values import NO_VALUE, AnyMap, NilPointer, Struct, is_integer, type_name
from strongroom_common.jsonx import Number

_ALWAYS = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t",
           "\u2028": "\\u2028", "\u2029": "\\u2029"}  # fmt: skip
_ESCAPES = str.maketrans({chr(code): f"\\u{code:04x}" for code in range(0x20)} | _ALWAYS)
_HTML = _ESCAPES | str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def load(text: str) -> Any:
    """Parse JSON with each number as a float64; raises ValueError."""
    return json.loads(text, parse_int=float, parse_constant=_refuse)


def _refuse(name: str) -> Any:
    raise ValueError(f"invalid character '{name[0]}' looking for beginning of value")


def dump(value: Any, *, html: bool = True, indent: str = "") -> str:
    """Print ``value`` with sorted keys; ``html`` escapes <, > and &. Raises ValueError for what JSON lacks."""
    return _Writer(html=html, indent=indent).text(value, "\n")


class _Writer:
    def __init__(self, *, html: bool, indent: str) -> None:
        self.escapes = _HTML if html else _ESCAPES
        self.indent = indent

    def text(self, value: Any, newline: str) -> str:
        if value is None or value is NO_VALUE or isinstance(value, NilPointer):
            return "null"
        if isinstance(value, Number):
            return str(value)
        if isinstance(value, str):
            return self.string(value)
        if isinstance(value, bool):
            return "true" if value else "false"
        if is_integer(value):
            return str(int(value))
        if isinstance(value, float):
            return number(value)
        return self.composite(value, newline)

    def composite(self, value: Any, newline: str) -> str:
        inner = newline + self.indent
        if isinstance(value, Struct):
            value = {name: getattr(value, attribute) for name, attribute in value.go_fields.items()}
            return self.pairs(list(value.items()), newline, inner)
        if isinstance(value, AnyMap):
            value = {_name(key): item for key, item in value.items()}
        if isinstance(value, dict):
            return self.pairs(sorted(value.items()), newline, inner)
        if isinstance(value, bytes):
            import base64

            return self.string(base64.b64encode(value).decode())
        if isinstance(value, list):
            return self.enclosed("[", [self.text(item, inner) for item in value], "]", newline)
        raise ValueError(f"json: unsupported type: {type_name(value)}")

    def pairs(self, items: list[tuple[str, Any]], newline: str, inner: str) -> str:
        colon = ": " if self.indent else ":"
        return self.enclosed("{", [self.string(k) + colon + self.text(v, inner) for k, v in items], "}", newline)

    def enclosed(self, left: str, items: list[str], right: str, newline: str) -> str:
        if not items or not self.indent:
            return left + ",".join(items) + right
        inner = newline + self.indent
        return left + inner + ("," + inner).join(items) + newline + right

    def string(self, text: str) -> str:
        clean = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        return '"' + clean.translate(self.escapes) + '"'


def _name(key: Any) -> str:
    """Return the key of a YAML mapping as the name of a JSON object's member."""
    if isinstance(key, bool) or not isinstance(key, str | int | float):
        raise ValueError("json: unsupported value: object member name must be a string")
    return key if isinstance(key, str) else number(key) if isinstance(key, float) else str(int(key))


def number(value: float) -> str:
    """Print a float64 as JSON has it: with an exponent from 1e21 and below 1e-6."""
    if math.isnan(value) or math.isinf(value):
        raise ValueError("json: unsupported value")
    if value == 0:
        return "0" if math.copysign(1, value) > 0 else "-0"
    sign, digits, exponent = decimal(value)
    if exponent < -6 or exponent >= 21:
        text = sign + scientific(digits, exponent)
        return text.replace("e-0", "e-").replace("e+0", "e+")
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    return shortest(value, 21)
