"""Reading the part of Go's template language that names of users are made with (Go's text/template). Pure.

{{ if eq .RoleName "app" }}a{{ else }}{{ .DisplayName | truncate 8 }}{{ end }}-{{ random 8 | lowercase }}
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

_ACTION = re.compile(r"(?:\s+(?={{-\s))?{{(-\s)?(.*?)(\s-)?}}", re.DOTALL)
_COMMENT = re.compile(r"\s*/\*.*\*/\s*", re.DOTALL)
_CONTROL = re.compile(r"\s*(if|else\s+if|else|end)\b(.*)", re.DOTALL)
_TOKEN = re.compile(r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|`[^`]*`)|(?P<number>-?\d+)|(?P<field>\.\w+)|(?P<name>\w+)"""
                    r"""|(?P<sign>[|()]))""", re.ASCII)  # fmt: skip
_ESCAPES = {"n": "\n", "t": "\t"}


class BadTemplate(ValueError):
    """A template cannot be understood, or cannot be applied."""


@dataclass(frozen=True)
class Call:
    """A function's name, or "" for a value alone, with its operands: texts, numbers, fields and other calls."""

    name: str
    operands: tuple[Any, ...]


@dataclass(frozen=True)
class Field:
    """A field of the facts."""

    name: str


@dataclass(frozen=True)
class Choice:
    """One part or the other, as a condition says."""

    condition: Call
    then: tuple[Any, ...]
    otherwise: tuple[Any, ...]


@dataclass(frozen=True)
class _Control:
    """An action that is no value: "if" and "else if" with their condition, "else" or "end"."""

    word: str
    condition: Call = Call("", ())


@lru_cache(maxsize=256)
def read(template: str, functions: frozenset[str]) -> tuple[Any, ...]:
    """Return a template's parts in order: texts, calls of ``functions`` and choices; raises BadTemplate."""
    parts = iter(_parts(template, functions))
    nodes, ended_by = _nodes(parts)
    if ended_by is not None:
        raise BadTemplate(f"unable to parse template: unexpected {{{{{ended_by.word}}}}}")
    return nodes


def _parts(template: str, functions: frozenset[str]) -> list[Any]:
    parts: list[Any] = []
    end, trim = 0, False
    for match in _ACTION.finditer(template):
        literal = template[end : match.start()]
        parts += [literal.lstrip() if trim else literal, _action(match[2], functions)]
        trim, end = bool(match[3]), match.end()
    rest = template[end:]
    if "{{" in rest:
        raise BadTemplate("unable to parse template: unclosed action")
    return [*parts, rest.lstrip() if trim else rest]


def _action(text: str, functions: frozenset[str]) -> Any:
    if _COMMENT.fullmatch(text):
        return ""
    control = _CONTROL.fullmatch(text)
    if control is None:
        return _parse(text, functions)
    word = " ".join(control[1].split())
    if word.endswith("if"):
        return _Control(word, _parse(control[2], functions))
    if control[2].strip():
        raise BadTemplate(f"unable to parse template: unexpected {control[2].strip()[:10]!r} in {word}")
    return _Control(word)


def _nodes(parts: Iterator[Any]) -> tuple[tuple[Any, ...], _Control | None]:
    """Return the nodes up to the action that ends them, and that action; None where the template ends."""
    nodes: list[Any] = []
    for part in parts:
        if not isinstance(part, _Control):
            nodes.append(part)
        elif part.word == "if":
            nodes.append(_choice(part.condition, parts))
        else:
            return tuple(nodes), part
    return tuple(nodes), None


def _choice(condition: Call, parts: Iterator[Any]) -> Choice:
    then, ended_by = _nodes(parts)
    if ended_by is not None and ended_by.word == "else if":
        return Choice(condition, then, (_choice(ended_by.condition, parts),))
    otherwise: tuple[Any, ...] = ()
    if ended_by is not None and ended_by.word == "else":
        otherwise, ended_by = _nodes(parts)
    if ended_by is None or ended_by.word != "end":
        raise BadTemplate("unable to parse template: an {{if}} has no {{end}}")
    return Choice(condition, then, otherwise)


def _parse(action: str, functions: frozenset[str]) -> Call:
    call = _pipeline(_tokens(action, functions), closing="")
    if call is None:
        raise BadTemplate("unable to parse template: missing value for command")
    return call


def _tokens(action: str, functions: frozenset[str]) -> Iterator[tuple[str, str]]:
    end = 0
    stripped = action.rstrip()
    while end < len(stripped):
        match = _TOKEN.match(stripped, end)
        if match is None or match.lastgroup is None:
            raise BadTemplate(f"unable to parse template: unexpected {stripped[end:].strip()[:10]!r}")
        kind, text = match.lastgroup, match[match.lastgroup]
        if kind == "name" and text not in functions:
            raise BadTemplate(f'unable to parse template: function "{text}" not defined')
        yield kind, text
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
