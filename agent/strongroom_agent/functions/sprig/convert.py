"""How sprig turns any value into a string, a number or a list."""

import re
from typing import Any

from strongroom_agent.template.printing import plain
from strongroom_agent.template.values import NO_VALUE, Int64, Struct, is_nil, type_name

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\Z", re.ASCII)


def text(value: Any) -> str:
    """Return a value as a string."""
    return plain(value)


def real(value: Any) -> float:
    """Return a value as a float64, 0 where it is none."""
    if isinstance(value, str):
        return float(value) if _NUMBER.match(value) else 0.0
    return float(value) if isinstance(value, int | float) else 0.0


def whole(value: Any) -> Int64:
    """Return a value as an int64, 0 where it is none."""
    if isinstance(value, str):
        try:
            return Int64(int(value, 0))
        except ValueError:
            return Int64(0)
    if not isinstance(value, int | float):
        return Int64(0)
    return Int64(value) if -(2.0**63) <= value < 2.0**63 else Int64(-(2**63))  # what amd64 makes of an overflow


def listed(value: Any, name: str) -> list[Any]:
    """Return a list; raises ValueError for what is none."""
    if not isinstance(value, list):
        raise ValueError(f"Cannot find {name} on type {kind(value)}")
    return list(value)


def strings(value: Any) -> list[str]:
    """Return a list's items as strings, nil ones left out; anything else is a list of one."""
    if isinstance(value, list):
        return [plain(item) for item in value if not is_nil(item)]
    return [] if is_nil(value) else [plain(value)]


def stored(value: Any) -> Any:
    """Return a value as a map or list holds it."""
    return None if value is NO_VALUE else value


def kind(value: Any) -> str:
    """Return the name of a value's kind."""
    if is_nil(value):
        return "invalid"
    if isinstance(value, Struct):
        return "ptr" if value.go_pointer else "struct"
    name = type_name(value)
    kinds = {"json.Number": "string"}
    return "slice" if name.startswith("[]") else "map" if name.startswith("map[") else kinds.get(name, name)
