"""Reads settings out of HCL or JSON: each getter checks its value, errors say where it stands.

``strongroom_common.fields`` would do the same from a schema, but costs more memory than a sidecar should take.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from strongroom_common.durations import parse_duration
from strongroom_common.hcl import Block, Body, HclError, Item, Value, blocks, plain
from strongroom_common.jsonx import Number

T = TypeVar("T")
D = TypeVar("D")
NONE: tuple[str, ...] = ()
_TRUE, _FALSE = ("1", "t", "T", "TRUE", "true", "True"), ("0", "f", "F", "FALSE", "false", "False", "")


class Section:
    """A block's settings. Keys that nobody asked for are reported by ``unknown``."""

    def __init__(self, body: Body, name: str = "", label: str = "", item: Item | None = None) -> None:
        self.body, self.name, self.label, self.item = body, name, label, item
        self._asked: set[str] = set()
        self._inner: list[Section] = []

    def error(self, message: str, key: str = "") -> HclError:
        """Return an error that points at a setting of the section, else at the section."""
        item = (self.body.get(key) if key else None) or self.item
        return item.error(message) if item else HclError(1, 1, message)

    def text(self, key: str, default: str = "") -> str:
        """Return a string; numbers and booleans are printed."""
        return self._read(key, default, _text, "a string")

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Return a boolean, or a string that says one."""
        return self._read(key, default, _flag, "true or false")

    def integer(self, key: str, default: int = 0) -> int:
        """Return an integer, or a string of digits."""
        return self._read(key, default, _integer, "an integer")

    def number(self, key: str, default: float) -> float:
        """Return a number."""
        return self._read(key, default, _number, "a number")

    def seconds(self, key: str, default: float = 0) -> float:
        """Return a duration in seconds."""
        return self._read(key, default, _seconds, 'a duration such as 90, "90s" or "1h30m"')

    def mode(self, key: str, default: int | None = None) -> int | None:
        """Return a file mode: a number as HCL reads it (0640), or a string of octal digits."""
        return self._read(key, default, _mode, 'a file mode such as 0640 or "0640"')

    def words(self, key: str) -> tuple[str, ...]:
        """Return a list of strings; a single string is a list of one."""
        return self._read(key, NONE, _words, "a list of strings")

    def value(self, key: str) -> Value:
        """Return a value as it was read."""
        self._asked.add(key)
        item = self.body.get(key)
        return item.value if item else None

    def table(self, key: str) -> dict[str, Any]:
        """Return an object, ``key = {…}`` or ``key {…}``, as a plain dict."""
        self._asked.add(key)
        found: dict[str, Any] = {}
        for block in blocks(self.body, key):
            found.update(plain(block.body))
        return found

    def sections(self, key: str, labels: int = 0) -> "Iterator[Section]":
        """Yield the blocks of that key, each with its label (the first) or ""."""
        self._asked.add(key)
        for block in blocks(self.body, key, labels):
            yield self._section(key, block)

    def section(self, key: str, labels: int = 0) -> "Section | None":
        """Return the only block of that key, or None; raises HclError at the second."""
        found = list(self.sections(key, labels))
        if len(found) > 1:
            raise found[1].error(f"only one {key!r} block is permitted")
        return found[0] if found else None

    def unknown(self) -> list[str]:
        """Return a sentence for each key that nothing has read, here and in the blocks within."""
        own = [
            f"unknown key {self._path(item.key)!r} (line {item.line})"
            for item in self.body.items
            if item.key not in self._asked
        ]
        return own + [sentence for inner in self._inner for sentence in inner.unknown()]

    def ignore(self, *keys: str) -> None:
        """Take keys as known: they are accepted and mean nothing here."""
        self._asked.update(keys)

    def _section(self, key: str, block: Block) -> "Section":
        inner = Section(block.body, self._path(key), block.labels[0] if block.labels else "", block.item)
        self._inner.append(inner)
        return inner

    def _path(self, key: str) -> str:
        return f"{self.name}.{key}" if self.name else key

    def _read(self, key: str, default: D, read: Callable[[Value], T], expected: str) -> T | D:
        self._asked.add(key)
        item = self.body.get(key)
        if item is None or item.value is None:
            return default
        try:
            return read(item.value)
        except ValueError:
            raise item.error(f"{self._path(key)}: expected {expected}") from None


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise ValueError


def _flag(value: Value) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str | int) and str(value) in (*_TRUE, *_FALSE):
        return str(value) in _TRUE
    raise ValueError


def _integer(value: Value) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.isascii() and value.removeprefix("-").isdecimal():
        return int(value)
    raise ValueError


def _number(value: Value) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError
    return float(value)


def _seconds(value: Value) -> float:
    seconds = parse_duration(float(value) if isinstance(value, Number) else value)
    if seconds < 0:
        raise ValueError
    return seconds


def _mode(value: Value) -> int:
    mode = int(value, 8) if isinstance(value, str) else _integer(value)
    if not 0 <= mode <= 0o7777:
        raise ValueError
    return mode


def _words(value: Value) -> tuple[str, ...]:
    if isinstance(value, tuple):
        return tuple(_text(part) for part in value)
    return (_text(value),)
