"""SQL as operators write it: filled with values here, taken apart by the database alone.

A text is sent whole: the database's own parser knows best where a statement ends, whatever quotes, comments and
dollar bodies it has. All that must be known here is in what kind of place a value lands, so that it is escaped as that
place needs. Pure.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

_PLACEHOLDER = re.compile(r"{{(\w+)}}", re.ASCII)
_PLAIN = re.compile(r"[\w .:+/=@,-]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class UnsafeValue(ValueError):
    """A value cannot be put where a statement has its placeholder. The message names the placeholder only."""


@dataclass(frozen=True)
class Dialect:
    """A database's way of quoting.

    ``pieces`` finds the pieces of a text, each in a group named after its kind; ``escapes`` has the kinds within whose
    quotes any value can stand.
    """

    pieces: re.Pattern[str]
    escapes: Mapping[str, Callable[[str], str]]


def double(quote: str) -> Callable[[str], str]:
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
    def piece(match: re.Match[str]) -> str:
        escape = dialect.escapes.get(match.lastgroup or "")
        return _PLACEHOLDER.sub(lambda found: _value(found, values, escape), match[0])

    return dialect.pieces.sub(piece, text)


def _value(found: re.Match[str], values: Mapping[str, str], escape: Callable[[str], str] | None) -> str:
    value = values.get(found[1])
    if value is None:
        return found[0]
    if _CONTROL.search(value) or (escape is None and not _PLAIN.fullmatch(value)):
        raise UnsafeValue(f"the value of {found[0]} holds characters that cannot stand there: put it into quotes")
    return escape(value) if escape else value


def without(text: str, secrets: Iterable[str]) -> str:
    """Return a database's message without the secrets that a statement held, as they are or in quotes."""
    for secret in secrets:
        doubled = secret.replace("'", "''")
        for form in (doubled.replace("\\", "\\\\"), doubled, secret):
            text = text.replace(form, "[password]") if form else text
    return text
