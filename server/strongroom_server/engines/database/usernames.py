"""Names of new users, by templates in the part of Go's template language that Vault documents for them. Pure.

    v-{{ .DisplayName | truncate 8 }}-{{ printf "%s_%d" (random 8) 7 | lowercase }}

Source: Vault's page "Username Templating".
"""

import base64
import hashlib
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

_ACTION = re.compile(r"(?:\s+(?={{-\s))?{{(-\s)?(.*?)(\s-)?}}", re.DOTALL)
_LONGEST = 4096
_TOKEN = re.compile(r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|`[^`]*`)|(?P<number>-?\d+)|(?P<field>\.\w+)|(?P<name>\w+)"""
                    r"""|(?P<sign>[|()]))""", re.ASCII)  # fmt: skip
_VERB = re.compile(r"%[sdvq%]")
_LAYOUT = {"%": "%%", "2006": "%Y", "01": "%m", "02": "%d", "15": "%H", "04": "%M", "05": "%S"}
_ESCAPES = {"n": "\n", "t": "\t"}


class BadTemplate(ValueError):
    """A template cannot be understood, or cannot be applied."""


@dataclass(frozen=True)
class Facts:
    """What a template can use. ``random`` makes so many letters and digits; ``now`` is in epoch seconds."""

    display_name: str
    role_name: str
    now: float
    random: Callable[[int], str]


@dataclass(frozen=True)
class Call:
    """A function's name, or "" for a value alone, with its operands: texts, numbers, fields and other calls."""

    name: str
    operands: tuple[Any, ...]


@dataclass(frozen=True)
class Field:
    """A field of the facts."""

    name: str


def render(template: str, facts: Facts) -> str:
    """Return the name that a template makes; raises BadTemplate."""
    if len(template) > _LONGEST:  # reading takes the square of it
        raise BadTemplate(f"template is too long: expected at most {_LONGEST} characters")
    return "".join(_text(_evaluate(part, facts)) for part in _read(template))


def check(template: str) -> None:
    """Refuse a template that cannot work; raises BadTemplate."""
    if not render(template, Facts("token", "role", 1.0, lambda length: "x" * length)):
        raise BadTemplate("template makes an empty name")


# -- reading ------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _read(template: str) -> tuple[Any, ...]:
    """Return a template's texts and actions in order."""
    parts: list[Any] = []
    end, trim = 0, False
    for match in _ACTION.finditer(template):
        literal = template[end : match.start()]
        parts += [literal.lstrip() if trim else literal, _parse(match[2])]
        trim, end = bool(match[3]), match.end()
    rest = template[end:]
    if "{{" in rest:
        raise BadTemplate("unable to parse template: unclosed action")
    return (*parts, rest.lstrip() if trim else rest)


def _parse(action: str) -> Call:
    tokens = _tokens(action)
    call = _pipeline(tokens, closing="")
    if call is None:
        raise BadTemplate("unable to parse template: missing value for command")
    return call


def _tokens(action: str) -> Iterator[tuple[str, str]]:
    end = 0
    stripped = action.rstrip()
    while end < len(stripped):
        match = _TOKEN.match(stripped, end)
        if match is None or match.lastgroup is None:
            raise BadTemplate(f"unable to parse template: unexpected {stripped[end:].strip()[:10]!r}")
        yield match.lastgroup, match[match.lastgroup]
        end = match.end()


def _pipeline(tokens: Iterator[tuple[str, str]], closing: str) -> Call | None:
    """Read commands up to the closing sign; what stands before a bar is the last operand of what follows it."""
    words: list[Any] = []
    piped: Call | None = None
    for kind, text in tokens:
        if (kind, text) == ("sign", ")"):
            if not closing:
                raise BadTemplate("unable to parse template: unexpected right paren")
            return _command(words, piped)
        if (kind, text) == ("sign", "|"):
            piped, words = _command(words, piped), []
        else:
            words.append(_pipeline(tokens, ")") if text == "(" and kind == "sign" else _word(kind, text))
    if closing:
        raise BadTemplate("unable to parse template: unclosed left paren")
    return _command(words, piped)


def _word(kind: str, text: str) -> Any:
    if kind == "number":
        return int(text)
    if kind == "text":
        body = text[1:-1]
        return body if text[0] == "`" else re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), body)
    if kind == "field":
        if text not in {".DisplayName", ".RoleName"}:
            raise BadTemplate(f"unable to apply template: there is no field {text}: expected .DisplayName or .RoleName")
        return Field(text[1:])
    if text not in _FUNCTIONS:
        raise BadTemplate(f'unable to parse template: function "{text}" not defined')
    return Call(text, ())


def _command(words: list[Any], piped: Call | None) -> Call:
    if not words:
        raise BadTemplate("unable to parse template: missing value for command")
    head, *rest = words
    operands = (*rest, *([piped] if piped is not None else []))
    if isinstance(head, Call) and head.name and not head.operands:
        return Call(head.name, operands)
    if operands:
        raise BadTemplate("unable to parse template: can't give argument to a value")
    return head if isinstance(head, Call) else Call("", (head,))


# -- working it out -----------------------------------------------------------------------------------------------


def _evaluate(value: Any, facts: Facts) -> Any:
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
    return str(value)


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
}
