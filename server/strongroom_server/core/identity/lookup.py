"""identity/lookup: an entity or a group by one of the things known of it."""

from dataclasses import dataclass
from typing import Annotated, Any

from strongroom_common.fields import Given
from strongroom_server.core.areas import Area
from strongroom_server.core.identity.facts import entity_facts, group_facts
from strongroom_server.sdk.engine import write
from strongroom_server.sdk.errors import InvalidRequest


@dataclass(frozen=True)
class Criteria:
    """One of: the id; the name; the alias' id; the alias' name and mount."""

    id: Annotated[str, "Id."] = ""
    name: Annotated[str, "Name."] = ""
    alias_id: Annotated[str, "Id of an alias."] = ""
    alias_name: Annotated[str, "Name of an alias; with alias_mount_accessor."] = ""
    alias_mount_accessor: Annotated[str, "Accessor of the alias' mount; with alias_name."] = ""

    def check(self) -> None:
        """Raise InvalidRequest unless exactly one criterion is given."""
        by_key = bool(self.alias_name or self.alias_mount_accessor)
        given = [bool(self.id), bool(self.name), bool(self.alias_id), by_key].count(True)
        if not given:
            raise InvalidRequest("query parameter not supplied")
        if given > 1:
            raise InvalidRequest("query parameter conflict; please supply distinct set of query parameters")
        if by_key and not (self.alias_name and self.alias_mount_accessor):
            raise InvalidRequest("both 'alias_name' and 'alias_mount_accessor' needs to be set")


class Lookup(Area):
    """Finding entities and groups."""

    @write("lookup/entity")
    async def entity(self, body: Given[Criteria]) -> dict[str, Any] | None:
        """Find an entity; an empty answer where there is none."""
        asked, index = body.value, self.server.identity.index
        asked.check()
        found = (
            (index.entities.get(asked.id) if asked.id else None)
            or (index.entity_by_name(asked.name) if asked.name else None)
            or index.entity_by_alias(asked.alias_id)
            or index.entity_by_key(asked.alias_mount_accessor, asked.alias_name)
        )
        return None if found is None else entity_facts(index, found, self.server.mounts)

    @write("lookup/group")
    async def group(self, body: Given[Criteria]) -> dict[str, Any] | None:
        """Find a group; an empty answer where there is none."""
        asked, index = body.value, self.server.identity.index
        asked.check()
        found = (
            (index.groups.get(asked.id) if asked.id else None)
            or (index.group_by_name(asked.name) if asked.name else None)
            or index.group_by_alias(asked.alias_id)
            or index.group_by_key(asked.alias_mount_accessor, asked.alias_name)
        )
        return None if found is None else group_facts(index, found, self.server.mounts)
