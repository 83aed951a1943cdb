"""``{{identity.entity.name}}`` in a rule's path, filled in for the entity that asks.

An entity's name and metadata may be chosen by others than the policy's author. So a value that would act as a
wildcard or open another folder is never put in (OpenBao GH-3401; Vault substitutes it blindly).

The selectors, whose values identity supplies, are ``identity.entity.`` with ``id``, ``name``, ``metadata.KEY`` and
``aliases.ACCESSOR.`` with ``id``, ``name``, ``metadata.KEY``, ``custom_metadata.KEY``; and for each group that the
entity belongs to ``identity.groups.ids.ID.`` and ``identity.groups.names.NAME.`` with ``id``, ``name``,
``metadata.KEY``.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

from strongroom_server.core.policies import Policy, Rule

_TEMPLATE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_UNSAFE = re.compile(r"[*+/]")


class UnsafeTemplateValue(ValueError):
    """A deny rule cannot be put in force because of the value it depends on: the caller gets nothing."""


def resolve(policy: Policy, values: Mapping[str, str]) -> Policy:
    """Return the policy with ``values`` (by selector) filled in, without the rules that have no value, or no safe one.

    Raises UnsafeTemplateValue where that would leave out a deny rule.
    """
    if not policy.templated:
        return policy
    rules = (_resolve_rule(rule, values, policy.name) if rule.templated else rule for rule in policy.rules)
    return replace(policy, rules=tuple(rule for rule in rules if rule is not None))


def _resolve_rule(rule: Rule, values: Mapping[str, str], policy: str) -> Rule | None:
    path, end = "", 0
    for match in _TEMPLATE.finditer(rule.path):
        value = values.get(match[1].strip())
        if value is None:
            return None
        if _UNSAFE.search(value):
            if "deny" in rule.capabilities:
                raise UnsafeTemplateValue(f'policy "{policy}": the value of {match[0]} holds "*", "+" or "/"')
            return None
        path += rule.path[end : match.start()] + value
        end = match.end()
    return replace(rule, path=(path + rule.path[end:]).removeprefix("/"))
