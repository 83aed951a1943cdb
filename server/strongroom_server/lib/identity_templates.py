"""Identity templates in the settings of engines: ``{{identity.entity.name}}.example.com`` for whoever asks."""

from collections.abc import Mapping, Sequence
from typing import Any

from strongroom_server.lib.braces import braced


def identity_values(entity: Mapping[str, Any], groups: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the value of every selector; ``entity`` and ``groups`` are what ``sdk.system`` gives."""
    values = {"identity.entity.id": entity["id"], "identity.entity.name": entity["name"]}
    values |= _pairs("identity.entity.metadata", entity.get("metadata"))
    for alias in reversed(entity.get("aliases") or ()):  # of two at one mount the first is the entity's
        prefix = f"identity.entity.aliases.{alias['mount_accessor']}"
        values |= {f"{prefix}.id": alias["id"], f"{prefix}.name": alias["name"]}
        values |= _pairs(f"{prefix}.metadata", alias.get("metadata"))
        values |= _pairs(f"{prefix}.custom_metadata", alias.get("custom_metadata"))
    for group in groups:
        for prefix in (f"identity.groups.ids.{group['id']}", f"identity.groups.names.{group['name']}"):
            values |= {f"{prefix}.id": group["id"], f"{prefix}.name": group["name"]}
            values |= _pairs(f"{prefix}.metadata", group.get("metadata"))
    return values


def _pairs(prefix: str, metadata: Mapping[str, str] | None) -> dict[str, str]:
    return {f"{prefix}.{key}": value for key, value in (metadata or {}).items()}


def fill(text: str, values: Mapping[str, str], *, globs: bool) -> str | None:
    """Return ``text`` with its templates filled in; None where a value is missing.

    Security 1: a value may be chosen by others than the setting's author, so without ``globs`` one that holds a ``*``
    counts as missing: it would widen what the setting allows.
    """
    filled, end = "", 0
    for template in braced(text):
        value = values.get(template.content)
        if not value or ("*" in value and not globs):
            return None
        filled += text[end : template.start] + value
        end = template.end
    return filled + text[end:]
