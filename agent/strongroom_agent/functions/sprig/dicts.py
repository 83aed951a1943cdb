"""Sprig's functions on maps."""

import copy
from typing import Any

from strongroom_agent.functions.collections import merged
from strongroom_agent.functions.sprig.convert import stored, text
from strongroom_agent.template import Function
from strongroom_agent.template.values import StringList


def functions() -> dict[str, Function]:
    """Return the functions by name."""
    return {
        "deepCopy": Function(copy.deepcopy, "any"),
        "dict": Function(_dict, "...any"),
        "dig": Function(_dig, "...any"),
        "get": Function(lambda d, key: d.get(key, ""), "map string"),
        "hasKey": Function(lambda d, key: key in d, "map string"),
        "keys": Function(lambda *dicts: StringList(sorted(key for d in dicts for key in d)), "...map"),
        "merge": Function(lambda first, *rest: _merge(first, rest, override=False), "map ...map"),
        "mergeOverwrite": Function(lambda first, *rest: _merge(first, rest, override=True), "map ...map"),
        "omit": Function(lambda d, *names: {k: v for k, v in d.items() if k not in names}, "map ...string"),
        "pick": Function(lambda d, *names: {k: v for k, v in d.items() if k in names}, "map ...string"),
        "pluck": Function(lambda name, *dicts: [d[name] for d in dicts if name in d], "string ...map"),
        "set": Function(_set, "map string any"),
        "unset": Function(_unset, "map string"),
        "values": Function(lambda d: [d[key] for key in sorted(d)], "map"),
    }


def _dict(*items: Any) -> dict[str, Any]:
    keys, values = items[::2], (*items[1::2], "")
    return {text(key): stored(value) for key, value in zip(keys, values, strict=False)}


def _set(d: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    d[key] = stored(value)
    return d


def _unset(d: dict[str, Any], key: str) -> dict[str, Any]:
    d.pop(key, None)
    return d


def _merge(first: dict[str, Any], rest: tuple[dict[str, Any], ...], *, override: bool) -> dict[str, Any]:
    for other in rest:
        first.update(merged(first, other, override=override))
    return first


def _dig(*arguments: Any) -> Any:
    if len(arguments) < 3:
        raise ValueError("dig needs at least three arguments")
    *path, default, place = arguments
    for name in path:
        if not isinstance(place, dict) or name not in place:
            return default
        place = place[name]
    return place
