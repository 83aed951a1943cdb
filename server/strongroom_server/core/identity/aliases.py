"""identity/entity-alias: the names that entities have at auth mounts. ``alias`` and ``persona`` are its older paths."""

from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from strongroom_common.fields import Alias as AlsoNamed
from strongroom_common.fields import Given, Pairs
from strongroom_server.core.areas import Area
from strongroom_server.core.identity import checks
from strongroom_server.core.identity.facts import alias_facts, alias_row
from strongroom_server.core.identity.logins import new_entity
from strongroom_server.core.identity.records import Alias, Entity
from strongroom_server.core.mounts import Mount
from strongroom_server.lib.folders import keys
from strongroom_server.sdk.engine import delete, list_, read, write
from strongroom_server.sdk.errors import InvalidRequest, NotFound

Id = Annotated[str, "Id of the alias."]


@dataclass(frozen=True)
class AliasFields:
    """What can be set of an entity's alias."""

    id: Annotated[str, "Id of the alias to update."] = ""
    name: Annotated[str, "Name at the mount."] = ""
    mount_accessor: Annotated[str, "Accessor of the mount."] = ""
    canonical_id: Annotated[str, "Id of the entity.", AlsoNamed("entity_id")] = ""
    custom_metadata: Annotated[Pairs, "Metadata that operators choose."] = field(default_factory=lambda: Pairs({}))


