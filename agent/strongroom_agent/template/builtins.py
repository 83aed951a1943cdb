"""The functions that every Go template has, except ``and`` and ``or``, which do not evaluate all their arguments."""

from collections.abc import Callable, Mapping
from typing import Any

from strongroom_agent.template import printing, quoting
from strongroom_agent.template.calls import Function
from strongroom_agent.template.printf import sprintf
from strongroom_agent.template.values import (
    NO_VALUE,
    AnyMap,
    Byte,
    NilPointer,
    StringMap,
    Struct,
    Uint64,
    is_integer,
    is_nil,
    raw,
    string,
    type_name,
)  # fmt: skip


def builtins() -> Mapping[str, Function]:
    """Return the functions by name; ``and`` and ``or`` are there for the parser only."""
    return {
        "and": Function(_never, "value ...value"),
        "or": Function(_never, "value ...value"),
        "call": Function(_call, "value ...value"),
        "eq": Function(_equal, "value ...value"),
        "ge": Function(lambda a, b: not _less(a, b), "value value"),
        "gt": Function(lambda a, b: not (_less(a, b) or _equal(a, b)), "value value"),
        "html": Function(_escaper(quoting.html), "...any"),
        "index": Function(_index, "value ...value"),
        "js": Function(_escaper(quoting.js), "...any"),
        "le": Function(lambda a, b: _less(a, b) or _equal(a, b), "value value"),
        "len": Function(_length, "value"),
        "lt": Function(_less, "value value"),
        "ne": Function(lambda a, b: not _equal(a, b), "value value"),
        "not": Function(lambda value: not value, "value"),
        "print": Function(lambda *values: printing.sprint(values), "...any"),
        "printf": Function(lambda form, *values: sprintf(form, values), "string ...any"),
        "println": Function(lambda *values: printing.sprintln(values), "...any"),
        "slice": Function(_slice, "value ...value"),
        "urlquery": Function(_escaper(quoting.urlquery), "...any"),
    }


def _never(*_: Any) -> Any:
    raise ValueError("evaluated by the engine itself")


def _call(function: Any, *arguments: Any) -> Any:
    if not isinstance(function, Function):
        raise ValueError("call of nil" if is_nil(function) else f"non-function of type {type_name(function)}")
    return function.run(*arguments)


def _escaper(escape: Callable[[str], str]) -> Callable[..., str]:
    def run(*values: Any) -> str:
        if len(values) == 1 and isinstance(values[0], str):
            return escape(values[0])
        return escape(printing.sprint(tuple("<no value>" if v is NO_VALUE else v for v in values)))

    return run


# length and parts


def _length(value: Any) -> int:
    if isinstance(value, str):
        return len(raw(value))
    if isinstance(value, list | dict | bytes):
        return len(value)
    raise ValueError("len of nil pointer" if is_nil(value) else f"len of type {type_name(value)}")


def _index(value: Any, *keys: Any) -> Any:
    if value is NO_VALUE or value is None:
        raise ValueError("index of untyped nil")
    for key in keys:
        if value is None or isinstance(value, NilPointer):
            raise ValueError("index of nil pointer")
        value = _part(value, key)
    return value


def _part(value: Any, key: Any) -> Any:
    if isinstance(value, dict):
        if not isinstance(key, str) and not isinstance(value, AnyMap):
            fault = "value is nil" if is_nil(key) else f"value has type {type_name(key)}"
            raise ValueError(f"{fault}; should be string")
        return value.get(key, "" if isinstance(value, StringMap) else None)
    if not isinstance(value, str | list | bytes):
        raise ValueError(f"can't index item of type {type_name(value)}")
    items: Any = raw(value) if isinstance(value, str) else value
    found = items[_position(key, len(items) - 1)]
    return Byte(found) if isinstance(items, bytes) else found


def _position(key: Any, last: int) -> int:
    if is_nil(key):
        raise ValueError("cannot index slice/array with nil")
    if not is_integer(key):
        raise ValueError(f"cannot index slice/array with type {type_name(key)}")
    if not 0 <= key <= last:
        raise ValueError(f"index out of range: {key}")
    return int(key)


def _slice(value: Any, *limits: Any) -> Any:
    if value is NO_VALUE or value is None:
        raise ValueError("slice of untyped nil")
    if len(limits) > 3:
        raise ValueError(f"too many slice indexes: {len(limits)}")
    if isinstance(value, str) and len(limits) == 3:
        raise ValueError("cannot 3-index slice a string")
    if not isinstance(value, str | list | bytes):
        raise ValueError(f"can't slice item of type {type_name(value)}")
    items: Any = raw(value) if isinstance(value, str) else value
    bounds = [_position(limit, len(items)) for limit in limits]
    start, end = (bounds + [0, len(items)][len(bounds) :])[:2]
    if start > end:
        raise ValueError(f"invalid slice index: {start} > {end}")
    part = items[start:end]
    return string(part) if isinstance(value, str) else type(value)(part)


# comparison


def _kind(value: Any) -> str:
    """Return the basic kind that decides what may be compared; "" for what has none."""
    if isinstance(value, bool):
        return "bool"
    if is_integer(value):
        return "uint" if isinstance(value, Uint64 | Byte) else "int"
    if isinstance(value, float):
        return "float"
    return "string" if isinstance(value, str) else ""


def _comparable(first: str, second: str) -> bool:
    return first == second or {first, second} == {"int", "uint"}


def _equal(value: Any, *others: Any) -> bool:
    if not others:
        raise ValueError("missing argument for comparison")
    return any(_equals(value, other) for other in others)


def _equals(value: Any, other: Any) -> bool:
    first, second = _kind(value), _kind(other)
    if not _comparable(first, second):
        if NO_VALUE in (value, other) or value is None or other is None:
            return False
        raise ValueError("incompatible types for comparison")
    if first:
        return bool(value == other)
    if is_nil(value) or is_nil(other):
        return is_nil(value) and is_nil(other)
    if isinstance(value, Struct) and isinstance(other, Struct):
        return value is other
    raise ValueError(f"non-comparable types {type_name(value)}, {type_name(other)}")


def _less(value: Any, other: Any) -> bool:
    first, second = _kind(value), _kind(other)
    if not first or not second:
        raise ValueError("invalid type for comparison")
    if not _comparable(first, second):
        raise ValueError("incompatible types for comparison")
    if first == "bool":
        raise ValueError("invalid type for comparison")
    if first == "string":
        return raw(value) < raw(other)
    return bool(value < other)
