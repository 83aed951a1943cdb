"""Rules with wildcards in a table that answers at once which of them fit a path, in the documented order of priority.

The table is sorted by ``head``, the text before the first wildcard. Heads that begin a path are found by one
bisection and a walk up a chain of ever shorter heads, which is the first rule of priority (a later first wildcard
wins); the patterns of one head are sorted by the others (``_rank``).
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from strongroom_server.core.grants import Grant


class _Pattern(NamedTuple):
    """A path with wildcards. ``segments`` is None for a plain prefix, else the path between its slashes."""

    grant: Grant
    segments: tuple[str, ...] | None = None
    open_end: bool = True

    def matches(self, parts: list[str]) -> bool:
        """Say whether a path that begins with the pattern's head fits; ``parts`` is the path between its slashes."""
        wanted = self.segments or ()
        if len(parts) < len(wanted) or (len(parts) > len(wanted) and not self.open_end):
            return False
        if self.open_end and not parts[len(wanted) - 1].startswith(wanted[-1]):
            return False
        fixed = wanted[:-1] if self.open_end else wanted
        return all(want in ("+", part) for want, part in zip(fixed, parts, strict=False))


class _Node(NamedTuple):
    """The patterns of one head, best first, and the place of the longest shorter head that begins it (or -1)."""

    head: str
    patterns: tuple[_Pattern, ...]
    parent: int


@dataclass(frozen=True, slots=True)
class Patterns:
    """The table."""

    _heads: tuple[str, ...] = ()
    _nodes: tuple[_Node, ...] = ()

    @classmethod
    def of(cls, grants: Iterable[Grant]) -> "Patterns":
        """Build the table; each path may come once."""
        nodes = _nodes(grants)
        return cls(tuple(node.head for node in nodes), nodes)

    def grants(self) -> Iterator[Grant]:
        """Yield all, in no order that matters."""
        return (pattern.grant for node in self._nodes for pattern in node.patterns)

    def matching(self, path: str) -> Iterator[Grant]:
        """Yield the grants whose pattern fits, the one that decides first."""
        parts: list[str] = []
        index = bisect_right(self._heads, path) - 1
        while index >= 0:
            head, patterns, parent = self._nodes[index]
            if path.startswith(head):
                for pattern in patterns:
                    if pattern.segments is not None and not parts:
                        parts = path.split("/")
                    if pattern.segments is None or pattern.matches(parts):
                        yield pattern.grant
            index = parent


def is_pattern(path: str) -> bool:
    """Say whether a rule's path has wildcards: ``*`` counts at the end alone, ``+`` as a whole segment."""
    return path.endswith("*") or "+" in path.split("/")


def _pattern(grant: Grant) -> _Pattern:
    segments = tuple(grant.path.removesuffix("*").split("/"))
    return _Pattern(grant, segments if "+" in segments else None, grant.path.endswith("*"))


def _head(pattern: _Pattern) -> str:
    path = pattern.grant.path
    return path[:-1] if pattern.segments is None else path[: path.index("+")]


def _rank(pattern: _Pattern) -> tuple[bool, int, int, str]:
    """Order the patterns of one head; the greatest wins."""
    text = pattern.grant.path.removesuffix("*")
    return not pattern.open_end, -(pattern.segments or ()).count("+"), len(text), text


def _nodes(grants: Iterable[Grant]) -> tuple[_Node, ...]:
    by_head: dict[str, list[_Pattern]] = {}
    for grant in grants:
        pattern = _pattern(grant)
        by_head.setdefault(_head(pattern), []).append(pattern)
    nodes: list[_Node] = []
    for head in sorted(by_head):
        parent = len(nodes) - 1  # the heads before this one that begin it form a chain from the last one up
        while parent >= 0 and not head.startswith(nodes[parent].head):
            parent = nodes[parent].parent
        nodes.append(_Node(head, tuple(sorted(by_head[head], key=_rank, reverse=True)), parent))
    return tuple(nodes)
