"""What an HCL text says: items in order, with duplicates and positions, and how to read settings out of them.

The classes are plain ones: ``dataclasses`` would cost each agent in a pod 1.5 MB.
"""

from collections.abc import Iterator
from typing import Any, Union

Value = Union[None, bool, int, float, str, tuple["Value", ...], "Body"]


class HclError(ValueError):
    """A text is no HCL, or says something unexpected; prints as ``At LINE:COLUMN: message``."""

    def __init__(self, line: int, column: int, message: str) -> None:
        super().__init__(f"At {line}:{column}: {message}")
        self.line, self.column, self.message = line, column, message


class _Record:
    """Equal to another of its class that holds the same."""

    __slots__: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash(self._parts())

    def __repr__(self) -> str:
        return f"{type(self).__name__}{self._parts()}"

    def _parts(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self.__slots__)


class Item(_Record):
    """One ``key = value`` or ``key "label" { … }``; lines and columns count from 1, columns in characters."""

    __slots__ = ("column", "key", "labels", "line", "value")

    def __init__(self, key: str, labels: tuple[str, ...], value: Value, line: int, column: int) -> None:
        self.key, self.labels, self.value, self.line, self.column = key, labels, value, line, column

    def error(self, message: str) -> HclError:
        """Return an error that points here."""
        return HclError(self.line, self.column, message)


class Body(_Record):
    """The items between two braces, or of the whole text."""

    __slots__ = ("items", "json")

    def __init__(self, items: tuple[Item, ...], json: bool = False) -> None:
        self.items, self.json = items, json

    def all(self, key: str) -> list[Item]:
        """Return the items of that key, in order."""
        return [item for item in self.items if item.key == key]

    def get(self, key: str) -> Item | None:
        """Return the last item of that key: a repeated setting overwrites."""
        return next((item for item in reversed(self.items) if item.key == key), None)


class Block(_Record):
    """One block: ``listener "tcp" { … }`` has the label ``tcp``."""

    __slots__ = ("body", "item", "labels")

    def __init__(self, labels: tuple[str, ...], body: Body, item: Item) -> None:
        self.labels, self.body, self.item = labels, body, item


def blocks(body: Body, key: str, labels: int = 0) -> Iterator[Block]:
    """Yield the blocks of that key, in order.

    JSON has no labels: there ``{"listener": {"tcp": {…}}}`` and ``{"listener": [{"tcp": {…}}]}`` stand for
    ``listener "tcp" {…}``; ``labels`` says how many to expect. A block that has fewer is yielded as it is.
    Raises HclError where the value is no block.
    """
    for item in body.all(key):
        yield from _unfold(item, labels)


def _unfold(item: Item, labels: int) -> Iterator[Block]:
    for value in item.value if isinstance(item.value, tuple) else (item.value,):
        if not isinstance(value, Body):
            raise item.error(f"{item.key} should be a block or an object")
        missing = labels - len(item.labels)
        if missing > 0 and value.json and _all_blocks(value):
            for inner in value.items:
                renamed = Item(item.key, (*item.labels, inner.key), inner.value, inner.line, inner.column)
                yield from _unfold(renamed, labels)
        elif missing < 0:
            first, *rest = item.labels[labels:]
            nested = Item(first, tuple(rest), value, item.line, item.column)
            yield Block(item.labels[:labels], Body((nested,)), item)
        else:
            yield Block(item.labels, value, item)


def _all_blocks(body: Body) -> bool:
    return all(
        isinstance(inner.value, Body)
        or (isinstance(inner.value, tuple) and inner.value and all(isinstance(part, Body) for part in inner.value))
        for inner in body.items
    )


def one(body: Body, key: str, labels: int = 0) -> Block | None:
    """Return the only block of that key, or None; raises HclError at the second."""
    found = list(blocks(body, key, labels))
    if len(found) > 1:
        raise found[1].item.error(f"only one {key} block is permitted")
    return found[0] if found else None


def plain(value: Value) -> Any:
    """Return ``value`` as dicts, lists and scalars: a later setting overwrites, blocks of one name merge."""
    if isinstance(value, tuple):
        return [plain(part) for part in value]
    if not isinstance(value, Body):
        return value
    settings: dict[str, Any] = {}
    for item in value.items:
        _merge(settings, (item.key, *item.labels), plain(item.value))
    return settings


def _merge(settings: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    key, *rest = path
    known = settings.get(key)
    if rest:
        settings[key] = known if isinstance(known, dict) else {}
        _merge(settings[key], tuple(rest), value)
    elif isinstance(known, dict) and isinstance(value, dict):
        for inner, part in value.items():
            _merge(known, (inner,), part)
    else:
        settings[key] = value
