"""May this request pass? Policies compiled to tables once, then answered in about a microsecond.

Exactly one path pattern decides (https://developer.hashicorp.com/vault/docs/concepts/policies#priority-matching): the
exact one, else the one whose first wildcard comes latest, then one that does not end in ``*``, then the one with
fewer ``+`` segments, then the longer, then the later in the alphabet (``path_patterns``). Pure: values in, values out.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from math import inf
from typing import Any

from strongroom_server.core.builtin_policies import ROOT
from strongroom_server.core.grants import Decision, Grant
from strongroom_server.core.path_patterns import Patterns, is_pattern
from strongroom_server.core.policies import Policy, Rule
from strongroom_server.core.policy_templates import UnsafeTemplateValue, resolve

__all__ = ["Acl", "Decision", "Grant", "compile_acl"]

_ROOT = Decision(allowed=True, reason="the root policy allows everything", root=True)
_HELP = Decision(allowed=True, reason="help is for everyone")


@dataclass(frozen=True, slots=True)
class Acl:
    """The compiled rules of a set of policies. ``valid_until`` is when the first of them expires, if one does.

    What depends on the entity (``_own``, and ``_patterns`` where templates hold wildcards) is laid over the rest, which
    all entities with these policies share.
    """

    policies: tuple[str, ...]
    root: bool = False
    valid_until: float | None = None
    _exact: Mapping[str, Grant] = field(default_factory=dict)
    _own: Mapping[str, Grant] = field(default_factory=dict)
    _patterns: Patterns = field(default_factory=Patterns)
    _templated: tuple[tuple[str, Rule], ...] = ()

    def for_entity(self, values: Mapping[str, str]) -> "Acl":
        """Return the rules with their templates filled in (see ``policy_templates`` for ``values``).

        A rule without a value, or without a safe one, grants nothing; raises UnsafeTemplateValue where that would
        leave out a deny.
        """
        added: dict[str, Grant] = {}
        for policy, rule in self._templated:
            path = _resolve(rule, values)
            if path is not None:
                grant = added.get(path) or added.setdefault(path, self._copy(path))
                grant.add(policy, rule)
        if not added:
            return self
        own, patterns = _sorted_out(added)
        if patterns:
            patterns += [grant for grant in self._patterns.grants() if grant.path not in added]
        return replace(self, _own=own, _patterns=Patterns.of(patterns) if patterns else self._patterns, _templated=())

    def _copy(self, path: str) -> Grant:
        """Return a grant with the rules that ``path`` has already."""
        copy = Grant(path)
        known = (grant for grant in self._patterns.grants() if grant.path == path)
        grant = next(known, None) if is_pattern(path) else self._exact.get(path)
        for policy, rule in grant.sources if grant else ():
            copy.add(policy, rule)
        return copy

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
        if objection:
            return Decision(allowed=False, reason=objection, grant=grant)
        return grant.allowing(operation, sudo=sudo) if grant.control_groups else grant.allow

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
        exact = self._by_text(path) or (self._by_text(bare) if bare else None)
        if exact:
            return exact
        found = next(self._patterns.matching(path), None)
        return next(self._patterns.matching(bare), None) if found is None and bare else found

    def _by_text(self, path: str) -> Grant | None:
        return self._own.get(path) or self._exact.get(path)

    def matching(self, path: str) -> list[Grant]:
        """Return every grant whose pattern fits, the deciding one first."""
        path = path.lstrip("/")
        exact = self._by_text(path)
        return [*([exact] if exact else ()), *self._patterns.matching(path)]

    def reaches(self, mount: str) -> bool:
        """Say whether any rule grants anything at or below ``mount`` (``secret/``): who may know that it exists."""
        if self.root or self.capabilities(mount) != ["deny"]:
            return True
        return any(grant.capabilities - {"deny"} and _may_lie_below(grant.path, mount) for grant in self.grants())

    def grants(self) -> Iterator[Grant]:
        """Yield the grants of all paths; of one path's, the entity's own comes last."""
        return chain(self._exact.values(), self._own.values(), self._patterns.grants())


def _may_lie_below(pattern: str, mount: str) -> bool:
    wanted, parts = pattern.rstrip("*").split("/"), mount.rstrip("/").split("/")
    return len(wanted) > len(parts) and all(want in ("+", part) for want, part in zip(wanted, parts, strict=False))


def compile_acl(policies: Iterable[Policy], now: float) -> Acl:
    """Compile a set of policies, without the rules that have expired at ``now``.

    Templated rules grant nothing until ``for_entity`` has filled them in.
    """
    policies = tuple(policies)
    rules = [(policy.name, rule) for policy in policies for rule in policy.rules if _ends(rule) > now]
    grants: dict[str, Grant] = {}
    for policy, rule in rules:
        if not rule.templated:
            grants.setdefault(rule.path, Grant(rule.path)).add(policy, rule)
    exact, patterns = _sorted_out(grants)
    return Acl(
        policies=tuple(policy.name for policy in policies),
        root=any(policy.name == ROOT for policy in policies),
        valid_until=min((rule.expiration for _, rule in rules if rule.expiration is not None), default=None),
        _exact=exact,
        _patterns=Patterns.of(patterns),
        _templated=tuple((policy, rule) for policy, rule in rules if rule.templated),
    )


def _sorted_out(grants: Mapping[str, Grant]) -> tuple[dict[str, Grant], list[Grant]]:
    """Part what names one path from what has wildcards."""
    exact = {path: grant for path, grant in grants.items() if not is_pattern(path)}
    return exact, [grant for path, grant in grants.items() if is_pattern(path)]


def _ends(rule: Rule) -> float:
    return inf if rule.expiration is None else rule.expiration


def _resolve(rule: Rule, values: Mapping[str, str]) -> str | None:
    try:
        return resolve(rule.path, values, rule.unsafe)
    except UnsafeTemplateValue:
        if "deny" in rule.capabilities:
            raise
        return None
