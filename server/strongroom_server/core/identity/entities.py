"""identity/entity: entities by id and by name."""

from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from strongroom_common.fields import Given, Names, Pairs
from strongroom_server.core.areas import Area
from strongroom_server.core.identity import checks
from strongroom_server.core.identity.facts import entity_facts, entity_row
from strongroom_server.core.identity.merge import merged
from strongroom_server.core.identity.records import Entity, Group
from strongroom_server.lib.folders import keys
from strongroom_server.sdk.engine import delete, list_, read, write
from strongroom_server.sdk.errors import InvalidRequest, NotFound

Id = Annotated[str, "Id of the entity."]
Name = Annotated[str, "Name of the entity."]


@dataclass(frozen=True)
class EntityFields:
    """What can be set of an entity."""

    id: Annotated[str, "Id of the entity to update."] = ""
    name: Annotated[str, "Name of the entity."] = ""
    metadata: Annotated[Pairs, "Metadata of the entity."] = field(default_factory=lambda: Pairs({}))
    policies: Annotated[Names, "Policies of the entity."] = Names(())
    disabled: Annotated[bool, "Refuse the tokens and logins of the entity."] = False


@dataclass(frozen=True)
class Batch:
    """Several entities."""

    entity_ids: Annotated[Names, "Ids of the entities to delete."] = Names(())


@dataclass(frozen=True)
class Merge:
    """Which entities become one."""

    from_entity_ids: Annotated[Names, "Ids of the entities that go into the other."] = Names(())
    to_entity_id: Annotated[str, "Id of the entity that stays."] = ""
    force: Annotated[bool, "Where both have an MFA secret for one method, keep that of the entity that stays."] = False
    conflicting_alias_ids_to_keep: Annotated[Names, "Which alias stays where both have one at a mount."] = Names(())


