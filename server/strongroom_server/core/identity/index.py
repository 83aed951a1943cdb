"""All entities and groups in memory, found by id, by name, by alias and by membership. Pure: no storage, no waiting."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from strongroom_server.core.identity.records import Alias, Entity, Group, alias_key

Key = TypeVar("Key")


@dataclass
class Index:
    """The look-ups. What is put replaces what had the same id."""

    entities: dict[str, Entity] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    _entity_names: dict[str, str] = field(default_factory=dict)
    _entity_aliases: dict[str, str] = field(default_factory=dict)
    _entity_keys: dict[tuple[str, str], str] = field(default_factory=dict)
    _merged: dict[str, str] = field(default_factory=dict)
    _group_names: dict[str, str] = field(default_factory=dict)
    _group_aliases: dict[str, str] = field(default_factory=dict)
    _group_keys: dict[tuple[str, str], str] = field(default_factory=dict)
    _members: dict[str, set[str]] = field(default_factory=dict)  # of external groups, by group
    _groups_of: dict[str, set[str]] = field(default_factory=dict)  # internal groups, by entity
    _parents: dict[str, set[str]] = field(default_factory=dict)

    # -- entities ---------------------------------------------------------------------------------------------------

    def put_entity(self, entity: Entity) -> None:
        """Take an entity in."""
        self.drop_entity(entity.id)
        self.entities[entity.id] = entity
        self._entity_names[entity.name.lower()] = entity.id
        for alias in entity.aliases:
            self._entity_aliases[alias.id] = entity.id
            self._entity_keys[alias.key] = entity.id
        for merged in entity.merged_ids:
            self._merged[merged] = entity.id
        _add(self._members, entity.groups, entity.id)

    def drop_entity(self, entity_id: str) -> None:
        """Forget an entity; none is fine."""
        entity = self.entities.pop(entity_id, None)
        if entity is None:
            return
        _drop(self._entity_names, entity.name.lower(), entity_id)
        for alias in entity.aliases:  # an alias may already stand for another entity
            _drop(self._entity_aliases, alias.id, entity_id)
            _drop(self._entity_keys, alias.key, entity_id)
        for merged in entity.merged_ids:
            _drop(self._merged, merged, entity_id)
        _discard(self._members, entity.groups, entity_id)

    def entity(self, entity_id: str) -> Entity | None:
        """Return an entity by its id, or the one it was merged into."""
        return self.entities.get(entity_id) or self.entities.get(self._merged.get(entity_id, ""))

    def entity_by_name(self, name: str) -> Entity | None:
        """Return an entity by its name, in any case."""
        return self.entities.get(self._entity_names.get(name.lower(), ""))

    def entity_by_key(self, accessor: str, name: str) -> Entity | None:
        """Return the entity behind a name at a mount."""
        return self.entities.get(self._entity_keys.get(alias_key(accessor, name), ""))

    def entity_by_alias(self, alias_id: str) -> Entity | None:
        """Return the entity that has an alias."""
        return self.entities.get(self._entity_aliases.get(alias_id, ""))

    def entity_alias(self, alias_id: str) -> Alias | None:
        """Return an entity's alias."""
        entity = self.entity_by_alias(alias_id)
        return None if entity is None else next(alias for alias in entity.aliases if alias.id == alias_id)

    def entity_aliases(self) -> list[Alias]:
        """Return the aliases of all entities, by id."""
        return sorted((a for entity in self.entities.values() for a in entity.aliases), key=lambda alias: alias.id)

    # -- groups -----------------------------------------------------------------------------------------------------

    def put_group(self, group: Group) -> None:
        """Take a group in."""
        self.drop_group(group.id)
        self.groups[group.id] = group
        self._group_names[group.name.lower()] = group.id
        if group.alias is not None:
            self._group_aliases[group.alias.id] = group.id
            self._group_keys[group.alias.key] = group.id
        _add(self._groups_of, group.members, group.id)
        _add(self._parents, group.subgroups, group.id)

    def drop_group(self, group_id: str) -> None:
        """Forget a group; none is fine."""
        group = self.groups.pop(group_id, None)
        if group is None:
            return
        _drop(self._group_names, group.name.lower(), group_id)
        if group.alias is not None:
            _drop(self._group_aliases, group.alias.id, group_id)
            _drop(self._group_keys, group.alias.key, group_id)
        _discard(self._groups_of, group.members, group_id)
        _discard(self._parents, group.subgroups, group_id)

    def group_by_name(self, name: str) -> Group | None:
        """Return a group by its name, in any case."""
        return self.groups.get(self._group_names.get(name.lower(), ""))

    def group_by_key(self, accessor: str, name: str) -> Group | None:
        """Return the external group behind a name at a mount."""
        return self.groups.get(self._group_keys.get(alias_key(accessor, name), ""))

    def group_by_alias(self, alias_id: str) -> Group | None:
        """Return the group that has an alias."""
        return self.groups.get(self._group_aliases.get(alias_id, ""))

    # -- membership -------------------------------------------------------------------------------------------------

    def members(self, group: Group) -> list[str]:
        """Return the ids of a group's entities."""
        return [*group.members, *sorted(self._members.get(group.id, ()))]

    def parents(self, group_id: str) -> list[str]:
        """Return the ids of the groups that a group is a member of."""
        return sorted(self._parents.get(group_id, ()))

    def ancestors(self, group_ids: Iterable[str]) -> Iterator[str]:
        """Yield all groups above some, each once, those themselves left out unless one lies above another."""
        seen: set[str] = set()
        waiting = [parent for group_id in group_ids for parent in self.parents(group_id)]
        while waiting:
            group_id = waiting.pop(0)
            if group_id not in seen:
                seen.add(group_id)
                yield group_id
                waiting.extend(self.parents(group_id))

    def groups_of(self, entity: Entity) -> tuple[list[str], list[str]]:
        """Return the ids of the groups that an entity is in itself, and of those above them."""
        external = {group_id for group_id in entity.groups if group_id in self.groups}
        direct = sorted(external | self._groups_of.get(entity.id, set()))
        return direct, sorted(set(self.ancestors(direct)) - set(direct))

    def internal_groups_of(self, entity_id: str) -> list[Group]:
        """Return the groups that name an entity as a member."""
        return [self.groups[group_id] for group_id in sorted(self._groups_of.get(entity_id, ()))]


def _add(sets: dict[str, set[str]], keys: Iterable[str], value: str) -> None:
    for key in keys:
        sets.setdefault(key, set()).add(value)


def _discard(sets: dict[str, set[str]], keys: Iterable[str], value: str) -> None:
    for key in keys:
        if found := sets.get(key):
            found.discard(value)
            if not found:
                del sets[key]


def _drop(names: dict[Key, str], key: Key, owner: str) -> None:
    if names.get(key) == owner:
        del names[key]
