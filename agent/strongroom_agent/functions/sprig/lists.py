"""Sprig's functions on lists."""

from typing import Any

from strongroom_agent.functions.collections import contains
from strongroom_agent.functions.sprig.convert import listed, stored, whole
from strongroom_agent.template import Function
from strongroom_agent.template.values import is_nil


def functions() -> dict[str, Function]:
    """Return the functions by name."""
    return {
        "append": Function(lambda items, item: [*listed(items, "append"), stored(item)], "any any"),
        "chunk": Function(_chunk, "int any"),
        "compact": Function(lambda items: [item for item in listed(items, "compact") if item], "any"),
        "concat": Function(lambda *many: [item for items in many for item in listed(items, "concat")], "...any"),
        "first": Function(lambda items: next(iter(listed(items, "first")), None), "any"),
        "has": Function(_has, "any any"),
        "initial": Function(lambda items: listed(items, "initial")[:-1], "any"),
        "last": Function(lambda items: next(reversed(listed(items, "last")), None), "any"),
        "list": Function(lambda *items: [stored(item) for item in items], "...any"),
        "prepend": Function(lambda items, item: [stored(item), *listed(items, "prepend")], "any any"),
        "push": Function(lambda items, item: [*listed(items, "push"), stored(item)], "any any"),
        "rest": Function(lambda items: listed(items, "rest")[1:], "any"),
        "reverse": Function(lambda items: listed(items, "reverse")[::-1], "any"),
        "slice": Function(_slice, "any ...any"),
        "tuple": Function(lambda *items: [stored(item) for item in items], "...any"),
        "uniq": Function(_unique, "any"),
        "until": Function(lambda count: list(range(0, count, 1 if count >= 0 else -1)), "int"),
        "untilStep": Function(lambda start, stop, step: list(range(start, stop, step)) if step else [], "int int int"),
        "without": Function(_without, "any ...any"),
    }


def _has(needle: Any, items: Any) -> bool:
    return not is_nil(items) and (stored(needle) in listed(items, "has") or contains(items, needle))


def _chunk(size: int, items: Any) -> list[list[Any]]:
    whole_list = listed(items, "chunk")
    return [whole_list[start : start + size] for start in range(0, len(whole_list), max(size, 1))]


def _slice(items: Any, *limits: Any) -> list[Any]:
    bounds = [int(whole(limit)) for limit in limits]
    return listed(items, "slice")[slice(*bounds[:2])] if len(bounds) > 1 else listed(items, "slice")[sum(bounds) :]


def _unique(items: Any) -> list[Any]:
    out: list[Any] = []
    for item in listed(items, "uniq"):
        if item not in out:
            out.append(item)
    return out


def _without(items: Any, *unwanted: Any) -> list[Any]:
    return [item for item in listed(items, "without") if item not in unwanted]
