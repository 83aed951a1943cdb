"""Bodies that are small to send and dear to hold: bounds on depth, on entries and on the memory they would take.

(CVE-2025-6203 and CVE-2025-59043 are such requests.) The length of the text settles nearly every request, and counting
a few signs most others; only a text that has many of them is looked at closely.
"""

import re
from dataclasses import dataclass
from typing import Any

from strongroom_server.config import Listener
from strongroom_server.sdk.errors import InvalidRequest

_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
"""A string, or one that never ends: without that each quote in it would be tried to the end of the body."""
_SIGNS = (b",", b":", b"[", b"{")
_ALL_BUT_OPENING = bytes(set(range(256)) - set(b"[{"))
_SIBLINGS = (b"}, {", b"},{", b"],[", b"], [")
_VALUE = 64
"""Bytes that a parsed value takes beside its text, about."""


class TooComplex(InvalidRequest):
    """A body is over one of the bounds."""

    def __init__(self, what: str) -> None:
        super().__init__(f"refused JSON input due to high complexity: {what}")


@dataclass(frozen=True, slots=True)
class JsonLimits:
    """One listener's bounds. ``strings`` counts keys too; ``memory`` is in bytes, estimated."""

    depth: int
    text: int
    entries: int
    elements: int
    strings: int
    memory: int

    @classmethod
    def of(cls, listener: Listener) -> "JsonLimits":
        """Return the bounds of a stanza."""
        return cls(
            listener.max_json_depth, listener.max_json_string_value_length, listener.max_json_object_entry_count,
            listener.max_json_array_element_count, listener.max_request_json_strings, listener.max_request_json_memory,
        )  # fmt: skip

    def check_text(self, raw: bytes) -> None:
        """Raise TooComplex for a text that must not even be parsed."""
        if len(raw) * (1 + _VALUE) <= self.memory or self._estimate(raw, raw) <= self.memory:
            return
        if self._estimate(raw, _TEXT.sub(b"", raw)) > self.memory:  # separators within strings do not count
            raise TooComplex("exceeded maximum estimated memory limits")

    def _estimate(self, raw: bytes, structure: bytes) -> int:
        return len(raw) + _VALUE * sum(structure.count(sign) for sign in _SIGNS)

    def check(self, raw: bytes, data: Any) -> None:
        """Raise TooComplex for ``data``, parsed from ``raw``."""
        size, fewest = len(raw), min(self.entries, self.elements)
        suspicious = (
            size > self.text
            or (size > 2 * fewest and raw.count(b",") >= fewest)
            or (size > 2 * self.strings and raw.count(b'"') > 2 * self.strings)
        )
        if suspicious:
            self._walk(data)
        elif size > 2 * self.depth and not _shallow(raw, self.depth):
            self._check_depth(data)

    def _check_depth(self, data: Any) -> None:
        level = [data]
        for _ in range(self.depth):
            insides = [value.values() if type(value) is dict else value for value in level]
            level = [item for inside in insides for item in inside if type(item) is dict or type(item) is list]
            if not level:
                return
        raise TooComplex(f"nested deeper than {self.depth} levels")

    def _walk(self, data: Any) -> None:
        waiting, strings = [(data, 1)], 0
        while waiting:
            value, depth = waiting.pop()
            if isinstance(value, str):
                strings += 1
                if len(value) > self.text:
                    raise TooComplex(f"a string is longer than {self.text} characters")
            elif isinstance(value, dict | list):
                self._check_container(value, depth)
                strings += len(value) if isinstance(value, dict) else 0
                waiting += [(item, depth + 1) for item in (value.values() if isinstance(value, dict) else value)]
            if strings > self.strings:
                raise TooComplex(f"exceeded maximum number of strings, {self.strings}")

    def _check_container(self, value: dict[str, Any] | list[Any], depth: int) -> None:
        if depth > self.depth:
            raise TooComplex(f"nested deeper than {self.depth} levels")
        if isinstance(value, dict):
            if len(value) > self.entries:
                raise TooComplex(f"an object has more than {self.entries} entries")
            if any(len(key) > self.text for key in value):
                raise TooComplex(f"a key is longer than {self.text} characters")
        elif len(value) > self.elements:
            raise TooComplex(f"a list has more than {self.elements} elements")


def _shallow(raw: bytes, depth: int) -> bool:
    """Tell whether JSON is surely not deeper than ``depth``: by the number of its opening brackets.

    What opens right after a sibling was closed is as deep as that, and does not count. Brackets within texts count too;
    what is taken off for them stands within texts as well, as no text can begin or end between such signs.
    """
    opening = len(raw.translate(None, _ALL_BUT_OPENING))
    for siblings in _SIBLINGS:
        if opening <= depth:
            return True
        opening -= raw.count(siblings)
    return opening <= depth
