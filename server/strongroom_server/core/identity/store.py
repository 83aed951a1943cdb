"""Identities in storage and in memory: loaded when the barrier opens, changed in atomic steps.

Layout below ``core/identity/``: ``entity/<id>`` (with its aliases), ``group/<id>``; ``oidc/`` and ``mfa/`` are
those of ``oidc/store.py`` and ``mfa/store.py``.
"""

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any, TypeVar

from strongroom_common.clock import Clock
from strongroom_server.core.identity.index import Index
from strongroom_server.core.identity.mfa.store import MfaStore
from strongroom_server.core.identity.oidc.store import OidcStore
from strongroom_server.core.identity.records import Entity, Group
from strongroom_server.core.identity.values import template_values
from strongroom_server.core.leases import fresh_nonce
from strongroom_server.lib.locks import KeyedLocks
from strongroom_server.lib.timestamps import timestamp
from strongroom_server.sdk.storage import Change, Storage, load, put, remove

Record = TypeVar("Record", Entity, Group)

EVERYONE = ""


class Identity:
    """All entities and groups, and what they add to tokens.

    Whoever changes what is there holds ``lock`` from reading to saving. A login that makes a new entity holds only
    the lock of its alias (``logins.of``), so that many at once are stored at once.
    """

    def __init__(self, storage: Storage, clock: Clock, on_change: Callable[[str], None],
                 namespace: str = "root", above: "Identity | None" = None) -> None:  # fmt: skip
        """``on_change(entity_id)`` drops compiled rules: those of an entity's tokens, or all (``EVERYONE``).

        Tokens of a namespace that were made by one of those above belong to an entity there: in the store ``above``.
        """
        self.namespace = namespace
        self._above = above
        self._storage = storage
        self._clock = clock
        self._on_change = on_change
        self._policies: dict[str, tuple[str, ...]] = {}
        self.index = Index()
        self.lock = asyncio.Lock()
        self.logins = KeyedLocks()
        self.oidc = OidcStore(storage, clock)
        self.mfa = MfaStore(storage, clock)

    async def start(self) -> None:
        """Load everything."""
        for entity in await self._load("entity/", Entity):
            self.index.put_entity(entity)
        for group in await self._load("group/", Group):
            self.index.put_group(group)

    async def _load(self, folder: str, kind: type[Record]) -> list[Record]:
        found = [await load(self._storage, folder + name, kind) for name in await self._storage.list(folder)]
        return [record for record in found if record is not None]

    def fresh_id(self) -> str:
        """Return a random id; in a namespace the id of that ends it."""
        return fresh_nonce() if self.namespace == "root" else f"{fresh_nonce()}.{self.namespace}"

    def fresh_name(self, kind: str) -> str:
        """Return a name for an entity or a group that was given none, in the peer's form."""
        return f"{kind}_{secrets.token_hex(4)}.{self.namespace}"

    def now(self) -> str:
        """Return the time as it is stored."""
        return timestamp(self._clock.now())

    # -- change -----------------------------------------------------------------------------------------------------

    async def change(self, *records: Entity | Group, gone: Iterable[Entity | Group] = ()) -> None:
        """Store changed records and remove others, in one step. Rules of tokens follow at once."""
        await self.save(*records, gone=gone)
        self.forget(EVERYONE)

    async def save(self, *records: Entity | Group, gone: Iterable[Entity | Group] = ()) -> None:
        """As ``change``, where no token's rules depend on it or the caller sees to that (``forget``)."""
        gone = tuple(gone)
        changes: list[Change] = [remove(_key(record)) for record in gone]
        await self._storage.commit([*changes, *(put(_key(record), record) for record in records)])
        for record in gone:
            (self.index.drop_entity if isinstance(record, Entity) else self.index.drop_group)(record.id)
        for record in records:
            if isinstance(record, Entity):
                self.index.put_entity(record)
            else:
                self.index.put_group(record)

    def forget(self, entity_id: str) -> None:
        """Drop what was derived: of one entity, or (``EVERYONE``) of all."""
        if entity_id == EVERYONE:
            self._policies.clear()
        else:
            self._policies.pop(entity_id, None)
        self._on_change(entity_id)

    # -- what tokens get --------------------------------------------------------------------------------------------

    def usable(self, entity_id: str) -> bool:
        """Say whether a token of this entity ("" is none) may be used: the entity is there and not disabled."""
        if not entity_id:
            return True
        entity = self.index.entity(entity_id)
        if entity is None:
            return self._above is not None and self._above.usable(entity_id)
        return not entity.disabled

    def policies(self, entity_id: str) -> tuple[str, ...]:
        """Return the policies of an entity, then those of its groups, each once."""
        known = self._policies.get(entity_id)
        if known is None:
            known = self._policies[entity_id] = self._collect(entity_id)
        return known

    def _collect(self, entity_id: str) -> tuple[str, ...]:
        entity = self.index.entity(entity_id)
        if entity is None:
            return ()
        direct, inherited = self.index.groups_of(entity)
        groups = (self.index.groups[group_id] for group_id in (*direct, *inherited))
        return tuple(dict.fromkeys((*entity.policies, *(name for group in groups for name in group.policies))))

    async def policies_of(self, entity_id: str) -> tuple[str, ...]:
        """Return the policies of an entity and its groups (``policy_store.PolicySource``)."""
        return self.policies(entity_id)

    async def template_values(self, entity_id: str) -> dict[str, str]:
        """Return what templated paths of the entity's policies are filled with."""
        entity = self.index.entity(entity_id)
        return {} if entity is None else template_values(self.index, entity)

    # -- what engines get -------------------------------------------------------------------------------------------

    async def entity(self, entity_id: str) -> Mapping[str, Any] | None:
        """Return an entity as plain values, or None."""
        entity = self.index.entity(entity_id)
        return None if entity is None else asdict(entity)

    async def groups(self, entity_id: str) -> list[Mapping[str, Any]]:
        """Return an entity's groups, those above them included, as plain values."""
        entity = self.index.entity(entity_id)
        if entity is None:
            return []
        direct, inherited = self.index.groups_of(entity)
        return [asdict(self.index.groups[group_id]) for group_id in (*direct, *inherited)]


def _key(record: Entity | Group) -> str:
    return f"{'entity' if isinstance(record, Entity) else 'group'}/{record.id}"
