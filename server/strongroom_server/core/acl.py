"""May this request pass? Policies compiled to tables once, then answered in about a microsecond.

Exactly one path pattern decides (https://developer.hashicorp.com/vault/docs/concepts/policies#priority-matching): the
exact one, else the one whose first wildcard comes latest, then one that does not end in ``*``, then the one with
fewer ``+`` segments, then the longer, then the later in the alphabet. Pure: values in, values out.

The table of patterns is sorted by ``head``, the text before the first wildcard. Heads that begin a path are found by
one bisection and a walk up a chain of ever shorter heads, which is the order of priority.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any, NamedTuple

from strongroom_server.core.builtin_policies import ROOT
from strongroom_server.core.grants import Decision, Grant
from strongroom_server.core.policies import Policy
from strongroom_server.core.policy_templates import resolve

__all__ = ["Acl", "Decision", "Grant", "compile_acl"]

_ROOT = Decision(allowed=True, reason="the root policy allows everything", root=True)
_HELP = Decision(allowed=True, reason="help is for everyone")


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
class Acl:
    """The compiled rules of a set of policies. ``valid_until`` is when the first of them expires, if one does."""

    policies: tuple[str, ...]
    root: bool = False
    valid_until: float | None = None
    _exact: Mapping[str, Grant] = field(default_factory=dict)
    _heads: tuple[str, ...] = ()
    _nodes: tuple[_Node, ...] = ()

    def decide(
        self, operation: str, path: str, data: Mapping[str, Any], wrap_ttl: float = 0, *, sudo: bool = False
    ) -> Decision:
        """Decide one request. ``path`` is the whole one (``secret/data/x``).

        ``data`` holds the body's top-level keys and the query's; ``sudo`` says that the path asks for that capability.
        """
        if self.root:
            return _ROOT
        if listing := operation in ("list", "scan"):
            path = path if path.endswith("/") else path + "/"
        grant = self.find(path, listing=listing)
        if grant is None:
            return _HELP if operation == "help" else self._unmatched(path)
        if operation in grant.operations and grant.unconditional and not sudo:
            return grant.allow
        return self._decide_closely(grant, operation, data, wrap_ttl, sudo)

    def _unmatched(self, path: str) -> Decision:
        return Decision(allowed=False, reason=f'no rule of {", ".join(self.policies) or "no policy"} matches "{path}"')

    def _decide_closely(
        self, grant: Grant, operation: str, data: Mapping[str, Any], wrap_ttl: float, sudo: bool
    ) -> Decision:
        if operation == "help":
            return _HELP
        if "deny" in grant.capabilities:
            return Decision(allowed=False, reason="the rule denies everything", grant=grant)
        if operation not in grant.operations:
            return Decision(allowed=False, reason=f'the rule does not grant "{operation}"', grant=grant)
        if sudo and "sudo" not in grant.capabilities:
            return Decision(allowed=False, reason='the path needs "sudo", which the rule does not grant', grant=grant)
        objection = grant.objection(operation, data, wrap_ttl)
        return Decision(allowed=False, reason=objection, grant=grant) if objection else grant.allow

    def capabilities(self, path: str) -> list[str]:
        """Return what sys/capabilities tells: sorted words, ``["root"]``, or ``["deny"]`` for nothing."""
        if self.root:
            return ["root"]
        grant = self.find(path, listing=True)
        return sorted(grant.capabilities) if grant and grant.capabilities else ["deny"]

    def find(self, path: str, *, listing: bool = False) -> Grant | None:
        """Return the one grant that decides about ``path``.

        A list asks with a slash at the end; where no pattern fits with it, one that fits without it decides.
        """
        path = path.lstrip("/")
        bare = path[:-1] if listing and path.endswith("/") else ""
        exact = self._exact.get(path) or (self._exact.get(bare) if bare else None)
        if exact:
            return exact
        found = next(self._by_pattern(path), None)
        return next(self._by_pattern(bare), None) if found is None and bare else found

    def _by_pattern(self, path: str) -> Iterator[Grant]:
        """Yield what fits, best first."""
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

    def matching(self, path: str) -> list[Grant]:
        """Return every grant whose pattern fits, the deciding one first."""
        path = path.lstrip("/")
        exact = self._exact.get(path)
        return [*([exact] if exact else ()), *self._by_pattern(path)]

    def reaches(self, mount: str) -> bool:
        """Say whether any rule grants anything at or below ``mount`` (``secret/``): who may know that it exists."""
        if self.root or self.capabilities(mount) != ["deny"]:
            return True
        return any(
            grant.capabilities - {"deny"} and _may_lie_below(grant.path, mount)
            for grant in (*self._exact.values(), *(p.grant for node in self._nodes for p in node.patterns))
        )


def _may_lie_below(pattern: str, mount: str) -> bool:
    wanted, parts = pattern.rstrip("*").split("/"), mount.rstrip("/").split("/")
    return len(wanted) > len(parts) and all(want in ("+", part) for want, part in zip(wanted, parts, strict=False))


def compile_acl(policies: Iterable[Policy], values: Mapping[str, str], now: float) -> Acl:
    """Compile a set of policies for the entity whose template ``values`` are given (see ``policy_templates``).

    Rules that have expired at ``now`` are left out. Raises UnsafeTemplateValue (see there).
    """
    resolved = [resolve(policy, values) for policy in policies]
    grants: dict[str, Grant] = {}
    valid_until: float | None = None
    for policy in resolved:
        for rule in policy.rules:
            if rule.expiration is not None:
                if rule.expiration <= now:
                    continue
                valid_until = min(rule.expiration, valid_until or inf)
            grants.setdefault(rule.path, Grant(rule.path)).add(policy.name, rule)
    names = tuple(policy.name for policy in resolved)
    exact = {path: grant for path, grant in grants.items() if not _is_pattern(path)}
    nodes = _nodes(grant for path, grant in grants.items() if _is_pattern(path))
    return Acl(names, ROOT in names, valid_until, exact, tuple(node.head for node in nodes), nodes)


def _is_pattern(path: str) -> bool:
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
