"""Dataclasses as custom resources: the structural OpenAPI schema, and a spec read back into its dataclass.

``strongroom_common.fields`` knows the fields; this module adds what Kubernetes wants: camelCase names and a
structural schema (https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema).
Defaults are told in the description, not written as ``default``: what is stored stays what its author wrote.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass
from typing import Any, TypeVar

from strongroom_common import fields
from strongroom_common.fields import Field, FieldError, Object, Seconds

T = TypeVar("T")


@dataclass(frozen=True)
class More:
    """Mark: what a field's schema says beyond its kind (``pattern``, ``minimum``, ``items`` …)."""

    openapi: Mapping[str, Any]

    def __init__(self, **openapi: Any) -> None:
        object.__setattr__(self, "openapi", openapi)


_STRUCTURAL: Mapping[Any, Mapping[str, Any]] = {
    Seconds: {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True},
    Object: {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
}


def camel(name: str) -> str:
    """Spell a field as Kubernetes does: ``max_ttl`` is ``maxTtl``."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def openapi(schema: Any) -> dict[str, Any]:
    """Return the structural schema of a dataclass; its docstring is the description."""
    known = fields.fields(schema)
    required = [camel(name) for name, field in known.items() if field.default is MISSING]
    return {
        "type": "object",
        "description": inspect.cleandoc(schema.__doc__ or ""),
        "properties": {camel(name): _property(field) for name, field in known.items()},
        **({"required": required} if required else {}),
    }


def _property(field: Field) -> dict[str, Any]:
    text = field.help + _default_text(field)
    if field.nested and field.kind is fields.OBJECT:
        return {**openapi(field.nested), "description": text}
    if field.nested:
        return {"type": "array", "items": openapi(field.nested), "description": text}
    plain = next((more for kind, more in _STRUCTURAL.items() if fields.KINDS[kind] is field.kind), field.kind.openapi)
    more = next((mark.openapi for mark in field.marks if isinstance(mark, More)), {})
    choices = {"enum": list(field.choices)} if field.choices else {}
    return {**plain, **choices, **more, "description": text}


def _default_text(field: Field) -> str:
    if field.nested or field.default is MISSING or field.default in (None, "", (), {}):
        return ""
    value = field.default
    if isinstance(value, bool):
        shown = str(value).lower()
    elif isinstance(value, tuple):
        shown = ", ".join(value)
    elif isinstance(value, dict):
        return ""
    else:
        shown = str(value)
    return f" Default: {shown}."


def read(schema: Callable[..., T], raw: Mapping[str, Any]) -> T:
    """Read a spec into its dataclass; raises FieldError for a wrong or missing value."""
    try:
        return fields.parse(schema, _snake(schema, raw)).value
    except FieldError as error:
        raise FieldError(re.sub(r"\b[a-z]+(_[a-z]+)+\b", lambda name: camel(name[0]), str(error))) from None


def _snake(schema: Any, raw: Any) -> Any:
    """Return ``raw`` with its keys spelled as the fields are, at every level that has a dataclass."""
    if not isinstance(raw, Mapping):
        return raw
    known = {camel(name): field for name, field in fields.fields(schema).items()}
    return {known[key].name: _below(known[key], value) for key, value in raw.items() if key in known}


def _below(field: Field, value: Any) -> Any:
    if field.nested and isinstance(value, list):
        return [_snake(field.nested, item) for item in value]
    return _snake(field.nested, value) if field.nested else value
