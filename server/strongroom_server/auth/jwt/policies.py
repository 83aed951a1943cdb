"""Names of policies that a token's claims are filled in to: ``app-{{.sub}}``, ``{{ .realm.team }}``,
``{{index .groups 0}}``. Of Go's templates no more than that: a name has no need of loops.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from strongroom_server.lib.braces import braced
from strongroom_server.sdk.errors import InvalidRequest

_PATH = re.compile(r"(?:\.[A-Za-z_][A-Za-z0-9_]*)+|\.")
_INDEX = re.compile(r'index\s+(\S+)((?:\s+(?:"[^"\\]*"|[0-9]{1,9}))+)')
_KEY = re.compile(r'"([^"]*)"|([0-9]+)')
Step = str | int


def check(names: Sequence[str]) -> None:
    """Raise InvalidRequest for a name that is no template."""
    for number, name in enumerate(names):
        try:
            _parts(name)
        except ValueError as error:
            raise InvalidRequest(f"failed to parse template policy [{number}]: {error}") from None


def filled(names: Sequence[str], claims: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names with the claims filled in, without empty ones; raises InvalidRequest where one is missing."""
    found = []
    for number, name in enumerate(names):
        try:
            parts = [part if isinstance(part, str) else _text(_value(claims, part)) for part in _parts(name)]
        except ValueError as error:
            raise InvalidRequest(f"failed to template policy [{number}]: {error}") from None
        found.append("".join(parts))
    return tuple(name for name in found if name.strip())


def _parts(name: str) -> list[str | list[Step]]:
    """Return the texts of a name, and between them the steps to a claim."""
    parts: list[str | list[Step]] = []
    end = 0
    for action in braced(name):
        parts += [name[end : action.start], _steps(action.content)]
        end = action.end
    if "{{" in name[end:]:
        raise ValueError("unclosed action")
    return [*parts, name[end:]]


def _steps(action: str) -> list[Step]:
    indexed = _INDEX.fullmatch(action)
    path, keys = (indexed[1], indexed[2]) if indexed else (action, "")
    if not _PATH.fullmatch(path):
        raise ValueError('expected {{.claim}} or {{index .claim 0 "key"}}')
    steps: list[Step] = [step for step in path.split(".") if step]
    return steps + [int(place) if place else key for key, place in _KEY.findall(keys)]


def _value(claims: Mapping[str, Any], steps: Sequence[Step]) -> Any:
    value: Any = claims
    for step in steps:
        fits = isinstance(value, dict if isinstance(step, str) else list)
        try:
            value = value[step] if fits else None
        except LookupError:
            value = None
        if value is None:
            raise ValueError(f'the token has no claim "{step}"')
    return value


def _text(value: Any) -> str:
    """Return a claim as part of a name. Security 1: what is no single value names nothing."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int):
        return str(value)
    raise ValueError("the claim is no text")
