"""``{{identity.entity.name}}`` in a rule's path, filled in for the entity that asks.

An entity's name and metadata may be chosen by others than the policy's author. So a value that would act as a
wildcard or open another folder is not put in unless the policy says so (OpenBao GH-3401; Vault substitutes blindly).

The selectors, whose values identity supplies, are ``identity.entity.`` with ``id``, ``name``, ``metadata.KEY`` and
``aliases.ACCESSOR.`` with ``id``, ``name``, ``metadata.KEY``, ``custom_metadata.KEY``; and for each group that the
entity belongs to ``identity.groups.ids.ID.`` and ``identity.groups.names.NAME.`` with ``id``, ``name``,
``metadata.KEY``.
"""

from collections.abc import Mapping

from strongroom_server.lib.braces import braced

UNSAFE = "*+/"


class UnsafeTemplateValue(ValueError):
    """A value holds what it must not; the message names the template, never the value."""


def resolve(path: str, values: Mapping[str, str], unsafe: str = UNSAFE) -> str | None:
    """Return a rule's path with ``values`` (by selector) filled in, or None where one is missing.

    Raises UnsafeTemplateValue for a value that holds a character of ``unsafe``.
    """
    resolved, end = "", 0
    for template in braced(path):
        value = values.get(template.content)
        if value is None:
            return None
        if not set(unsafe).isdisjoint(value):
            name = path[template.start : template.end]
            raise UnsafeTemplateValue(f'the value of {name} in "{path}" holds one of "{unsafe}"')
        resolved += path[end : template.start] + value
        end = template.end
    return (resolved + path[end:]).removeprefix("/")


def path_of_key(template: str, path: str, key: str) -> str:
    """Return the path that a list's key stands for (see ``list_filters``); raises ValueError for a bad template.

    Only the fields ``.path`` (that of the list, with its slash) and ``.key`` are there, no functions.
    """
    values, text, end = {".path": path, ".key": key}, "", 0
    for field in braced(template):
        if field.content not in values:
            raise ValueError("expected {{ .path }} and {{ .key }} alone")
        text += template[end : field.start] + values[field.content]
        end = field.end
    if "{{" in template[end:]:
        raise ValueError("unclosed action")
    return text + template[end:]


def check_keys(template: str) -> None:
    """Raise ValueError for a template that says nothing about keys."""
    if template and path_of_key(template, "a/", "b") == path_of_key(template, "a/", "c"):
        raise ValueError("resulted in same path for two different keys")
