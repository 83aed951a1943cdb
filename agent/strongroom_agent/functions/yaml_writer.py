"""YAML as ``toYAML`` writes it: go-yaml version 2's block style, without the last line end."""

import re
from typing import Any

from strongroom_agent.functions.gojson import number
from strongroom_agent.template.printing import shortest
from strongroom_agent.template.quoting import is_printable, quote
from strongroom_agent.template.values import NO_VALUE, NilPointer, Struct, is_integer
from strongroom_common.jsonx import Number

_WORDS = frozenset(
    form
    for word in ("y", "yes", "on", "n", "no", "off", "true", "false", "null", ".inf", "+.inf", "-.inf")
    for form in (word, word.upper(), word.title())
) | {"~", ".nan", ".NaN", ".NAN"}
_NUMBER = re.compile(
    r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*"
    r"|(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9_]+)(?:[eE][-+]?[0-9]+)?"
    r"|[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?)\Z"
)
_DATE = re.compile(r"\d{4}-\d\d?-\d\d?(?:[Tt ]|\s*\Z)")
_LEADING = "-?:,[]{}#&*!|>'\"%@`"


def dump(value: Any) -> str:
    """Print ``value``; keys are sorted, numbers within them by value."""
    return "\n".join(_block(value, 0)).rstrip("\n")


def _block(value: Any, depth: int) -> list[str]:
    pad = "  " * depth
    if isinstance(value, Struct):
        value = {name.lower(): getattr(value, attribute) for name, attribute in value.go_fields.items()}
    if isinstance(value, dict) and value:
        keys = sorted(value, key=lambda key: _natural(str(key)))
        return [line for key in keys for line in _entry(f"{pad}{_scalar(key, depth)}:", value[key], depth)]
    if isinstance(value, list) and value:
        return [line for item in value for line in _item(item, depth)]
    return [pad + _scalar(value, depth)]


def _entry(head: str, value: Any, depth: int) -> list[str]:
    if isinstance(value, list) and value:
        return [head, *_block(value, depth)]  # go-yaml 2 does not indent a list below its key
    if isinstance(value, dict | Struct) and value:
        return [head, *_block(value, depth + 1)]
    return [f"{head} {_scalar(value, depth + 1)}"]


def _item(value: Any, depth: int) -> list[str]:
    pad = "  " * depth
    if isinstance(value, dict | list | Struct) and value:
        first, *rest = _block(value, depth + 1)
        return [f"{pad}- {first.removeprefix(pad + '  ')}", *rest]
    return [f"{pad}- {_scalar(value, depth + 1)}"]


def _natural(key: str) -> list[tuple[int, int | str]]:
    """Order keys as go-yaml does: runs of digits by their value, digits before letters, other signs first."""
    parts = re.findall(r"\d+|\D", key)
    return [(1, int(part)) if part.isdigit() else (2, part) if part.isalpha() else (0, part) for part in parts]


def _scalar(value: Any, depth: int) -> str:
    if value is None or value is NO_VALUE or isinstance(value, NilPointer):
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if is_integer(value):
        return str(int(value))
    if isinstance(value, float):
        return shortest(value, 21 if value != int(value) else 6) if abs(value) < 1e15 else number(value)
    if isinstance(value, dict):
        return "{}"
    if isinstance(value, list | bytes):
        return "[]"
    return _string(str(value), depth, plain_number=isinstance(value, Number))


def _string(text: str, depth: int, *, plain_number: bool) -> str:
    if "\n" in text and all(is_printable(c) or c in "\n\t" for c in text):
        return _literal(text, depth)
    if not all(is_printable(c) for c in text):
        return _double(text)
    if _ambiguous(text) and not plain_number:
        return f'"{text}"' if text.isprintable() and '"' not in text and "\\" not in text else _double(text)
    return text if _is_plain(text) else "'" + text.replace("'", "''") + "'"


def _ambiguous(text: str) -> bool:
    """Whether a reader would take the bare word for something else than a string."""
    return not text or text in _WORDS or bool(_NUMBER.match(text)) or bool(_DATE.match(text))


def _is_plain(text: str) -> bool:
    if text != text.strip() or text.startswith(("---", "...")):
        return False
    if text[0] in _LEADING and not (text[0] in "-?:" and len(text) > 1 and text[1] not in " "):
        return False
    return ": " not in text and " #" not in text and not text.endswith(":")


def _literal(text: str, depth: int) -> str:
    body = text.rstrip("\n")
    chomp = "-" if body == text else "" if text == body + "\n" else "+"
    hint = "2" if text[:1] in (" ", "\n") else ""
    pad = "  " * max(depth, 1)  # the lines of a text that is the whole document are indented too
    lines = text.removesuffix("\n").split("\n") if chomp != "+" else text.split("\n")[:-1]
    return "\n".join([f"|{hint}{chomp}", *(pad + line if line else "" for line in lines)])


def _double(text: str) -> str:
    return re.sub(r"\\u00([0-9a-f]{2})", r"\\x\1", quote(text)).replace("\\x00", "\\0")
