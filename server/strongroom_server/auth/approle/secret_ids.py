"""Secret ids: stored under their HMAC, counted exactly, found by accessor, ended in time.

``secret_id/<role>/<hmac>`` is the entry, ``accessor/<role>/<accessor>`` leads to it. The HMAC's key belongs to the
role, so that an entry left behind by a deleted role is nothing to a new one of the same name.
"""

import hmac
import uuid
from dataclasses import dataclass, replace
from typing import Any

from strongroom_common.clock import Clock
from strongroom_server.auth.approle.schemas import Role
from strongroom_server.lib.locks import KeyedLocks
from strongroom_server.lib.timestamps import timestamp
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.storage import Change, Storage, load, put, remove

_NEVER = "0001-01-01T00:00:00Z"  # how Go prints no time


@dataclass(frozen=True)
class SecretId:
    """An entry. ``num_uses`` are those left, 0 is without limit; times are epoch seconds, 0 is none."""

    accessor: str
    created: float
    updated: float
    expires: float = 0
    ttl: int = 0
    num_uses: int = 0
    metadata: dict[str, str] | None = None
    cidr_list: tuple[str, ...] = ()
    token_bound_cidrs: tuple[str, ...] = ()

    def over(self, now: float) -> bool:
        """Tell whether its time has passed."""
        return 0 < self.expires <= now

    def facts(self) -> dict[str, Any]:
        """Return what a lookup shows."""
        return {
            "cidr_list": self.cidr_list,
            "creation_time": timestamp(self.created),
            "expiration_time": timestamp(self.expires) if self.expires else _NEVER,
            "last_updated_time": timestamp(self.updated),
            "metadata": self.metadata or {},
            "secret_id_accessor": self.accessor,
            "secret_id_num_uses": self.num_uses,
            "secret_id_ttl": self.ttl,
            "token_bound_cidrs": self.token_bound_cidrs,
        }


def make(now: float, uses: int, ttl: int, **more: Any) -> SecretId:
    """Return a new entry with an accessor of its own."""
    return SecretId(str(uuid.uuid4()), now, now, expires=now + ttl if ttl else 0, ttl=ttl, num_uses=uses, **more)


class SecretIds:
    """All secret ids of a mount. ``name`` is the role's, in lower case."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock
        self._locks = KeyedLocks()

    async def add(self, name: str, role: Role, secret: str, entry: SecretId) -> None:
        """Store a new one; raises InvalidRequest where the role has it already."""
        key = _key(name, role, secret)
        async with self._locks.of(key):
            if await self._live(key) is not None:
                raise InvalidRequest("failed to store secret_id: SecretID is already registered")
            await self._storage.commit([put(key, entry), put(_accessor_key(name, entry.accessor), key)])

    async def find(self, name: str, role: Role, secret: str) -> SecretId | None:
        """Return the entry of a secret id, unless its time has passed."""
        return await self._live(_key(name, role, secret))

    async def by_accessor(self, name: str, accessor: str) -> SecretId | None:
        """Return the entry that an accessor of the role leads to."""
        key = await load(self._storage, _accessor_key(name, accessor), str) if "/" not in accessor else None
        return None if key is None else await self._live(key)

    async def spend(self, name: str, role: Role, secret: str) -> bool:
        """Use one up; tell whether there was a use left.

        Security 1: the count is read and written under the entry's lock and is durable before a login succeeds, so
        that of many logins at once no more succeed than the count says.
        """
        key = _key(name, role, secret)
        async with self._locks.of(key):
            entry = await self._live(key)
            if entry is None:
                return False
            if entry.num_uses == 1:
                await self._storage.commit(_removal(name, key, entry))
            elif entry.num_uses > 1:
                left = replace(entry, num_uses=entry.num_uses - 1, updated=self._clock.now())
                await self._storage.commit([put(key, left)])
            return True

    async def destroy(self, name: str, role: Role, secret: str) -> None:
        """Remove a secret id, if it is there."""
        await self._destroy(name, _key(name, role, secret))

    async def destroy_by_accessor(self, name: str, accessor: str) -> None:
        """Remove the secret id that an accessor leads to."""
        key = await load(self._storage, _accessor_key(name, accessor), str)
        if key is not None:
            await self._destroy(name, key)

    async def accessors(self, name: str) -> list[str]:
        """Return the accessors of a role's secret ids."""
        return await self._storage.list(f"accessor/{name}/")

    async def all_of(self, name: str) -> list[Change]:
        """Return the changes that remove every secret id of a role."""
        folders = (f"accessor/{name}/", f"secret_id/{name}/")
        return [remove(folder + key) for folder in folders for key in await self._storage.list(folder)]

    async def tidy(self) -> None:
        """Remove those whose time has passed, and accessors that lead nowhere."""
        for folder in await self._storage.list("accessor/"):
            name = folder.rstrip("/")
            for accessor in await self.accessors(name):
                key = await load(self._storage, _accessor_key(name, accessor), str)
                entry = await load(self._storage, key, SecretId) if key else None
                if key and entry and entry.over(self._clock.now()):
                    await self._destroy(name, key)
                elif entry is None:
                    await self._storage.commit([remove(_accessor_key(name, accessor))])

    async def _live(self, key: str) -> SecretId | None:
        entry = await load(self._storage, key, SecretId)
        return None if entry is None or entry.over(self._clock.now()) else entry

    async def _destroy(self, name: str, key: str) -> None:
        async with self._locks.of(key):
            entry = await load(self._storage, key, SecretId)
            if entry is not None:
                await self._storage.commit(_removal(name, key, entry))


def _key(name: str, role: Role, secret: str) -> str:
    digest = hmac.digest(role.hmac_key.reveal().encode(), secret.encode(), "sha256")
    return f"secret_id/{name}/{digest.hex()}"


def _accessor_key(name: str, accessor: str) -> str:
    return f"accessor/{name}/{accessor}"


def _removal(name: str, key: str, entry: SecretId) -> list[Change]:
    return [remove(key), remove(_accessor_key(name, entry.accessor))]
