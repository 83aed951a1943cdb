"""Claims by template: JSON in which ``{{identity.entity.name}}`` and the like stand for values (Vault docs, "Identity
tokens"). Pure.

Security 1: what is put in is JSON text of its own, so no name or metadata can add a claim; the claims that make the
token what it is cannot be set by a template.
"""

import base64
from collections.abc import Mapping
from typing import Any

from strongroom_common.durations import parse_duration
from strongroom_server.core.identity.index import Index
from strongroom_server.core.identity.records import Entity
from strongroom_server.lib.braces import braced
from strongroom_server.sdk import codec
from strongroom_server.sdk.errors import InvalidRequest

RESERVED = ("iat", "aud", "exp", "iss", "sub", "namespace", "nonce", "auth_time", "at_hash", "c_hash")

_NOBODY = Entity("", "", "", "")


def plain(template: str) -> str:
    """Return a template as it was meant: clients may send it in base64."""
    try:
        return base64.b64decode(template, validate=True).decode()
    except ValueError:
        return template


def check(template: str) -> None:
    """Raise InvalidRequest unless the template gives claims that may be added."""
    for name in names(template):
        if name in RESERVED:
            raise InvalidRequest(f'top level key "{name}" not allowed. Restricted keys: {", ".join(RESERVED)}')


def names(template: str) -> list[str]:
    """Return the claims that a good template sets."""
    return list(claims(template, Index(), _NOBODY, 0))


def claims(template: str, index: Index, entity: Entity, now: int) -> dict[str, Any]:
    """Return the claims that a template gives for an entity; raises InvalidRequest for a bad template."""
    if not template.strip():
        return {}
    text, end = "", 0
    for directive in braced(template):
        text += _literal(template[end : directive.start]) + _json(_value(directive.content, index, entity, now))
        end = directive.end
    text += _literal(template[end:])
    try:
        parsed = codec.loads(text)
    except (RecursionError, ValueError) as error:
        raise InvalidRequest(f"error parsing template JSON: {error}") from None
    if not isinstance(parsed, dict):
        raise InvalidRequest("error parsing template JSON: expected an object")
    return parsed


def _literal(text: str) -> str:
    if "{{" in text or "}}" in text:
        raise InvalidRequest("error parsing template: unbalanced templating characters")
    return text


def _json(value: Any) -> str:
    return codec.encode(value).decode()


def _value(directive: str, index: Index, entity: Entity, now: int) -> Any:
    if directive.startswith("time."):
        return _moment(directive.removeprefix("time."), now)
    head, _, rest = directive.removeprefix("identity.entity.").partition(".")
    if directive.startswith("identity.entity."):
        if head in {"id", "name"} and not rest:
            return getattr(entity, head)
        if head == "metadata":
            return _pair(entity.metadata, rest)
        if head == "aliases":
            return _of_alias(entity, rest)
        if head == "groups" and rest in {"ids", "names"}:
            direct, inherited = index.groups_of(entity)
            ids = direct + inherited
            return ids if rest == "ids" else [index.groups[group_id].name for group_id in ids]
    raise InvalidRequest("error parsing template: no value could be found for one of the template directives")


def _of_alias(entity: Entity, selector: str) -> Any:
    accessor, _, rest = selector.partition(".")
    what, _, key = rest.partition(".")
    alias = entity.alias_at(accessor)
    if what in {"id", "name"} and not key:
        return getattr(alias, what) if alias else ""
    if what in {"metadata", "custom_metadata"}:
        return _pair(getattr(alias, what) if alias else None, key)
    raise InvalidRequest("error parsing template: invalid alias selector")


def _pair(metadata: Mapping[str, str] | None, key: str) -> Any:
    return (metadata or {}).get(key, "") if key else metadata or {}


def _moment(selector: str, now: int) -> int:
    if selector == "now":
        return now
    for word, sign in (("now.plus.", 1), ("now.minus.", -1)):
        if selector.startswith(word):
            try:
                return now + sign * int(parse_duration(selector.removeprefix(word)))
            except ValueError as error:
                raise InvalidRequest(f"error parsing template: invalid duration: {error}") from None
    raise InvalidRequest(f'error parsing template: invalid time selector "{selector}"')
