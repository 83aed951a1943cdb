"""Named keys in storage, the used ones in memory."""

import asyncio
import os
from dataclasses import dataclass, replace
from typing import Annotated

from strongroom_server.engines.transit.key_types import KeyType
from strongroom_server.engines.transit.records import Key, Version
from strongroom_server.lib.locks import KeyedLocks
from strongroom_server.sdk.engine import Engine
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.storage import Storage, load, remove, save
from strongroom_server.sdk.system import System

Name = Annotated[str, "Name of the key."]


@dataclass(frozen=True)
class Settings:
    """Settings of the mount."""

    disable_upsert: Annotated[bool, "Do not make keys by encrypting with them."] = False


@dataclass(frozen=True)
class CacheSettings:
    """How many keys are kept in memory."""

    size: Annotated[int, "Number of keys; 0 is without limit."] = 0


class KeyStore(Engine):
    """Keys by name. Reads come from memory; changes of one key follow one another."""

    def __init__(self, storage: Storage, system: System) -> None:
        super().__init__(storage, system)
        self._keys: dict[str, Key] = {}
        self._locks = KeyedLocks()

    async def key(self, name: str) -> Key:
        """Return the key; raises InvalidRequest where there is none."""
        found = self._keys.get(name) or await self.look_up(name)
        if found is None:
            raise InvalidRequest("encryption key not found")
        return found

    async def look_up(self, name: str) -> Key | None:
        """Return the key, or None."""
        found = self._keys.get(name)
        if found is None:
            found = await load(self.storage, f"policy/{name}", Key)
            if found is not None:
                self._keys[name] = found
        return found

    async def key_exists(self, name: str) -> bool:
        """Tell whether there is such a key."""
        return await self.look_up(name) is not None

    def locked(self, name: str) -> asyncio.Lock:
        """Return the lock that a change of a key holds."""
        return self._locks.of(name)

    async def keep(self, key: Key) -> Key:
        """Store a key."""
        await save(self.storage, f"policy/{key.name}", key)
        self._keys[key.name] = key
        return key

    async def forget(self, name: str) -> None:
        """Remove a key for good."""
        await self.storage.commit([remove(f"policy/{name}")])
        self._keys.pop(name, None)

    async def make(self, key: Key) -> Key:
        """Store a new key with its first version, unless it is there already."""
        async with self.locked(key.name):
            known = await self.look_up(key.name)
            if known is not None:
                return known
            return await self.keep(replace(key, versions={1: await self.fresh(key.kind, key.key_size)}))

    async def fresh(self, kind: KeyType, size: int) -> Version:
        """Return new material; RSA keys are made off the event loop."""
        secret = await self.system.run_blocking(kind.make, size) if kind.slow else kind.make(size)
        hmac_key = secret if kind.name == "hmac" else os.urandom(32)
        return Version(secret, hmac_key, self.system.clock.now())

    async def rotate(self, name: str) -> Key:
        """Give a key a new version; raises InvalidRequest where it may not have one."""
        async with self.locked(name):
            key = (await self.key(name)).usable()
            if key.imported and not key.allow_rotation:
                raise InvalidRequest("imported key does not allow rotation within the server")
            rotated = key.with_version(await self.fresh(key.kind, key.key_size))
            return await self.keep(replace(rotated, imported=False))

    async def tick(self) -> None:
        """Rotate the keys whose period has passed."""
        for name in await self.storage.list("policy/"):
            key = await self.look_up(name)
            if key is None or not key.auto_rotate_period or key.soft_deleted:
                continue
            if key.versions[key.latest].created + key.auto_rotate_period <= self.system.clock.now():
                await self.rotate(name)

    async def settings(self) -> Settings:
        """Return the mount's settings."""
        return await load(self.storage, "config/keys", Settings) or Settings()

    def invalidate(self, key: str) -> None:
        """Forget a key that another server changed."""
        self._keys.pop(key.removeprefix("policy/"), None)
