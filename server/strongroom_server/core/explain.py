"""Why a request would be allowed or refused: which rule decides, what else fits, and what would have to be added.

Pure: it asks the same ``Acl`` that decides about requests, so that it cannot tell another story.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from strongroom_server.core.acl import Acl
from strongroom_server.core.grants import Decision, Grant
from strongroom_server.core.path_patterns import is_pattern
from strongroom_server.core.policies import Policy, Rule
from strongroom_server.core.policy_templates import UnsafeTemplateValue, resolve

_ORDER = ("create", "read", "update", "patch", "delete", "list", "scan", "sudo")


@dataclass(frozen=True, slots=True)
class Question:
    """One request, as it would be decided about. ``sudo`` says that its path asks for that capability."""

    operation: str
    path: str
    data: Mapping[str, Any] = field(default_factory=dict)
    wrap_ttl: float = 0
    sudo: bool = False


def explain(acl: Acl, asked: Question) -> dict[str, Any]:
    """Return the decision with its reasons, as plain data."""
    decision = acl.decide(asked.operation, asked.path, asked.data, asked.wrap_ttl, sudo=asked.sudo)
    others = [grant for grant in _matching(acl, asked) if grant is not decision.grant]
    missing = _missing(decision, asked)
    return {
        "operation": asked.operation,
        "path": asked.path,
        "policies": acl.policies,
        "allowed": decision.allowed,
        "reason": decision.reason or _why(decision, asked),
        "rule": _shown(decision.grant) if decision.grant else None,
        "also_matched": [_shown(grant) for grant in others],
        "missing_capabilities": missing,
        "add": _snippet(decision, asked, missing) if missing else "",
        "advice": _advice(decision, asked, missing),
    }


def _why(decision: Decision, asked: Question) -> str:
    later = ", once all have approved it that its control_group asks for" if decision.factors else ""
    return f'the rule for "{decision.path}" grants "{asked.operation}"{later}'


def _matching(acl: Acl, asked: Question) -> list[Grant]:
    """Return every grant that fits, the deciding one first; a list asks with a slash, then without."""
    if asked.operation not in ("list", "scan"):
        return acl.matching(asked.path)
    bare = asked.path.rstrip("/")
    found = [*acl.matching(bare + "/"), *acl.matching(bare)]
    return list({grant.path: grant for grant in found}.values())


def _shown(grant: Grant) -> dict[str, Any]:
    return {
        "path": grant.path,
        "capabilities": _sorted(grant.capabilities),
        "conditions": _conditions(grant),
        "sources": [
            {"policy": policy, "line": rule.line, "path": rule.path, "capabilities": _sorted(rule.capabilities)}
            for policy, rule in grant.sources
        ],
    }


def _conditions(grant: Grant) -> list[str]:
    """Say what a rule asks for beside its capabilities. Values of parameters are left out: they may be secrets."""
    found = []
    if grant.required:
        found.append(f"needs the parameters {', '.join(sorted(grant.required))}")
    for word, parameters in (("denies", grant.denied), ("allows only", grant.allowed)):
        if parameters:
            told = ", ".join(
                name + (" with some values" if values else "") for name, values in sorted(parameters.items())
            )
            found.append(f"{word} the parameters {told}")
    if grant.min_wrapping_ttl:
        found.append(f"the answer must be wrapped for {grant.min_wrapping_ttl:g} seconds at least")
    if grant.max_wrapping_ttl:
        found.append(f"the answer must be wrapped for {grant.max_wrapping_ttl:g} seconds at most")
    if grant.pagination_limit:
        found.append(f"a page of a list has {grant.pagination_limit} entries at most")
    if grant.keys_filter:
        found.append(f"lists show what may be read at {grant.keys_filter}")
    return found


def left_out(policies: Iterable[Policy], asked: Question, values: Mapping[str, str] | None) -> list[str]:
    """Say which templated rules might fit and do not count: what they are filled in with (``values``) is missing.

    Without an entity (None) no template is filled in.
    """
    path = asked.path.rstrip("/")
    return [
        f'the rule for "{rule.path}" in policy {policy.name}, line {rule.line}, is left out: {reason}'
        for policy in policies
        for rule in policy.rules
        if rule.templated and _may_fit(rule.path).fullmatch(path) and (reason := _no_value(rule, values))
    ]


def _no_value(rule: Rule, values: Mapping[str, str] | None) -> str:
    if values is None:
        return "its template is filled in for an entity alone"
    try:
        missing = resolve(rule.path, values, rule.unsafe) is None
    except UnsafeTemplateValue as error:
        return str(error)
    return "the entity has no value for its template" if missing else ""


def _may_fit(path: str) -> re.Pattern[str]:
    """Return what a templated path may become: anything for a template, as for a wildcard."""
    literals = re.split(r"\{\{.*?\}\}|(?<![^/])\+(?![^/])", path.removesuffix("*").rstrip("/"))
    return re.compile(".*".join(map(re.escape, literals)) + (".*" if path.endswith("*") else ""), re.DOTALL)


def _sorted(capabilities: frozenset[str] | set[str]) -> list[str]:
    return sorted(capabilities, key=lambda name: (_ORDER.index(name) if name in _ORDER else len(_ORDER), name))


def _missing(decision: Decision, asked: Question) -> list[str]:
    if decision.allowed:
        return []
    held = decision.grant.capabilities if decision.grant else frozenset[str]()
    wanted = {asked.operation, *(("sudo",) if asked.sudo else ())}
    return _sorted(wanted - held)


def _snippet(decision: Decision, asked: Question, missing: list[str]) -> str:
    """Return the smallest rule that would let this request pass, and take nothing away that is granted now.

    A rule for the very path stands above any pattern, so it must repeat what the pattern grants.
    """
    grant = decision.grant
    path = asked.path.rstrip("/") + "/" if asked.operation in ("list", "scan") else asked.path
    if grant is not None and not is_pattern(grant.path):
        path = grant.path
        capabilities = missing
    else:
        capabilities = _sorted({*missing, *(grant.capabilities - {"deny"} if grant else ())})
    words = ", ".join(f'"{name}"' for name in capabilities)
    return f'path "{path}" {{\n  capabilities = [{words}]\n}}\n'


def _advice(decision: Decision, asked: Question, missing: list[str]) -> str:
    """Say what would have to change, in a sentence."""
    grant = decision.grant
    if decision.allowed:
        return ""
    if grant is None:
        return "Add the rule to one of the token's policies, or give the token a policy that has it."
    if not missing:
        return f'The rule grants "{asked.operation}", with a condition that this request does not meet.'
    if "deny" not in grant.capabilities:
        return "Add the rule to one of the token's policies: capabilities of the same path add up."
    denying = [(policy, rule.line) for policy, rule in grant.sources if "deny" in rule.capabilities]
    sources = ", ".join(f'"{policy}" (line {line})' for policy, line in denying)
    if is_pattern(grant.path):
        return f"A rule for the very path stands above the one that denies, in {sources}. Is it meant to?"
    return f'No rule can be added: "deny" wins. Remove it from {sources} first.'
