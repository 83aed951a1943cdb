"""The JSON patch (RFC 6902) that makes one object into another, as a pure function.

The same two objects give the same patch, byte for byte. Lists are compared as what they are in a pod: an element
stays in its place or a new one comes between; where one was taken away the whole list is replaced.
"""

import json
from collections.abc import Iterator
from typing import Any


def diff(old: Any, new: Any, path: str = "") -> list[dict[str, Any]]:
    """Return the operations, in order."""
    return list(_diff(old, new, path))


def encode(operations: list[dict[str, Any]]) -> bytes:
    """Return a patch as it is sent."""
    return json.dumps(operations, ensure_ascii=False, separators=(",", ":")).encode()


def _diff(old: Any, new: Any, path: str) -> Iterator[dict[str, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _objects(old, new, path)
    elif isinstance(old, list) and isinstance(new, list) and (places := _places(old, new)) is not None:
        yield from _lists(old, new, places, path)
    elif old != new or type(old) is not type(new):
        yield {"op": "replace", "path": path, "value": new}


def _objects(old: dict[str, Any], new: dict[str, Any], path: str) -> Iterator[dict[str, Any]]:
    for key in sorted(old.keys() | new.keys()):
        below = f"{path}/{key.replace('~', '~0').replace('/', '~1')}"  # RFC 6901, 3
        if key not in new:
            yield {"op": "remove", "path": below}
        elif key not in old:
            yield {"op": "add", "path": below, "value": new[key]}
        else:
            yield from _diff(old[key], new[key], below)


def _lists(old: list[Any], new: list[Any], places: dict[int, int], path: str) -> Iterator[dict[str, Any]]:
    for index, element in enumerate(new):  # those before ``index`` are in place already
        if index in places:
            yield from _diff(old[places[index]], element, f"{path}/{index}")
        else:
            yield {"op": "add", "path": f"{path}/{index}", "value": element}


def _places(old: list[Any], new: list[Any]) -> dict[int, int] | None:
    """Map the place of each old element in ``new`` to its old one; None if one is missing or they changed order."""
    places, at = {}, 0
    for index, element in enumerate(new):
        if at < len(old) and _same(old[at], element):
            places[index] = at
            at += 1
    return places if at == len(old) else None


def _same(old: Any, new: Any) -> bool:
    if isinstance(old, dict) and isinstance(new, dict) and "name" in old:
        return bool(old["name"] == new.get("name") and old.get("mountPath") == new.get("mountPath"))
    return bool(old == new)
