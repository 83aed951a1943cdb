"""The JSON form of HCL, read with the standard library's decoder but keeping order, duplicates and positions.

hcl v1 has a laxer reader of its own, which takes cut-off objects and text after the end: here JSON is JSON (RFC 8259),
but for a comma after the last element, which files in use have.
"""

import json
import re
from typing import Any

from strongroom_common.hcl.scanner import Scanner
from strongroom_common.hcl.tree import Body, HclError, Item, Value

_BLANK = re.compile(r"[ \t\n\r]*")
_DEEPEST = 100


def parse(text: str) -> Body:
    """Return the tree of a JSON object; raises HclError."""
    return _Reader(text).whole()


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._offset = 0
        self._depth = 0
        self._scanner = Scanner(text)
        self._decoder = json.JSONDecoder(parse_constant=_refuse)

    def whole(self) -> Body:
        """Read the text, which holds one object."""
        self._blank()
        body = self._object()
        self._blank()
        if self._offset < len(self._text):
            raise self._error("end of text expected")
        return body

    def _object(self) -> Body:
        items: list[Item] = []
        self._enter("{")
        while not self._leave("}", first=not items):
            position = self._scanner.position(self._offset)
            if not self._text.startswith('"', self._offset):
                raise self._error("expected a quoted key")
            key = self._scalar()
            self._blank()
            self._take(":")
            items.append(Item(key, (), self._value(), *position))
        return Body(tuple(items), json=True)

    def _list(self) -> tuple[Value, ...]:
        values: list[Value] = []
        self._enter("[")
        while not self._leave("]", first=not values):
            values.append(self._value())
        return tuple(values)

    def _value(self) -> Value:
        self._blank()
        if self._text.startswith("{", self._offset):
            return self._object()
        if self._text.startswith("[", self._offset):
            return self._list()
        value: Value = self._scalar()
        return value

    def _scalar(self) -> Any:
        try:
            value, self._offset = self._decoder.raw_decode(self._text, self._offset)
        except json.JSONDecodeError as error:
            raise self._scanner.error(min(error.pos, len(self._text)), error.msg) from None
        except ValueError:
            raise self._error("number is too long, or NaN or Infinity") from None
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if isinstance(value, str) else value

    def _enter(self, bracket: str) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._error("nested too deeply")
        self._take(bracket)

    def _leave(self, bracket: str, *, first: bool) -> bool:
        """Say whether ``bracket`` closes here (and take it); before every element but the first take a comma."""
        self._blank()
        if self._text.startswith(bracket, self._offset):
            self._take(bracket)
            self._depth -= 1
            return True
        if not first:
            self._take(",")
            self._blank()
            return self._leave(bracket, first=True)
        return False

    def _take(self, sign: str) -> None:
        if not self._text.startswith(sign, self._offset):
            raise self._error(f"expected {sign!r}")
        self._offset += 1

    def _blank(self) -> None:
        if match := _BLANK.match(self._text, self._offset):
            self._offset = match.end()

    def _error(self, message: str) -> HclError:
        return self._scanner.error(self._offset, message)
