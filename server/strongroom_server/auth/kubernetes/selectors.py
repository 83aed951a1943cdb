"""Kubernetes label selectors (apimachinery LabelSelector): pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

_OPERATORS: Mapping[str, Callable[[str | None, Sequence[str]], bool]] = {
    "In": lambda value, values: value in values,
    "NotIn": lambda value, values: value not in values,
    "Exists": lambda value, _: value is not None,
    "DoesNotExist": lambda value, _: value is None,
}


def check(selector: Any) -> None:
    """Raise ValueError for what is no selector, an empty one included: it would select everything."""
    if not isinstance(selector, dict) or not selector or selector.keys() - {"matchLabels", "matchExpressions"}:
        raise ValueError("not a label selector")
    labels, expressions = selector.get("matchLabels", {}), selector.get("matchExpressions", [])
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        raise ValueError("matchLabels must be a map of strings")
    if not isinstance(expressions, list) or not all(_sound(expression) for expression in expressions):
        raise ValueError("matchExpressions must be a list of key, operator and values")
    if not labels and not expressions:
        raise ValueError("an empty selector")


def _sound(expression: Any) -> bool:
    if not isinstance(expression, dict) or not isinstance(expression.get("key"), str):
        return False
    operator, values = expression.get("operator"), expression.get("values") or []
    if operator not in _OPERATORS or not isinstance(values, list):
        return False
    return bool(values) is (operator in {"In", "NotIn"})


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Tell whether ``labels`` satisfy every part of a checked selector."""
    exact: Mapping[str, str] = selector.get("matchLabels", {})
    expressions: Sequence[Mapping[str, Any]] = selector.get("matchExpressions", ())
    return all(labels.get(name) == value for name, value in exact.items()) and all(
        _OPERATORS[part["operator"]](labels.get(part["key"]), part.get("values") or []) for part in expressions
    )
