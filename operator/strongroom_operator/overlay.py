"""Merging what a user wrote over what the operator made, by rules that can be told in one line each.

Maps merge by key. A list whose items all have a ``name`` merges by that name, as containers, volumes and environment
variables do in Kubernetes' own strategic merge; any other list is replaced. A map with ``$patch: delete`` removes what
it would be merged with, one with ``$patch: replace`` takes its place.
"""

from collections.abc import Mapping, Sequence
from typing import Any

_PATCH = "$patch"


def overlay(base: Any, over: Any) -> Any:
    """Return ``base`` with ``over`` merged on top; neither is changed."""
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        return _maps(base, over)
    if _named(base) and _named(over):
        return list(_maps({item["name"]: item for item in base}, {item["name"]: item for item in over}).values())
    return over


def _maps(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    if over.get(_PATCH) == "replace":
        return {key: value for key, value in over.items() if key != _PATCH}
    merged = dict(base)
    for key, value in over.items():
        if isinstance(value, Mapping) and value.get(_PATCH) == "delete":
            merged.pop(key, None)
        else:
            merged[key] = overlay(merged.get(key, {}) if isinstance(value, Mapping) else merged.get(key), value)
    return merged


def _named(value: Any) -> bool:
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        return False
    return all(isinstance(item, Mapping) and "name" in item for item in value)
