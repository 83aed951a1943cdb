"""Functions as templates see them: a Go signature, arguments checked against it, and Go's words when they don't fit."""

from collections.abc import Callable
from typing import Any, NamedTuple

from strongroom_agent.template.values import (
    NO_VALUE,
    AnyMap,
    Byte,
    Int64,
    NilPointer,
    StringList,
    StringMap,
    Struct,
    Uint64,
    is_integer,
    type_name,
)  # fmt: skip
from strongroom_common.jsonx import Number

MISSING: Any = object()
"""Stands for the piped argument of a first command, which has none."""


class Function(NamedTuple):
    """A function and the Go types of its parameters: "string int any"; "...any" is variadic and comes last.

    ``run`` gets checked values and may raise ValueError, whose text the template's error quotes.
    """

    run: Callable[..., Any]
    parameters: str = ""

    @property
    def types(self) -> list[str]:
        """The parameters' types in order."""
        return self.parameters.split()

    def count_error(self, name: str, given: int) -> str:
        """Return what is wrong with the number of arguments, empty if nothing is."""
        types = self.types
        if types and types[-1].startswith("..."):
            if given < len(types) - 1:
                return f"wrong number of args for {name}: want at least {len(types) - 1} got {given}"
        elif given != len(types):
            return f"wrong number of args for {name}: want {len(types)} got {given}"
        return ""

    def type_of(self, position: int) -> str:
        """Return the type of the argument at ``position``."""
        types = self.types
        return types[min(position, len(types) - 1)].removeprefix("...")


_GO_NAMES = {"any": "interface {}", "[]any": "[]interface {}", "map": "map[string]interface {}", "float": "float64",
             "value": "reflect.Value"}  # fmt: skip


def go_name(kind: str) -> str:
    """Return a parameter type's name in Go."""
    return _GO_NAMES.get(kind, kind)


_FITS: dict[str, Callable[[Any], bool]] = {
    "string": lambda v: isinstance(v, str) and not isinstance(v, Number),
    "bool": lambda v: isinstance(v, bool),
    "int": lambda v: is_integer(v) and not isinstance(v, Int64 | Uint64 | Byte),
    "int64": lambda v: isinstance(v, Int64),
    "float": lambda v: isinstance(v, float),
    "[]string": lambda v: isinstance(v, StringList),
    "[]any": lambda v: isinstance(v, list) and not isinstance(v, StringList),
    "map": lambda v: isinstance(v, dict) and not isinstance(v, StringMap | AnyMap),
    "[]byte": lambda v: isinstance(v, bytes),
}
_NILABLE = {"[]string": StringList, "[]any": list, "map": dict, "[]byte": bytes}


def fitted(value: Any, kind: str) -> Any:
    """Return a computed argument as a parameter of ``kind`` takes it; raises ValueError with Go's words."""
    if kind in ("any", "value"):
        return value
    if value is NO_VALUE or value is None:
        if kind in _NILABLE:
            return _NILABLE[kind]()
        raise ValueError(f"invalid value; expected {go_name(kind)}")
    check = _FITS.get(kind)
    if check(value) if check else isinstance(value, Struct | NilPointer) and value.go_type == kind:
        return value
    raise ValueError(f"wrong type for value; expected {go_name(kind)}; got {type_name(value)}")


def constant_argument(kind: str, found: str, value: Any, source: str) -> Any:
    """Return a constant of the source as a parameter of ``kind`` takes it; raises ValueError with Go's words.

    ``found`` says what the constant is: "string", "bool", "number" or "nil".
    """
    if found == "nil":
        if kind in ("any", "value", *_NILABLE):
            return fitted(NO_VALUE, kind)
        raise ValueError(f"cannot assign nil to {go_name(kind)}")
    if kind in ("any", "value"):
        return value
    if found == "number" and kind in ("int", "int64", "float"):
        return _number(kind, value, source)
    if found == kind:
        return value
    expected = {"int": "integer", "int64": "integer", "float": "float"}.get(kind, kind)
    if expected not in ("integer", "float", "string", "bool"):
        raise ValueError(f"can't handle {source} for arg of type {go_name(kind)}")
    raise ValueError(f"expected {expected}; found {source}")


def _number(kind: str, value: float, source: str) -> Any:
    if kind == "float":
        return float(value)
    if int(value) != value:
        raise ValueError(f"expected integer; found {source}")
    return Int64(value) if kind == "int64" else int(value)
