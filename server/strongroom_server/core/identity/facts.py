"""How entities, groups and aliases are shown (HTTP API, "Identity")."""

from typing import Any, Protocol

from strongroom_server.core.identity.index import Index
from strongroom_server.core.identity.records import Alias, Entity, Group
from strongroom_server.core.mounts import Mount


class MountFinder(Protocol):
    """The mount tables."""

    def by_accessor(self, accessor: str) -> Mount | None:
        """Return the mount of an accessor."""
        ...


def entity_facts(index: Index, entity: Entity, mounts: MountFinder) -> dict[str, Any]:
    """Return what a read of an entity shows."""
    direct, inherited = index.groups_of(entity)
    return {
        "aliases": [_entity_alias(alias, mounts) for alias in entity.aliases],
        "creation_time": entity.created,
        "direct_group_ids": direct,
        "disabled": entity.disabled,
        "group_ids": direct + inherited,
        "id": entity.id,
        "inherited_group_ids": inherited,
        "last_update_time": entity.updated,
        "merged_entity_ids": entity.merged_ids or None,
        "metadata": entity.metadata,
        "name": entity.name,
        "policies": entity.policies,
        "namespace_id": _namespace(entity.id),
    }


def entity_row(entity: Entity, mounts: MountFinder) -> dict[str, Any]:
    """Return what a list of entities shows of one."""
    row: dict[str, Any] = {"name": entity.name}
    if entity.aliases:
        row["aliases"] = [_alias_row(alias, mounts) for alias in entity.aliases]
    return row


def group_facts(index: Index, group: Group, mounts: MountFinder) -> dict[str, Any]:
    """Return what a read of a group shows."""
    return {
        "alias": _alias(group.alias, mounts) if group.alias else {},
        "creation_time": group.created,
        "id": group.id,
        "last_update_time": group.updated,
        "member_entity_ids": index.members(group) or None,
        "member_group_ids": group.subgroups or None,
        "metadata": group.metadata,
        "modify_index": group.modify_index,
        "name": group.name,
        "parent_group_ids": index.parents(group.id) or None,
        "policies": group.policies or None,
        "type": group.type,
        "namespace_id": _namespace(group.id),
    }


def group_row(index: Index, group: Group, mounts: MountFinder) -> dict[str, Any]:
    """Return what a list of groups shows of one."""
    row: dict[str, Any] = {
        "name": group.name,
        "num_member_entities": len(index.members(group)),
        "num_parent_groups": len(index.parents(group.id)),
    }
    if group.alias:
        row["alias"] = _alias_row(group.alias, mounts)
    return row


def alias_facts(alias: Alias, mounts: MountFinder) -> dict[str, Any]:
    """Return what a read of an alias shows."""
    return _entity_alias(alias, mounts) | {"namespace_id": _namespace(alias.id)}


def alias_row(alias: Alias, mounts: MountFinder) -> dict[str, Any]:
    """Return what a list of aliases shows of one."""
    shown = _entity_alias(alias, mounts)
    for name in ("id", "creation_time", "last_update_time", "merged_from_canonical_ids"):
        del shown[name]
    return shown


def _entity_alias(alias: Alias, mounts: MountFinder) -> dict[str, Any]:
    return _alias(alias, mounts) | {"custom_metadata": alias.custom_metadata, "local": alias.local}


def _alias(alias: Alias, mounts: MountFinder) -> dict[str, Any]:
    return {
        "canonical_id": alias.canonical_id,
        "creation_time": alias.created,
        "last_update_time": alias.updated,
        "merged_from_canonical_ids": alias.merged_from or None,
        "metadata": alias.metadata,
        **_alias_row(alias, mounts),
    }


def _alias_row(alias: Alias, mounts: MountFinder) -> dict[str, Any]:
    row = {"id": alias.id, "mount_accessor": alias.mount_accessor, "name": alias.name}
    mount = mounts.by_accessor(alias.mount_accessor)
    return row if mount is None else row | {"mount_path": mount.point, "mount_type": mount.entry.type}


def _namespace(identifier: str) -> str:
    return identifier.partition(".")[2] or "root"
