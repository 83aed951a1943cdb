"""What templates may ask of an entity: the flat selectors of policies (see ``core/policy_templates.py``)."""

from collections.abc import Mapping

from strongroom_server.core.identity.index import Index
from strongroom_server.core.identity.records import Entity


def template_values(index: Index, entity: Entity) -> dict[str, str]:
    """Return the value of every selector that the entity has one for."""
    values = {"identity.entity.id": entity.id, "identity.entity.name": entity.name}
    values |= _pairs("identity.entity.metadata", entity.metadata)
    for alias in reversed(entity.aliases):  # of two at one mount the first is the entity's
        prefix = f"identity.entity.aliases.{alias.mount_accessor}"
        values |= {f"{prefix}.id": alias.id, f"{prefix}.name": alias.name}
        values |= _pairs(f"{prefix}.metadata", alias.metadata)
        values |= _pairs(f"{prefix}.custom_metadata", alias.custom_metadata)
    for group_ids in index.groups_of(entity):
        for group in map(index.groups.__getitem__, group_ids):
            for prefix in (f"identity.groups.ids.{group.id}", f"identity.groups.names.{group.name}"):
                values |= {f"{prefix}.id": group.id, f"{prefix}.name": group.name}
                values |= _pairs(f"{prefix}.metadata", group.metadata)
    return values


def _pairs(prefix: str, metadata: Mapping[str, str] | None) -> dict[str, str]:
    return {f"{prefix}.{key}": value for key, value in (metadata or {}).items()}
