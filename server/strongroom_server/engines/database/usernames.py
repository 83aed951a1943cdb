"""Names of new users, by templates in the part of Go's template language that Vault documents for them. Pure.

    v-{{ .DisplayName | truncate 8 }}-{{ printf "%s_%d" (random 8) 7 | lowercase }}

Source: Vault's page "Username Templating".
"""

import base64
import hashlib
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from strongroom_server.engines.database.username_templates import BadTemplate, Call, Choice, Field, read

_LONGEST = 4096
_VERB = re.compile(r"%[sdvq%]")
_LAYOUT = {"%": "%%", "2006": "%Y", "01": "%m", "02": "%d", "15": "%H", "04": "%M", "05": "%S"}


@dataclass(frozen=True)
class Facts:
    """What a template can use. ``random`` makes so many letters and digits; ``now`` is in epoch seconds."""

    display_name: str
    role_name: str
    now: float
    random: Callable[[int], str]


def render(template: str, facts: Facts) -> str:
    """Return the name that a template makes; raises BadTemplate."""
    if len(template) > _LONGEST:  # reading takes the square of it
        raise BadTemplate(f"template is too long: expected at most {_LONGEST} characters")
    try:
        return _shown(read(template, _NAMES), facts)
    except RecursionError:
        raise BadTemplate("template is nested too deep") from None


def check(template: str) -> None:
    """Refuse a template that cannot work; raises BadTemplate."""
    if not render(template, Facts("token", "role", 1.0, lambda length: "x" * length)):
        raise BadTemplate("template makes an empty name")


def _shown(nodes: tuple[Any, ...], facts: Facts) -> str:
    return "".join(_text(_evaluate(node, facts)) for node in nodes)


def _evaluate(value: Any, facts: Facts) -> Any:
    if isinstance(value, Choice):
        return _shown(value.then if _evaluate(value.condition, facts) else value.otherwise, facts)
    if isinstance(value, Field):
        return facts.display_name if value.name == "DisplayName" else facts.role_name
    if not isinstance(value, Call):
        return value
    operands = [_evaluate(operand, facts) for operand in value.operands]
    if not value.name:
        return operands[0]
    try:
        return _FUNCTIONS[value.name](facts, *operands)
    except (TypeError, ValueError, AttributeError, IndexError):
        raise BadTemplate(f"unable to apply template: wrong arguments for {value.name}") from None


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _random(facts: Facts, length: int) -> str:
    if not 0 < length <= 1024:
        raise ValueError
    return facts.random(length)


def _truncate(_: Facts, length: int, text: str) -> str:
    if length <= 0:
        raise ValueError
    return text[:length]


def _truncate_sha256(_: Facts, length: int, text: str) -> str:
    """Cut a text; what is cut off leaves the first eight digits of its digest."""
    if length <= 8:
        raise ValueError
    kept, cut = text[: length - 8], text[length - 8 :]
    return text if len(text) <= length else kept + hashlib.sha256(cut.encode()).hexdigest()[:8]


def _timestamp(facts: Facts, layout: str) -> str:
    """Print the time, in UTC, as a layout of Go's shows its own moment: 2006-01-02 15:04:05."""
    for part, directive in _LAYOUT.items():
        layout = layout.replace(part, directive)
    return datetime.fromtimestamp(facts.now, UTC).strftime(layout)


def _printf(_: Facts, text: str, *operands: Any) -> str:
    left = list(operands)

    def verb(found: re.Match[str]) -> str:
        return "%" if found[0] == "%%" else _text(left.pop(0))

    made = _VERB.sub(verb, text)
    if left:
        raise ValueError
    return made


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "random": _random,
    "truncate": _truncate,
    "truncate_sha256": _truncate_sha256,
    "printf": _printf,
    "uppercase": lambda _, text: text.upper(),
    "lowercase": lambda _, text: text.lower(),
    "replace": lambda _, old, new, text: text.replace(old, new),
    "sha256": lambda _, text: hashlib.sha256(text.encode()).hexdigest(),
    "base64": lambda _, text: base64.b64encode(text.encode()).decode(),
    "unix_time": lambda facts: int(facts.now),
    "unix_time_millis": lambda facts: int(facts.now * 1000),
    "timestamp": _timestamp,
    "uuid": lambda _: str(uuid.uuid4()),
    # Go's own
    "and": lambda _, *values: next((value for value in values if not value), values[-1]),
    "eq": lambda _, value, *others: value in others,
    "len": lambda _, text: len(text.encode()),
    "ne": lambda _, one, other: one != other,
    "not": lambda _, value: not value,
    "or": lambda _, *values: next((value for value in values if value), values[-1]),
    "print": lambda _, *values: "".join(map(_text, values)),
}
_NAMES = frozenset(_FUNCTIONS)
