"""SQL as operators write it: filled with values here, taken apart by the database alone.

A text is sent whole: the database's own parser knows best where a statement ends, whatever quotes, comments and
dollar bodies it has. All that must be known here is in what kind of place a value lands, so that it is escaped as that
place needs. Pure.
"""

import base64
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

_PLACEHOLDER = re.compile(r"{{(\w+)}}", re.ASCII)
_PLAIN = re.compile(r"[\w .:+/=@,-]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class UnsafeValue(ValueError):
    """A value cannot be put where a statement has its placeholder. The message names the placeholder only."""


Escape = Callable[[str], str]


@dataclass(frozen=True, eq=False)
class Dialect:
    """A database's way of quoting.

    ``pieces`` finds the pieces of a text, each in a group named after its kind; ``escapes`` has the kinds within whose
    quotes any value can stand.
    """

    pieces: re.Pattern[str]
    escapes: Mapping[str, Escape]


def double(quote: str) -> Escape:
    """Return the escape that doubles a quote (SQL-92, 5.3)."""
    return lambda value: value.replace(quote, quote * 2)


def fill(texts: Iterable[str], values: Mapping[str, str], dialect: Dialect) -> list[str]:
    """Return the texts with their ``{{placeholders}}`` filled, empty ones left out; raises UnsafeValue.

    Security 1: a value never ends the quotes it stands in, and outside of quotes it is letters, digits and the signs
    of dates only, so that a name that somebody chose is never run as SQL.
    """
    filled = (_fill(text, values, dialect).strip().rstrip("; \t\n") for text in texts)
    return [text for text in filled if text]


def _fill(text: str, values: Mapping[str, str], dialect: Dialect) -> str:
    return "".join(part if isinstance(part, str) else _value(*part, values) for part in _read(text, dialect))


@lru_cache(maxsize=1024)
def _read(text: str, dialect: Dialect) -> tuple[str | tuple[re.Match[str], Escape | None], ...]:
    """Return the pieces of a text, its placeholders each with the escape of the place that they stand in."""
    parts: list[str | tuple[re.Match[str], Escape | None]] = []
    for piece in dialect.pieces.finditer(text):
        escape, end = dialect.escapes.get(piece.lastgroup or ""), piece.start()
        for found in _PLACEHOLDER.finditer(text, piece.start(), piece.end()):
            parts += [text[end : found.start()], (found, escape)]
            end = found.end()
        parts.append(text[end : piece.end()])
    return tuple(parts)


def _value(found: re.Match[str], escape: Escape | None, values: Mapping[str, str]) -> str:
    value = values.get(found[1])
    if value is None:
        return found[0]
    if _CONTROL.search(value) or (escape is None and not _PLAIN.fullmatch(value)):
        raise UnsafeValue(f"the value of {found[0]} holds characters that cannot stand there: put it into quotes")
    return escape(value) if escape else value


@lru_cache(maxsize=1024)
def plain(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return statements as they are run: each may come in base64, and as a JSON list of several (api-docs)."""
    return tuple(statement for text in texts for statement in _listed(_decoded(text)))


def _decoded(text: str) -> str:
    try:
        decoded = base64.b64decode(text.strip(), validate=True).decode()
    except ValueError:
        return text
    return decoded if re.search(r"\s|\[", decoded) else text  # a word such as ROLLBACK is base64 too


def _listed(text: str) -> list[str]:
    if not text.lstrip().startswith("["):
        return [text]
    try:
        found = json.loads(text)
    except ValueError:
        return [text]
    return found if all(isinstance(one, str) for one in found) else [text]


def without(text: str, secrets: Iterable[str]) -> str:
    """Return a database's message without the secrets that a statement held, as they are or in quotes."""
    forms = {form for secret in secrets for form in _forms(secret) if form}
    longest_first = "|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))
    return re.sub(longest_first, "[password]", text) if forms else text


def _forms(secret: str) -> tuple[str, str, str]:
    doubled = secret.replace("'", "''")
    return doubled.replace("\\", "\\\\"), doubled, secret
