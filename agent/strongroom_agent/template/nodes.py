"""The parse tree. ``at`` is a node's place in the source: where it starts and ends, and the offset that errors name."""

from collections.abc import Mapping
from typing import Any, NamedTuple

At = tuple[int, int, int]


class Text(NamedTuple):
    """Text between actions, trimmed."""

    text: str


class Constant(NamedTuple):
    """A string, boolean, number or ``nil`` (None) in the source. ``kind`` is what Go's parser calls it."""

    kind: str
    value: Any
    at: At


class Dot(NamedTuple):
    """The value that the template stands on."""

    at: At


class Names(NamedTuple):
    """``.a.b``: fields of the dot."""

    names: tuple[str, ...]
    at: At


class Variable(NamedTuple):
    """``$x.a.b``; the variable's own name comes first."""

    names: tuple[str, ...]
    at: At


class Chain(NamedTuple):
    """``(pipeline).a.b``."""

    start: Any
    names: tuple[str, ...]
    at: At


class Word(NamedTuple):
    """The name of a function."""

    name: str
    at: At


class Pipe(NamedTuple):
    """``$x, $y := command | command``; ``assign`` for ``=``."""

    variables: tuple[str, ...]
    assign: bool
    commands: tuple[tuple[Any, ...], ...]
    at: At


class Action(NamedTuple):
    """A pipeline whose value is written, unless it sets variables."""

    pipe: Pipe


class Branch(NamedTuple):
    """``if``, ``with`` or ``range``."""

    kind: str
    pipe: Pipe
    body: tuple[Any, ...]
    otherwise: tuple[Any, ...]


class Call(NamedTuple):
    """``template "name" pipeline``."""

    name: str
    pipe: Pipe | None
    at: At


class Jump(NamedTuple):
    """``break`` or ``continue``."""

    kind: str


Trees = Mapping[str, tuple[Any, ...]]
"""The bodies of the defined templates by name; the source's own is among them."""
