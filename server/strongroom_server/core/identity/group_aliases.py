"""identity/group-alias: the names that auth methods have for external groups."""

from dataclasses import dataclass, replace
from typing import Annotated, Any

from strongroom_common.fields import Given
from strongroom_server.core.areas import Area
from strongroom_server.core.identity.facts import alias_facts, alias_row
from strongroom_server.core.identity.records import EXTERNAL, Alias, Group
from strongroom_server.core.mounts import Mount
from strongroom_server.lib.folders import keys
from strongroom_server.sdk.engine import delete, list_, read, write
from strongroom_server.sdk.errors import InvalidRequest, NotFound

Id = Annotated[str, "Id of the alias."]


@dataclass(frozen=True)
class GroupAliasFields:
    """What can be set of a group's alias."""

    id: Annotated[str, "Id of the alias to update."] = ""
    name: Annotated[str, "Name of the group at the mount."] = ""
    mount_accessor: Annotated[str, "Accessor of the mount."] = ""
    canonical_id: Annotated[str, "Id of the group; a new one is made where left out."] = ""


class GroupAliases(Area):
    """Names of external groups at auth mounts."""

    @write("group-alias")
    async def write_alias(self, body: Given[GroupAliasFields]) -> dict[str, Any]:
        """Create or update a group's alias."""
        return await self._write(body.value)

    @write("group-alias/id/{id:segment}")
    async def write_by_id(self, id: Id, body: Given[GroupAliasFields]) -> dict[str, Any]:  # noqa: A002 - the API's word
        """Update a group's alias."""
        del id  # it is part of the body
        return await self._write(body.value)

    async def _write(self, value: GroupAliasFields) -> dict[str, Any]:
        identity = self.server.identity
        async with identity.lock:
            owner = self._owner(value)
            group, mount, now = self._group(value, owner), self._mount(value), identity.now()
            self._check_free(value)
            alias = owner.alias if owner is not None and owner.alias is not None else None
            alias = replace(
                alias or Alias(identity.fresh_id(), group.id, value.mount_accessor, value.name, now, now),
                canonical_id=group.id, mount_accessor=value.mount_accessor, name=value.name, updated=now,
                local=mount.entry.local,
            )  # fmt: skip
            left = [_changed(owner, None, now)] if owner is not None and owner.id != group.id else []
            await identity.change(*left, _changed(group, alias, now))
        return {"canonical_id": group.id, "id": alias.id}

    def _owner(self, value: GroupAliasFields) -> Group | None:
        """Return the group that has the alias to be updated; None for a new alias."""
        index = self.server.identity.index
        owner = index.group_by_alias(value.id) if value.id else None
        if value.id and owner is None:
            raise InvalidRequest("invalid group alias ID")
        if not value.name:
            raise InvalidRequest("missing alias name")
        if not value.mount_accessor:
            raise InvalidRequest("missing mount_accessor")
        return owner

    def _mount(self, value: GroupAliasFields) -> Mount:
        mount = self.server.mounts.by_accessor(value.mount_accessor)
        if mount is None:
            raise InvalidRequest(f'invalid mount accessor "{value.mount_accessor}"')
        return mount

    def _check_free(self, value: GroupAliasFields) -> None:
        namesake = self.server.identity.index.group_by_key(value.mount_accessor, value.name)
        if namesake is not None and namesake.alias is not None and namesake.alias.id != value.id:
            raise InvalidRequest("combination of mount and group alias name is already in use")

    def _group(self, value: GroupAliasFields, owner: Group | None) -> Group:
        if not value.canonical_id:
            identity, now = self.server.identity, self.server.identity.now()
            return owner or Group(identity.fresh_id(), identity.fresh_name("group"), now, now, EXTERNAL, modify_index=0)
        group = self.server.identity.index.groups.get(value.canonical_id)
        if group is None:
            raise InvalidRequest("invalid group ID given in 'canonical_id'")
        if group.type != EXTERNAL:
            raise InvalidRequest("alias can't be set on an internal group")
        return group

    @read("group-alias/id/{id:segment}")
    async def read_alias(self, id: Id) -> dict[str, Any]:  # noqa: A002 - the API's word
        """Read a group's alias."""
        group = self.server.identity.index.group_by_alias(id)
        if group is None or group.alias is None:
            raise NotFound
        return alias_facts(group.alias, self.server.mounts)

    @list_("group-alias/id")
    async def list_aliases(self) -> dict[str, Any]:
        """List the aliases of groups."""
        aliases = [group.alias for group in self.server.identity.index.groups.values() if group.alias is not None]
        rows = {a.id: alias_row(a, self.server.mounts) for a in sorted(aliases, key=lambda alias: alias.id)}
        return keys(list(rows)) | {"key_info": rows}

    @delete("group-alias/id/{id:segment}")
    async def delete_alias(self, id: Id) -> None:  # noqa: A002 - the API's word
        """Delete a group's alias; the group stays."""
        identity = self.server.identity
        async with identity.lock:
            group = identity.index.group_by_alias(id)
            if group is not None:
                await identity.change(_changed(group, None, identity.now()))


def _changed(group: Group, alias: Alias | None, now: str) -> Group:
    return replace(group, alias=alias, updated=now, modify_index=group.modify_index + 1)