class Entities(Area):
    """The clients known, whatever they log in with."""

    @write("entity")
    async def write_entity(self, body: Given[EntityFields]) -> dict[str, Any] | None:
        """Create or update an entity."""
        return await self._write(body)

    @write("entity/id/{id:segment}")
    async def write_by_id(self, id: Id, body: Given[EntityFields]) -> dict[str, Any] | None:  # noqa: A002 - the API's word
        """Update an entity."""
        del id  # it is part of the body
        return await self._write(body)

    @write("entity/name/{name:rest}")
    async def write_by_name(self, name: Name, body: Given[EntityFields]) -> dict[str, Any] | None:
        """Create or update an entity by its name."""
        del name
        return await self._write(body)

    async def _write(self, body: Given[EntityFields]) -> dict[str, Any] | None:
        identity, value = self.server.identity, body.value
        async with identity.lock:
            stored = self._stored(value)
            now = identity.now()
            entity = stored or Entity(identity.fresh_id(), value.name or identity.fresh_name("entity"), now, now)
            await identity.change(replace(entity, updated=now, **self._changes(entity, body)))
        return None if stored else {"aliases": None, "id": entity.id, "name": entity.name}

    def _stored(self, value: EntityFields) -> Entity | None:
        index = self.server.identity.index
        if not value.id:
            return index.entity_by_name(value.name) if value.name else None
        stored = index.entities.get(value.id)
        if stored is None:
            raise InvalidRequest("entity not found from id")
        return stored

    def _changes(self, entity: Entity, body: Given[EntityFields]) -> dict[str, Any]:
        value = body.value
        changes: dict[str, Any] = {}
        if value.name:
            namesake = self.server.identity.index.entity_by_name(value.name)
            if namesake is not None and namesake.id != entity.id:
                raise InvalidRequest("entity name is already in use")
            changes["name"] = value.name
        if "metadata" in body.sent:
            changes["metadata"] = checks.metadata(value.metadata, "entity metadata")
        if "policies" in body.sent:
            changes["policies"] = checks.policies(value.policies)
        if "disabled" in body.sent:
            changes["disabled"] = value.disabled
        return changes

    @read("entity/id/{id:segment}")
    async def read_by_id(self, id: Id) -> dict[str, Any]:  # noqa: A002 - the API's word
        """Read an entity."""
        return self._shown(self.server.identity.index.entities.get(id))

    @read("entity/name/{name:rest}")
    async def read_by_name(self, name: Name) -> dict[str, Any]:
        """Read an entity by its name."""
        return self._shown(self.server.identity.index.entity_by_name(name))

    def _shown(self, entity: Entity | None) -> dict[str, Any]:
        if entity is None:
            raise NotFound
        return entity_facts(self.server.identity.index, entity, self.server.mounts)

    @list_("entity/id")
    async def list_ids(self) -> dict[str, Any]:
        """List the entities by id."""
        entities = self.server.identity.index.entities
        rows = {entity_id: entity_row(entities[entity_id], self.server.mounts) for entity_id in sorted(entities)}
        return keys(list(rows)) | {"key_info": rows}

    @list_("entity/name")
    async def list_names(self) -> dict[str, Any]:
        """List the names of the entities."""
        entities = self.server.identity.index.entities
        return keys([entities[entity_id].name for entity_id in sorted(entities)])

    @delete("entity/id/{id:segment}")
    async def delete_by_id(self, id: Id) -> None:  # noqa: A002 - the API's word
        """Delete an entity with its aliases; its tokens can no longer be used."""
        async with self.server.identity.lock:
            await self._delete([id])

    @delete("entity/name/{name:rest}")
    async def delete_by_name(self, name: Name) -> None:
        """Delete an entity by its name."""
        async with self.server.identity.lock:
            entity = self.server.identity.index.entity_by_name(name)
            await self._delete([entity.id] if entity else [])

    @write("entity/batch-delete")
    async def batch_delete(self, body: Given[Batch]) -> None:
        """Delete several entities."""
        if not body.value.entity_ids:
            raise InvalidRequest("missing entity ids to delete")
        async with self.server.identity.lock:
            await self._delete(body.value.entity_ids)

    async def _delete(self, entity_ids: list[str] | tuple[str, ...]) -> None:
        index = self.server.identity.index
        gone = [index.entities[entity_id] for entity_id in dict.fromkeys(entity_ids) if entity_id in index.entities]
        if gone:
            await self.server.identity.change(*self._left([entity.id for entity in gone]), gone=gone)
            await self.server.identity.mfa.forget([entity.id for entity in gone])

    def _left(self, entity_ids: list[str], instead: str = "") -> list[Group]:
        """Return the groups that some entities leave, with another in their place where one is given."""
        index = self.server.identity.index
        groups = {group.id: group for entity_id in entity_ids for group in index.internal_groups_of(entity_id)}
        changed = []
        for group in groups.values():
            members = [member for member in group.members if member not in {*entity_ids, instead}]
            members += [instead] if instead else []
            changed.append(replace(group, members=tuple(members), modify_index=group.modify_index + 1))
        return changed

    @write("entity/merge")
    async def merge(self, body: Given[Merge]) -> None:
        """Make several entities one."""
        identity, value = self.server.identity, body.value
        async with identity.lock:
            target, sources = self._to_merge(value)
            entity = merged(target, sources, value.conflicting_alias_ids_to_keep, self.server.mounts)
            groups = self._left([source.id for source in sources], instead=target.id)
            await identity.mfa.inherit(target.id, [source.id for source in sources], force=value.force)
            await identity.change(entity, *groups, gone=sources)

    def _to_merge(self, value: Merge) -> tuple[Entity, list[Entity]]:
        entities = self.server.identity.index.entities
        if not value.to_entity_id:
            raise InvalidRequest("missing entity id to merge to")
        if not value.from_entity_ids:
            raise InvalidRequest("missing entity ids to merge from")
        target = entities.get(value.to_entity_id)
        if target is None:
            raise InvalidRequest("entity id to merge to is invalid")
        if target.id in value.from_entity_ids:
            raise InvalidRequest("to_entity_id should not be present in from_entity_ids")
        sources = [entities.get(entity_id) for entity_id in dict.fromkeys(value.from_entity_ids)]
        found = [source for source in sources if source is not None]
        if len(found) < len(sources):
            raise InvalidRequest("entity id to merge from is invalid")
        return target, found
