"""identity/oidc/assignment: who may log in to the clients of a provider."""

from typing import Annotated, Any

from strongroom_common.fields import Given
from strongroom_server.core.areas import Area
from strongroom_server.core.identity.index import Index
from strongroom_server.core.identity.oidc.records import ALLOW_ALL, EVERYBODY, Assignment, KnownClient, tidy
from strongroom_server.core.identity.oidc.store import OidcStore
from strongroom_server.core.identity.records import Entity
from strongroom_server.lib.folders import keys
from strongroom_server.sdk.engine import delete, list_, read, write
from strongroom_server.sdk.errors import InvalidRequest, NotFound

Name = Annotated[str, "Name of the assignment."]


async def assigned(store: OidcStore, index: Index, client: KnownClient, entity: Entity) -> bool:
    """Say whether a client's assignments let an entity in, by itself or by a group that it is in."""
    direct, inherited = index.groups_of(entity)
    groups = {EVERYBODY, *direct, *inherited}
    for name in client.settings.assignments:
        found = await store.assignments.get(name)
        if found is None:
            continue
        if name == ALLOW_ALL or entity.id in found.entity_ids or EVERYBODY in found.entity_ids:
            return True
        if groups & set(found.group_ids):
            return True
    return False


class Assignments(Area):
    """Assignments of entities and groups to clients."""

    @write("oidc/assignment/{name}")
    async def write_assignment(self, name: Name, body: Given[Assignment]) -> None:
        """Create or update an assignment."""
        if name == ALLOW_ALL:
            raise InvalidRequest(f'modification of assignment "{ALLOW_ALL}" not allowed')
        assignments = self.server.identity.oidc.assignments
        wanted = body.over(await assignments.get(name))
        entities, groups = (tidy(map(_spelled, ids)) for ids in (wanted.entity_ids, wanted.group_ids))
        await assignments.save(name, Assignment(entities, groups))

    @read("oidc/assignment/{name}")
    async def read_assignment(self, name: Name) -> Assignment:
        """Read an assignment."""
        found = await self.server.identity.oidc.assignments.get(name)
        if found is None:
            raise NotFound
        return found

    @list_("oidc/assignment")
    async def list_assignments(self) -> dict[str, Any]:
        """List the assignments."""
        return keys(await self.server.identity.oidc.assignments.names())

    @delete("oidc/assignment/{name}")
    async def delete_assignment(self, name: Name) -> None:
        """Delete an assignment that no client names."""
        if name == ALLOW_ALL:
            raise InvalidRequest(f'deletion of assignment "{ALLOW_ALL}" not allowed')
        store = self.server.identity.oidc
        users = [user for user, known in (await store.clients.all()).items() if name in known.settings.assignments]
        if users:
            raise InvalidRequest(
                f'unable to delete assignment "{name}" because it is currently referenced by these clients: '
                f"{', '.join(users)}"
            )
        await store.assignments.remove(name)


def _spelled(identifier: str) -> str:
    """Return an id as identities have it: a UUID in lower case, and a namespace after a dot as it is."""
    uuid, dot, namespace = identifier.partition(".")
    return uuid.lower() + dot + namespace
