"""identity/group: groups by id and by name."""

from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from strongroom_common.fields import Given, Names, Pairs
from strongroom_server.core.areas import Area
from strongroom_server.core.identity import checks
from strongroom_server.core.identity.facts import group_facts, group_row
from strongroom_server.core.identity.records import EXTERNAL, INTERNAL, Group
from strongroom_server.lib.folders import keys
from strongroom_server.sdk.engine import delete, list_, read, write
from strongroom_server.sdk.errors import InvalidRequest, NotFound

Id = Annotated[str, "Id of the group."]
Name = Annotated[str, "Name of the group."]


@dataclass(frozen=True)
class GroupFields:
    """What can be set of a group."""

    id: Annotated[str, "Id of the group to update."] = ""
    name: Annotated[str, "Name of the group."] = ""
    type: Annotated[str, '"internal" or "external"; cannot be changed later.'] = ""
    metadata: Annotated[Pairs, "Metadata of the group."] = field(default_factory=lambda: Pairs({}))
    policies: Annotated[Names, "Policies of the group."] = Names(())
    member_entity_ids: Annotated[Names, "Ids of the entities in an internal group."] = Names(())
    member_group_ids: Annotated[Names, "Ids of the groups in an internal group."] = Names(())


class Groups(Area):
    """Entities with policies in common."""

    @write("group")
    async def write_group(self, body: Given[GroupFields]) -> dict[str, Any] | None:
        """Create or update a group."""
        return await self._write(body)

    @write("group/id/{id:segment}")
    async def write_by_id(self, id: Id, body: Given[GroupFields]) -> dict[str, Any] | None:  # noqa: A002 - the API's word
        """Update a group."""
        del id  # it is part of the body
        return await self._write(body)

    @write("group/name/{name:rest}")
    async def write_by_name(self, name: Name, body: Given[GroupFields]) -> dict[str, Any] | None:
        """Create or update a group by its name."""
        del name
        return await self._write(body)

    async def _write(self, body: Given[GroupFields]) -> dict[str, Any] | None:
        identity, value = self.server.identity, body.value
        async with identity.lock:
            stored, now = self._stored(value), identity.now()
            if stored is None:
                if "name" in body.sent and not value.name:
                    raise InvalidRequest("empty group name")
                kind = _checked_type(value.type or INTERNAL)
                group = Group(
                    identity.fresh_id(), value.name or identity.fresh_name("group"), now, now, kind, modify_index=0
                )
            elif "type" in body.sent and value.type != stored.type:
                raise InvalidRequest("group type cannot be changed")
            else:
                group = stored
            changes = {"updated": now, "modify_index": group.modify_index + 1, **self._changes(group, body)}
            await identity.change(replace(group, **changes))
        return None if stored else {"id": group.id, "name": group.name}

    def _stored(self, value: GroupFields) -> Group | None:
        index = self.server.identity.index
        if not value.id:
            return index.group_by_name(value.name) if value.name else None
        stored = index.groups.get(value.id)
        if stored is None:
            raise InvalidRequest("invalid group ID")
        return stored

    def _changes(self, group: Group, body: Given[GroupFields]) -> dict[str, Any]:
        value = body.value
        changes: dict[str, Any] = {}
        if value.name:
            namesake = self.server.identity.index.group_by_name(value.name)
            if namesake is not None and namesake.id != group.id:
                raise InvalidRequest("group name is already in use")
            changes["name"] = value.name
        if "policies" in body.sent:
            changes["policies"] = checks.policies(value.policies)
        if "metadata" in body.sent:
            changes["metadata"] = checks.metadata(value.metadata, "group metadata")
        if "member_entity_ids" in body.sent:
            changes["members"] = self._members(group, value.member_entity_ids)
        if "member_group_ids" in body.sent:
            changes["subgroups"] = self._subgroups(group, value.member_group_ids)
        return changes

    def _members(self, group: Group, entity_ids: Names) -> tuple[str, ...]:
        if entity_ids and group.type == EXTERNAL:
            raise InvalidRequest("member entities can't be set manually for external groups")
        for entity_id in entity_ids:
            if entity_id not in self.server.identity.index.entities:
                raise InvalidRequest(f'invalid entity ID "{entity_id}"')
        return tuple(dict.fromkeys(entity_ids))

    def _subgroups(self, group: Group, group_ids: Names) -> tuple[str, ...]:
        """Check the groups within a group.

        Security 1: a group is never above itself: membership would run in a circle and give all of it to each.
        """
        if group_ids and group.type == EXTERNAL:
            raise InvalidRequest("member groups can't be set for external groups")
        index = self.server.identity.index
        above = set(index.ancestors([group.id]))
        for group_id in group_ids:
            if group_id not in index.groups:
                raise InvalidRequest(f'invalid member group ID "{group_id}"')
            if group_id == group.id:
                raise InvalidRequest(f'member group ID "{group_id}" is same as the ID of the group')
            if group_id in above:
                raise InvalidRequest(f'cyclic relationship detected for member group ID "{group_id}"')
        return tuple(dict.fromkeys(group_ids))

    @read("group/id/{id:segment}")
    async def read_by_id(self, id: Id) -> dict[str, Any]:  # noqa: A002 - the API's word
        """Read a group."""
        return self._shown(self.server.identity.index.groups.get(id))

    @read("group/name/{name:rest}")
    async def read_by_name(self, name: Name) -> dict[str, Any]:
        """Read a group by its name."""
        return self._shown(self.server.identity.index.group_by_name(name))

    def _shown(self, group: Group | None) -> dict[str, Any]:
        if group is None:
            raise NotFound
        return group_facts(self.server.identity.index, group, self.server.mounts)

    @list_("group/id")
    async def list_ids(self) -> dict[str, Any]:
        """List the groups by id."""
        index = self.server.identity.index
        rows = {
            group_id: group_row(index, index.groups[group_id], self.server.mounts) for group_id in sorted(index.groups)
        }
        return keys(list(rows)) | {"key_info": rows}

    @list_("group/name")
    async def list_names(self) -> dict[str, Any]:
        """List the names of the groups."""
        groups = self.server.identity.index.groups
        return keys([groups[group_id].name for group_id in sorted(groups)])

    @delete("group/id/{id:segment}")
    async def delete_by_id(self, id: Id) -> None:  # noqa: A002 - the API's word
        """Delete a group."""
        async with self.server.identity.lock:
            await self._delete(self.server.identity.index.groups.get(id))

    @delete("group/name/{name:rest}")
    async def delete_by_name(self, name: Name) -> None:
        """Delete a group by its name."""
        async with self.server.identity.lock:
            await self._delete(self.server.identity.index.group_by_name(name))

    async def _delete(self, group: Group | None) -> None:
        if group is None:
            return
        index = self.server.identity.index
        parents = [
            replace(parent, subgroups=tuple(other for other in parent.subgroups if other != group.id))
            for parent in map(index.groups.__getitem__, index.parents(group.id))
        ]
        await self.server.identity.change(*parents, gone=[group])


def _checked_type(kind: str) -> str:
    if kind not in {INTERNAL, EXTERNAL}:
        raise InvalidRequest(f'invalid "type": expected "{INTERNAL}" or "{EXTERNAL}"')
    return kind
