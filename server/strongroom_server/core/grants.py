"""A decision, and what it rests on: the rules of one path taken together, with all that a capability does not settle.

Rules of the same path text merge whichever policy they stand in: capabilities add up, deny wins, of two wrapping
limits the smaller holds, parameter lists join and an empty list, which stands for any value, beats any other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any

from strongroom_common.jsonx import Number
from strongroom_server.core.approvals import AS_UPDATE, ControlGroup, Factor
from strongroom_server.core.policies import Rule, Values

Parameters = Mapping[str, Values]
_NONE: Parameters = MappingProxyType({})
_CHECKED = frozenset({"create", "patch", "read", "update"})


@dataclass(frozen=True, slots=True)
class Decision:
    """Allowed or not, and by which rule; ``reason`` is for audit entries and ``policy explain``, not for the client.

    ``factors`` are the approvals that an allowed request needs first, and ``waits`` how many seconds it waits for them.
    """

    allowed: bool
    reason: str = ""
    grant: "Grant | None" = None
    root: bool = False
    factors: tuple[Factor, ...] = ()
    waits: float = 0

    @property
    def policies(self) -> tuple[str, ...]:
        """The policies that the deciding rule stands in."""
        if self.root:
            return ("root",)
        return self.grant.policies if self.grant else ()

    @property
    def path(self) -> str:
        """The path of the deciding rule as its policy spells it; "" where none matched."""
        return self.grant.path if self.grant else ""


@dataclass(slots=True)
class Grant:
    """The merged rules of one path. ``operations`` are the words of ``Operation`` that its capabilities cover."""

    path: str
    sources: tuple[tuple[str, Rule], ...] = ()
    capabilities: frozenset[str] = frozenset()
    operations: frozenset[str] = frozenset()
    allowed: Parameters = field(default_factory=lambda: _NONE)
    denied: Parameters = field(default_factory=lambda: _NONE)
    required: tuple[str, ...] = ()
    min_wrapping_ttl: float = 0
    max_wrapping_ttl: float = 0
    pagination_limit: int = 0
    keys_filter: str = ""
    control_groups: tuple[ControlGroup, ...] = ()
    unmet: str = ""
    unconditional: bool = True
    allow: Decision = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.allow = Decision(allowed=True, grant=self)

    @property
    def policies(self) -> tuple[str, ...]:
        """The policies whose rules these are, each once."""
        return tuple(dict.fromkeys(policy for policy, _ in self.sources))

    def add(self, policy: str, rule: Rule) -> None:
        """Merge one more rule in."""
        self.sources = (*self.sources, (policy, rule))
        if "deny" in self.capabilities | rule.capabilities:
            self.capabilities, self.operations, self.unconditional = frozenset({"deny"}), frozenset(), False
            return
        self.capabilities |= rule.capabilities
        self.operations = _operations(self.capabilities)
        self.allowed = _merge(self.allowed, rule.allowed_parameters)
        self.denied = _merge(self.denied, rule.denied_parameters)
        self.required = tuple(dict.fromkeys((*self.required, *rule.required_parameters)))
        self.min_wrapping_ttl = _smaller(self.min_wrapping_ttl, rule.min_wrapping_ttl)
        self.max_wrapping_ttl = _smaller(self.max_wrapping_ttl, rule.max_wrapping_ttl)
        self.pagination_limit = int(_smaller(self.pagination_limit, rule.pagination_limit))
        self.keys_filter = self.keys_filter or rule.keys_filter
        self.control_groups += (rule.control_group,) if rule.control_group else ()
        self.unmet = self.unmet or rule.unmet
        self.unconditional = not any((
            self.allowed, self.denied, self.required, self.min_wrapping_ttl, self.max_wrapping_ttl,
            self.pagination_limit, self.control_groups, self.unmet,
        ))  # fmt: skip

    def allowing(self, operation: str, *, sudo: bool) -> Decision:
        """Return the decision to allow an operation, with the approvals that it needs."""
        groups = self.control_groups
        needed = tuple(f for group in groups for f in group.factors if f.controls(operation, sudo=sudo))
        if not needed:
            return self.allow
        waits = min((group.ttl for group in groups if group.ttl), default=0)
        return Decision(allowed=True, grant=self, factors=needed, waits=waits)

    def objection(self, operation: str, data: Mapping[str, Any], wrap_ttl: float) -> str:
        """Say why a request whose operation is granted is refused all the same; "" where nothing speaks against it.

        Values of parameters are never part of the answer: it goes into audit logs.
        """
        if self.unmet:
            return f"the rule has a condition that this server cannot check: {self.unmet}"
        if self.max_wrapping_ttl and not 0 < wrap_ttl <= self.max_wrapping_ttl:
            return f"the response must be wrapped for {self.max_wrapping_ttl:g} seconds at most"
        if self.min_wrapping_ttl and wrap_ttl < self.min_wrapping_ttl:
            return f"the response must be wrapped for {self.min_wrapping_ttl:g} seconds at least"
        if operation in ("list", "scan") and self.pagination_limit and "limit" in data:
            return self._page_objection(data["limit"])
        return self._parameter_objection(data) if operation in _CHECKED else ""

    def _page_objection(self, limit: Any) -> str:
        text = str(limit)
        fits = text.isascii() and text.isdigit() and int(text[:18]) <= self.pagination_limit
        return "" if fits else f"a page may have {self.pagination_limit} entries at most"

    def _parameter_objection(self, data: Mapping[str, Any]) -> str:
        for name in self.required:
            if name not in data:
                return f'the required parameter "{name}" is missing'
        if data and "*" in self.denied:
            return "no parameters may be sent"
        for name, value in data.items():
            denied = self.denied.get(name.lower())
            if denied is not None and _in_list(value, denied):
                return f'the parameter "{name}" is denied' + (" with this value" if denied else "")
            if self.allowed and (objection := self._not_allowed(name, value)):
                return objection
        return ""

    def _not_allowed(self, name: str, value: Any) -> str:
        allowed = self.allowed.get(name.lower()) if len(self.allowed) > 1 or "*" not in self.allowed else None
        if allowed is None:
            return "" if "*" in self.allowed else f'the parameter "{name}" is not among those allowed'
        return "" if _in_list(value, allowed) else f'the parameter "{name}" is not allowed with this value'


@cache
def _operations(capabilities: frozenset[str]) -> frozenset[str]:
    return (capabilities - {"sudo"}) | (AS_UPDATE if "update" in capabilities else frozenset())


def _merge(mine: Parameters, theirs: Parameters | None) -> Parameters:
    if not theirs:
        return mine
    merged = dict(mine)
    for name, values in theirs.items():
        known = mine.get(name)
        merged[name] = () if not values or known == () else (*values, *(known or ()))
    return merged


def _smaller(mine: float, theirs: float) -> float:
    return min(mine, theirs) if mine and theirs else mine or theirs


def _in_list(value: Any, choices: Values) -> bool:
    return not choices or any(_same(value, choice) for choice in choices)


def _same(value: Any, choice: Any) -> bool:
    """Compare a request's value with a policy's: texts with ``*`` at their ends, everything else by type and value.

    Numbers compare by value. OpenBao never finds a policy's number equal to a request's, so there a denied number
    passes; a rule that holds what it says is worth the difference.
    """
    value, choice = _number(value), _number(choice)
    if isinstance(value, str) and isinstance(choice, str):
        return _globbed(value, choice)
    if isinstance(value, list) and isinstance(choice, list):
        return len(value) == len(choice) and all(_equal(*pair) for pair in zip(value, choice, strict=True))
    return _equal(value, choice)


def _equal(value: Any, choice: Any) -> bool:
    value, choice = _number(value), _number(choice)
    if isinstance(value, dict) and isinstance(choice, dict):
        return value.keys() == choice.keys() and all(_equal(value[key], choice[key]) for key in value)
    if isinstance(value, list) and isinstance(choice, list):
        return len(value) == len(choice) and all(_equal(*pair) for pair in zip(value, choice, strict=True))
    return isinstance(value, bool) == isinstance(choice, bool) and bool(value == choice)


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, Number) else value


def _globbed(text: str, pattern: str) -> bool:
    starts, ends = pattern.startswith("*"), pattern.endswith("*")
    if len(pattern) < 2 or not (starts or ends):
        return text == pattern
    if starts and ends:
        return pattern[1:-1] in text
    return text.endswith(pattern[1:]) if starts else text.startswith(pattern[:-1])