class Aliases(Area):
    """Names at auth mounts and the entities behind them."""

    @write("entity-alias")
    @write("alias")
    @write("persona")
    async def write_alias(self, body: Given[AliasFields]) -> dict[str, Any] | None:
        """Create or update an alias."""
        return await self._write(body)

    @write("entity-alias/id/{id:segment}")
    @write("alias/id/{id:segment}")
    @write("persona/id/{id:segment}")
    async def write_by_id(self, id: Id, body: Given[AliasFields]) -> dict[str, Any] | None:  # noqa: A002 - the API's word
        """Update an alias."""
        del id  # it is part of the body
        return await self._write(body)

    async def _write(self, body: Given[AliasFields]) -> dict[str, Any] | None:
        identity, value = self.server.identity, body.value
        if not value.id and not (value.name and value.mount_accessor):
            raise InvalidRequest("'id' or 'mount_accessor' and 'name' must be provided")
        async with identity.lock, identity.logins.of(f"{value.mount_accessor}/{value.name.lower()}"):
            stored = self._stored(value)
            mount = self._mount(value.mount_accessor or (stored.mount_accessor if stored else ""))
            if stored is None:
                return await self._create(body, mount)
            return await self._update(stored, body, mount)

    def _stored(self, value: AliasFields) -> Alias | None:
        index = self.server.identity.index
        if value.id:
            stored = index.entity_alias(value.id)
            if stored is None:
                raise InvalidRequest("invalid alias ID provided")
            return stored
        entity = index.entity_by_key(value.mount_accessor, value.name)
        key = (value.mount_accessor, value.name.lower())
        return next((alias for alias in entity.aliases if alias.key == key), None) if entity else None

    def _mount(self, accessor: str) -> Mount:
        mount = self.server.mounts.by_accessor(accessor)
        if mount is None:
            raise InvalidRequest(f'invalid mount accessor "{accessor}"')
        return mount

    def _entity(self, entity_id: str, otherwise: str = "invalid canonical ID") -> Entity:
        entity = self.server.identity.index.entities.get(entity_id)
        if entity is None:
            raise InvalidRequest(otherwise)
        return entity

    async def _create(self, body: Given[AliasFields], mount: Mount) -> dict[str, Any]:
        identity, value = self.server.identity, body.value
        now, custom = identity.now(), checks.metadata(value.custom_metadata, "custom_metadata", any_key=True) or None
        if not value.canonical_id:
            entity = new_entity(identity, mount, value.name)
            alias = replace(entity.aliases[0], custom_metadata=custom)
            entity = replace(entity, aliases=(alias,))
        else:
            entity = self._entity(value.canonical_id)
            if entity.alias_at(value.mount_accessor):
                raise InvalidRequest("Alias already exists for requested entity and mount accessor")
            alias = Alias(identity.fresh_id(), entity.id, value.mount_accessor, value.name, now, now,
                          custom_metadata=custom, local=mount.entry.local)  # fmt: skip
            entity = replace(entity, aliases=(*entity.aliases, alias))
        await identity.change(entity)
        return {"canonical_id": entity.id, "id": alias.id}

    async def _update(self, stored: Alias, body: Given[AliasFields], mount: Mount) -> dict[str, Any] | None:
        identity, value = self.server.identity, body.value
        # Written by name an alias is as the body says; written by id it keeps what the body leaves out.
        custom = stored.custom_metadata if value.id else None
        if "custom_metadata" in body.sent:
            custom = checks.metadata(value.custom_metadata, "custom_metadata", any_key=True) or None
        alias = replace(
            stored,
            name=value.name or stored.name,
            mount_accessor=mount.entry.accessor,
            canonical_id=value.canonical_id or stored.canonical_id,
            custom_metadata=custom,
            local=mount.entry.local,
        )
        if alias == stored:
            return None
        old = self._entity(stored.canonical_id)
        new = self._entity(alias.canonical_id, "given 'canonical_id' is not associated with an entity")
        self._check_free(alias, stored)
        alias = replace(alias, updated=identity.now())
        if old is new:
            changed = [replace(old, aliases=tuple(alias if a is stored else a for a in old.aliases))]
        else:
            changed = [_without(old, stored), replace(new, aliases=(*new.aliases, alias))]
        await identity.change(*changed)
        return {"canonical_id": alias.canonical_id, "id": alias.id}

    def _check_free(self, alias: Alias, stored: Alias) -> None:
        """Refuse a name that is another's, and a second alias of one entity at one mount."""
        there = self._entity(alias.canonical_id).alias_at(alias.mount_accessor)
        if there is not None and there.id != alias.id:
            if alias.mount_accessor != stored.mount_accessor:
                raise InvalidRequest("Alias cannot be updated as the entity already has an alias for the given "
                                     "'mount_accessor' ")  # fmt: skip
            if alias.canonical_id != stored.canonical_id:
                raise InvalidRequest("Alias cannot be updated as the given entity already has an alias for this mount ")
        owner = self.server.identity.index.entity_by_key(*alias.key)
        if owner is not None and any(a.key == alias.key and a.id != alias.id for a in owner.aliases):
            raise InvalidRequest("alias with combination of mount accessor and name already exists")

    @read("entity-alias/id/{id:segment}")
    @read("alias/id/{id:segment}")
    @read("persona/id/{id:segment}")
    async def read_alias(self, id: Id) -> dict[str, Any]:  # noqa: A002 - the API's word
        """Read an alias."""
        alias = self.server.identity.index.entity_alias(id)
        if alias is None:
            raise NotFound
        return alias_facts(alias, self.server.mounts)

    @list_("entity-alias/id")
    @list_("alias/id")
    @list_("persona/id")
    async def list_aliases(self) -> dict[str, Any]:
        """List the aliases."""
        rows = {a.id: alias_row(a, self.server.mounts) for a in self.server.identity.index.entity_aliases()}
        return keys(list(rows)) | {"key_info": rows}

    @delete("entity-alias/id/{id:segment}")
    @delete("alias/id/{id:segment}")
    @delete("persona/id/{id:segment}")
    async def delete_alias(self, id: Id) -> None:  # noqa: A002 - the API's word
        """Delete an alias; the entity stays."""
        identity = self.server.identity
        async with identity.lock:
            alias = identity.index.entity_alias(id)
            if alias is not None:
                await identity.change(_without(self._entity(alias.canonical_id), alias))


def _without(entity: Entity, alias: Alias) -> Entity:
    return replace(entity, aliases=tuple(other for other in entity.aliases if other.id != alias.id))
