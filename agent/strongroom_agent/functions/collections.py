"""Functions on lists and maps: membership, merging, loops, the scratch pad."""
# ruff: noqa: N802 - named as Go's methods are

from typing import Any

from strongroom_agent.functions.context import Context
from strongroom_agent.template import Function
from strongroom_agent.template.values import NO_VALUE, Int64, Struct, is_integer, type_name
from strongroom_common.jsonx import Number


def functions(context: Context) -> dict[str, Function]:
    """Return the functions by name."""
    return {
        "contains": Function(lambda value, items: contains(items, value), "any any"),
        "containsAll": Function(lambda values, items: all(contains(items, v) for v in values), "[]any any"),
        "containsAny": Function(lambda values, items: any(contains(items, v) for v in values), "[]any any"),
        "containsNone": Function(lambda values, items: not any(contains(items, v) for v in values), "[]any any"),
        "containsNotAll": Function(lambda values, items: not all(contains(items, v) for v in values), "[]any any"),
        "explodeMap": Function(_explode, "map"),
        "in": Function(contains, "any any"),
        "loop": Function(_loop, "...any"),
        "mergeMap": Function(lambda first, second: merged(first, second, override=False), "map map"),
        "mergeMapWithOverride": Function(lambda first, second: merged(first, second, override=True), "map map"),
        "scratch": Function(lambda: Scratch(context.scratch)),
    }


def contains(items: Any, value: Any) -> bool:
    """Whether a list holds ``value``, or a string the string."""
    if isinstance(items, str):
        return isinstance(value, str) and not isinstance(value, Number) and value in items
    if not isinstance(items, list):
        return False
    if isinstance(value, str):
        return any(isinstance(item, str) and item == value for item in items)
    if is_integer(value):
        return any(is_integer(item) and item == value for item in items)
    return isinstance(value, float) and any(isinstance(item, float) and item == value for item in items)


def merged(first: dict[str, Any], second: dict[str, Any], *, override: bool) -> dict[str, Any]:
    """Return ``first`` with the values of ``second``: those it lacks or, with ``override``, all that are not empty."""
    out = dict(first)
    for key, value in second.items():
        mine = out.get(key)
        if isinstance(mine, dict) and isinstance(value, dict):
            out[key] = merged(mine, value, override=override)
        elif not mine or (override and value):
            out[key] = value
    return out


def _explode(flat: dict[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for path in filter(None, sorted(flat)):
        *folders, name = path.strip("/").split("/")
        place = out
        for folder in folders:
            inner = place.setdefault(folder, {})
            if not isinstance(inner, dict):
                raise ValueError(f"explode: not a map: {folder!r}: {path!r} already has value {inner!r}")
            place = inner
        place[name] = flat[path]
    return out


def _loop(*limits: Any) -> list[Int64]:
    if not 1 <= len(limits) <= 2:
        raise ValueError(f"loop: wrong number of arguments, expected 1 or 2, but got {len(limits)}")
    start, stop = [_whole(limit) for limit in ((0, *limits) if len(limits) == 1 else limits)]
    return [Int64(number) for number in range(start, stop)]


def _whole(value: Any) -> int:
    if is_integer(value) or (isinstance(value, str) and value.lstrip("-").isdecimal()):
        return int(value)
    raise ValueError(f"loop: bad argument type {type_name(value)}")


class Scratch(Struct):
    """The ``scratch`` pad: a map that lives as long as one run of the template."""

    go_type = "*template.Scratch"
    go_methods = frozenset({"Key", "Get", "Set", "SetX", "MapSet", "MapSetX", "MapValues"})

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def go_Key(self) -> Function:
        return Function(lambda key: key in self.values, "string")

    def go_Get(self) -> Function:
        return Function(self.values.get, "string")

    def go_Set(self) -> Function:
        return Function(self._set, "string any")

    def go_SetX(self) -> Function:
        return Function(lambda key, value: "" if key in self.values else self._set(key, value), "string any")

    def go_MapSet(self) -> Function:
        return Function(self._put, "string string any")

    def go_MapSetX(self) -> Function:
        return Function(
            lambda key, name, value: self._put(key, name, self._map(key).get(name, value)), "string string any"
        )

    def go_MapValues(self) -> Function:
        return Function(lambda key: [self._map(key)[name] for name in sorted(self._map(key))], "string")

    def _set(self, key: str, value: Any) -> str:
        self.values[key] = None if value is NO_VALUE else value
        return ""

    def _map(self, key: str) -> dict[str, Any]:
        found = self.values.setdefault(key, {})
        if not isinstance(found, dict):
            raise ValueError(f'"{key}" is not a map')
        return found

    def _put(self, key: str, name: str, value: Any) -> str:
        self._map(key)[name] = value
        return ""
