"""JSON whose numbers come back as they went in.

A secret may hold 9007199254740993 or 1.50; a float would lose both. Integers are Python's own, which have no
limit; every other number is kept as its text in ``Number``. This module uses the standard library's parser for
the small programs; the server's faster codec (``strongroom_server.sdk.codec``) yields the same values.
"""

import json
from json.encoder import encode_basestring
from typing import Any


class Number(str):
    """A JSON number that is not an integer, as it was written: ``1.50``, ``1E3``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def loads(text: str | bytes) -> Any:
    """Parse ``text``; raises ValueError where it is no JSON, NaN and Infinity included (RFC 8259, 6)."""
    return json.loads(text, parse_float=Number, parse_constant=_refuse)


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def dumps(value: Any, *, indent: int | None = None, sort_keys: bool = False) -> str:
    """Print ``value``; a ``Number`` comes out as the number it was. Non-ASCII characters stay as they are.

    The standard library's encoder has no way to print a number from its text, hence this short one.
    """
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, dict):
        pairs = sorted(value.items()) if sort_keys else value.items()
        colon = ": " if indent else ":"
        items = [_string(str(k)) + colon + dumps(v, indent=indent, sort_keys=sort_keys) for k, v in pairs]
        return _enclose("{", items, "}", indent)
    if isinstance(value, list | tuple):
        return _enclose("[", [dumps(item, indent=indent, sort_keys=sort_keys) for item in value], "]", indent)
    return json.dumps(value, allow_nan=False)


def _string(text: str) -> str:
    if not text.isascii():  # half a surrogate pair, which JSON can spell and UTF-8 cannot, becomes U+FFFD as in Go
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return encode_basestring(text)


def _enclose(left: str, items: list[str], right: str, indent: int | None) -> str:
    if not items or not indent:
        return left + ",".join(items) + right
    pad = " " * indent
    lines = (",\n".join(items)).replace("\n", "\n" + pad)  # strings hold no raw newline: JSON escapes them
    return f"{left}\n{pad}{lines}\n{right}"
