"""Where second factors lie, below ``mfa/``: ``method/<kind>/<id>``, ``enforcement/<name>``,
``secret/<method id>/<entity id>``.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from strongroom_common.clock import Clock
from strongroom_common.fields import Names
from strongroom_common.secret import Secret
from strongroom_server.core.identity.mfa.kinds import KINDS, TOTP, Settings
from strongroom_server.core.identity.mfa.logins import Waiting
from strongroom_server.core.identity.mfa.tries import Tries
from strongroom_server.core.identity.named_records import Records
from strongroom_server.lib.locks import KeyedLocks
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.storage import Change, Storage, load, put, remove


@dataclass(frozen=True)
class Method:
    """A configured method."""

    id: str
    kind: str
    settings: Settings


@dataclass(frozen=True)
class Enforcement:
    """Which logins need a second factor: one of ``mfa_method_ids``."""

    id: str
    mfa_method_ids: tuple[str, ...]
    auth_method_accessors: Names = Names(())
    auth_method_types: Names = Names(())
    identity_group_ids: Names = Names(())
    identity_entity_ids: Names = Names(())


@dataclass(frozen=True)
class Key:
    """The secret that an entity has for a method, in base 32."""

    secret: Secret[str]


class MfaStore:
    """Methods, enforcements and secrets; and, in memory alone, logins that wait and codes that were used."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._methods = {kind: Records(storage, f"mfa/method/{kind}/", settings) for kind, settings in KINDS.items()}
        self._enforcements = Records(storage, "mfa/enforcement/", Enforcement)
        self._known: dict[str, Enforcement] | None = None
        self.clock = clock
        self.changing = KeyedLocks()
        self.waiting = Waiting(clock)
        self.tries = Tries(clock)

    # -- methods ----------------------------------------------------------------------------------------------------

    async def methods(self, kinds: Iterable[str] = KINDS) -> dict[str, Method]:
        """Return the methods of some kinds by id."""
        found = [Method(i, kind, s) for kind in kinds for i, s in (await self._methods[kind].all()).items()]
        return {method.id: method for method in sorted(found, key=lambda method: method.id)}

    async def method(self, method_id: str) -> Method | None:
        """Return a method, or None."""
        return (await self.methods()).get(method_id)

    async def save_method(self, method: Method) -> None:
        """Store a method."""
        await self._methods[method.kind].save(method.id, method.settings)

    async def remove_method(self, method: Method) -> None:
        """Remove a method and all secrets for it."""
        folder = f"mfa/secret/{method.id}/"
        changes = [remove(folder + name) for name in await self._storage.list(folder)]
        await self._storage.commit([*changes, remove(f"mfa/method/{method.kind}/{method.id}")])

    # -- enforcements -----------------------------------------------------------------------------------------------

    async def enforcements(self) -> dict[str, Enforcement]:
        """Return all by name; every login asks, so they are in memory."""
        if self._known is None:
            self._known = await self._enforcements.all()
        return self._known

    async def save_enforcement(self, name: str, enforcement: Enforcement) -> None:
        """Store an enforcement."""
        await self._enforcements.save(name, enforcement)
        self._known = None

    async def remove_enforcement(self, name: str) -> None:
        """Remove an enforcement; none is fine."""
        await self._enforcements.remove(name)
        self._known = None

    # -- secrets ----------------------------------------------------------------------------------------------------

    async def secret(self, method_id: str, entity_id: str) -> Secret[str] | None:
        """Return the secret that an entity has for a method, or None."""
        found = await load(self._storage, f"mfa/secret/{method_id}/{entity_id}", Key)
        return None if found is None else found.secret

    async def save_secret(self, method_id: str, entity_id: str, secret: Secret[str]) -> None:
        """Store an entity's secret."""
        await self._storage.commit([put(f"mfa/secret/{method_id}/{entity_id}", Key(secret))])

    async def remove_secret(self, method_id: str, entity_id: str) -> None:
        """Remove an entity's secret; none is fine."""
        await self._storage.commit([remove(f"mfa/secret/{method_id}/{entity_id}")])

    async def forget(self, entity_ids: Iterable[str]) -> None:
        """Remove all secrets of entities that are gone."""
        methods = await self.methods([TOTP])
        if methods:
            await self._storage.commit([remove(f"mfa/secret/{m}/{e}") for m in methods for e in entity_ids])

    async def inherit(self, entity_id: str, sources: list[str], *, force: bool) -> None:
        """Give an entity the secrets of those that go into it; raises InvalidRequest where it would have two of one
        method, unless ``force`` lets its own win.
        """
        changes: list[Change] = []
        for method_id in await self.methods([TOTP]):
            found = {holder: await self.secret(method_id, holder) for holder in (entity_id, *sources)}
            holders = [holder for holder, secret in found.items() if secret is not None]
            if len(holders) > 1 and not force:
                raise InvalidRequest(f'conflicting MFA config ID "{method_id}" in entity ID "{holders[1]}"')
            if holders:
                changes.append(put(f"mfa/secret/{method_id}/{entity_id}", Key(found[holders[0]] or Secret(""))))
            changes += [remove(f"mfa/secret/{method_id}/{source}") for source in sources]
        await self._storage.commit(changes)
