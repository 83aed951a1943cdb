"""Who logs in: the entity of an alias, found or made, and the external groups that the auth method saw it in."""

from dataclasses import replace

from strongroom_server.core.identity.records import Alias, Entity, alias_key
from strongroom_server.core.identity.store import Identity
from strongroom_server.core.mounts import Mount
from strongroom_server.sdk.errors import PermissionDenied
from strongroom_server.sdk.request import Auth


async def attach(identity: Identity, auth: Auth, mount: Mount) -> None:
    """Fill in the entity of a login; raises PermissionDenied where it is disabled.

    Stores nothing where the entity is known and the method tells nothing new of it.
    """
    if auth.alias is None:
        return
    accessor = mount.entry.accessor
    entity = identity.index.entity_by_key(accessor, auth.alias.name)
    if entity is None:
        entity = await _make(identity, auth, mount)
    if entity.disabled:
        raise PermissionDenied
    if _seen(identity, entity, auth, accessor) != entity:
        await _update(identity, entity.id, auth, accessor)
    auth.entity_id = entity.id


async def refresh(identity: Identity, auth: Auth, mount: Mount) -> None:
    """Bring the groups of a renewed login up to date."""
    entity, accessor = identity.index.entity(auth.entity_id), mount.entry.accessor
    if entity is not None and _seen(identity, entity, auth, accessor) != entity:
        await _update(identity, entity.id, auth, accessor)


async def _make(identity: Identity, auth: Auth, mount: Mount) -> Entity:
    """Return the entity of an alias; of many logins at once that find none, one makes it."""
    assert auth.alias is not None  # noqa: S101 - the caller has looked
    accessor, name = mount.entry.accessor, auth.alias.name
    async with identity.logins.of(f"{accessor}/{name.lower()}"):
        entity = identity.index.entity_by_key(accessor, name)
        if entity is None:
            entity = _seen(identity, new_entity(identity, mount, name), auth, accessor)
            await identity.save(entity)
    return entity


async def _update(identity: Identity, entity_id: str, auth: Auth, accessor: str) -> None:
    async with identity.lock:
        entity = identity.index.entity(entity_id)
        if entity is not None and (seen := _seen(identity, entity, auth, accessor)) != entity:
            await identity.save(seen)
            identity.forget(seen.id)


def new_entity(identity: Identity, mount: Mount, name: str) -> Entity:
    """Return a fresh entity with one alias."""
    entity_id, now = identity.fresh_id(), identity.now()
    alias = Alias(identity.fresh_id(), entity_id, mount.entry.accessor, name, now, now, local=mount.entry.local)
    return Entity(entity_id, identity.fresh_name("entity"), now, now, (alias,))


def _seen(identity: Identity, entity: Entity, auth: Auth, accessor: str) -> Entity:
    """Return the entity as the auth method sees it now: the alias' metadata, the groups at this mount."""
    aliases = entity.aliases
    if auth.alias is not None and (told := auth.alias.metadata):
        key = alias_key(accessor, auth.alias.name)
        if any(alias.key == key and alias.metadata != told for alias in aliases):
            now = identity.now()
            aliases = tuple(
                replace(alias, metadata=dict(told), updated=now) if alias.key == key else alias for alias in aliases
            )
    groups = _groups(identity, entity, auth, accessor)
    if aliases is entity.aliases and groups == entity.groups:
        return entity
    return replace(entity, aliases=aliases, groups=groups)


def _groups(identity: Identity, entity: Entity, auth: Auth, accessor: str) -> tuple[str, ...]:
    """Return the external groups: those at other mounts stay, those at this one are what the method says."""
    index = identity.index
    if not entity.groups and not auth.group_aliases:
        return ()
    found = (index.group_by_key(accessor, alias.name) for alias in auth.group_aliases)
    now = {group.id for group in found if group is not None}
    known = (index.groups[group_id] for group_id in entity.groups if group_id in index.groups)
    elsewhere = {group.id for group in known if group.alias is None or group.alias.mount_accessor != accessor}
    return tuple(sorted(now | elsewhere))
