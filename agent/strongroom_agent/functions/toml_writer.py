"""TOML as ``toTOML`` writes it: keys sorted, plain ones before tables, tables indented by two spaces."""

import re
from typing import Any

from strongroom_agent.template.printing import shortest
from strongroom_agent.template.values import NO_VALUE, is_integer
from strongroom_common.jsonx import Number

_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")
_ESCAPES = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


def dump(value: Any) -> str:
    """Print a value; raises ValueError for a nil inside a list."""
    if not isinstance(value, dict):
        return _inline(value)
    lines: list[str] = []
    _table(value, (), lines)
    return "\n".join(lines).strip()


def _table(value: dict[str, Any], path: tuple[str, ...], lines: list[str]) -> None:
    pad = "  " * max(len(path) - 1, 0) + "  " * bool(path)
    for key in sorted(value):
        item = value[key]
        if item is not None and item is not NO_VALUE and not _is_table(item):
            lines.append(f"{pad}{_key(key)} = {_inline(item)}")
    for key in sorted(value):
        if _is_table(value[key]):
            _tables(value[key], (*path, key), lines)


def _tables(value: Any, path: tuple[str, ...], lines: list[str]) -> None:
    pad, name = "  " * (len(path) - 1), ".".join(map(_key, path))
    for item in value if isinstance(value, list) else [value]:
        if len(path) == 1:
            lines.append("")
        lines.append(f"{pad}[[{name}]]" if isinstance(value, list) else f"{pad}[{name}]")
        _table(item, path, lines)


def _is_table(value: Any) -> bool:
    many = isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)
    return many or isinstance(value, dict)


def _key(key: str) -> str:
    return key if _BARE.match(key) else _quoted(key)


def _quoted(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(c) or (f"\\u{ord(c):04X}" if ord(c) < 0x20 else c) for c in text) + '"'


def _inline(value: Any) -> str:
    if isinstance(value, str) and not isinstance(value, Number):
        return _quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if is_integer(value) or isinstance(value, Number):
        return str(value)
    if isinstance(value, float):
        text = shortest(value, 400)
        return text if "." in text or "N" in text or "I" in text else text + ".0"
    if isinstance(value, list):
        return "[" + ", ".join(_inline(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)} = {_inline(value[key])}" for key in sorted(value)) + "}"
    raise ValueError("toTOML: toml: cannot encode array with nil element")
