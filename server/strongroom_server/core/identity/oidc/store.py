"""Where identity tokens and the OpenID provider keep what they need, below ``oidc/``: ``key/<name>``, ``role/<name>``,
``config``; ``provider/``, ``client/``, ``scope/`` and ``assignment/<name>``.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from strongroom_common.clock import Clock
from strongroom_server.core.identity.named_records import Records
from strongroom_server.core.identity.oidc.codes import Codes
from strongroom_server.core.identity.oidc.keyring import (
    DEFAULT,
    DEFAULT_KEY,
    NamedKey,
    SigningKey,
    generate,
    renewed,
    rotated,
)
from strongroom_server.core.identity.oidc.records import (
    ASSIGNMENTS,
    PROVIDERS,
    Assignment,
    KnownClient,
    Provider,
    Role,
    Scope,
)
from strongroom_server.lib.locks import KeyedLocks
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.storage import Storage, load, remove, save


@dataclass(frozen=True)
class Config:
    """The issuer."""

    issuer: Annotated[str, "Scheme, host and port that tokens name as issuer; the server's API address if empty."] = ""


class OidcStore:
    """Keys, roles, and the parts of providers. Whoever changes a key holds its lock (``changing``)."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock
        self.changing = KeyedLocks()
        self.roles = Records(storage, "oidc/role/", Role)
        self.providers = Records(storage, "oidc/provider/", Provider, PROVIDERS)
        self.clients = Records(storage, "oidc/client/", KnownClient)
        self.scopes = Records(storage, "oidc/scope/", Scope)
        self.assignments = Records(storage, "oidc/assignment/", Assignment, ASSIGNMENTS)
        self.codes = Codes(clock)

    async def config(self) -> Config:
        """Return the configuration."""
        return await load(self._storage, "oidc/config", Config) or Config()

    async def save_config(self, config: Config) -> None:
        """Store the configuration."""
        await save(self._storage, "oidc/config", config)

    # -- keys -------------------------------------------------------------------------------------------------------

    async def key_names(self) -> list[str]:
        """Return the names of all keys; the default one is always there."""
        return sorted({DEFAULT, *await self._storage.list("oidc/key/")})

    async def key(self, name: str) -> NamedKey | None:
        """Return a key, or None."""
        found = await load(self._storage, f"oidc/key/{name}", NamedKey)
        return DEFAULT_KEY if found is None and name == DEFAULT else found

    async def save_key(self, name: str, key: NamedKey) -> NamedKey:
        """Store a key, with pairs of its algorithm; the caller holds its lock."""
        if not key.fits():
            fresh, upcoming = await asyncio.gather(self._generate(key.algorithm), self._generate(key.algorithm))
            key = renewed(key, fresh, upcoming, self._clock.now())
        await save(self._storage, f"oidc/key/{name}", key)
        return key

    async def ready_key(self, name: str) -> NamedKey:
        """Return a key that can sign, rotated where that is due; raises InvalidRequest where there is none."""
        async with self.changing.of(name):
            key, now = await self.key(name), self._clock.now()
            if key is None:
                raise InvalidRequest(f'cannot find key "{name}"')
            if key.fits() and now >= key.rotates:
                return await self.save_key(name, rotated(key, await self._generate(key.algorithm), now))
            return key if key.fits() else await self.save_key(name, key)

    async def rotate(self, name: str, verification_ttl: int | None = None, *, if_due: bool = False) -> None:
        """Let the next pair sign; ``if_due`` only where its time has come."""
        async with self.changing.of(name):
            key, now = await self.key(name), self._clock.now()
            if key is None:
                raise InvalidRequest(f'no named key found at "{name}"')
            if key.current is not None and not (if_due and now < key.rotates):
                key = rotated(key, await self._generate(key.algorithm), now, verification_ttl)
                await self.save_key(name, key)

    async def remove_key(self, name: str) -> None:
        """Remove a key; none is fine."""
        await self._storage.commit([remove(f"oidc/key/{name}")])

    async def published(self) -> list[dict[str, str]]:
        """Return the JWKs of all keys that a role uses."""
        return await self.public_keys({role.key for role in (await self.roles.all()).values()})

    async def public_keys(self, names: Iterable[str]) -> list[dict[str, str]]:
        """Return the JWKs of some keys."""
        keys = [await self.key(name) for name in sorted(names)]
        return [jwk for key in keys if key is not None for jwk in key.public(self._clock.now())]

    async def _generate(self, algorithm: str) -> SigningKey:
        return await asyncio.get_running_loop().run_in_executor(None, generate, algorithm)
