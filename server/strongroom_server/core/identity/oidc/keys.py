"""identity/oidc/key: the named keys that sign identity tokens."""

from dataclasses import dataclass, replace
from typing import Annotated, Any

from strongroom_common.fields import Given, Seconds
from strongroom_server.core.areas import Area
from strongroom_server.core.identity.oidc.keyring import ALGORITHMS, DEFAULT, KeySettings, NamedKey
from strongroom_server.lib.folders import keys
from strongroom_server.sdk.engine import delete, list_, read, write
from strongroom_server.sdk.errors import InvalidRequest, NotFound

Name = Annotated[str, "Name of the key."]


@dataclass(frozen=True)
class Rotation:
    """How a key is rotated."""

    verification_ttl: Annotated[Seconds, "How long the former key is published; the key's own where left out."] = (
        Seconds(0)
    )


class Keys(Area):
    """Keys of identity tokens."""

    @write("oidc/key/{name}")
    async def write_key(self, name: Name, body: Given[KeySettings]) -> None:
        """Create or update a key."""
        store = self.server.identity.oidc
        async with store.changing.of(name):
            stored = await store.key(name)
            settings = body.over(stored.settings if stored else None)
            await self._check(name, settings)
            await store.save_key(name, replace(stored or NamedKey(settings), settings=settings))

    async def _check(self, name: str, settings: KeySettings) -> None:
        if settings.rotation_period < 60:
            raise InvalidRequest("rotation_period must be at least one minute")
        if settings.verification_ttl > 10 * settings.rotation_period:
            raise InvalidRequest("verification_ttl cannot be longer than 10x rotation_period")
        if settings.algorithm not in ALGORITHMS:
            raise InvalidRequest(f'unknown signing algorithm "{settings.algorithm}"')
        store = self.server.identity.oidc
        roles = [role.ttl for role in (await store.roles.all()).values() if role.key == name]
        clients = [c.settings.id_token_ttl for c in (await store.clients.all()).values() if c.settings.key == name]
        for kind, field, ttls in (("roles", "a token ttl", roles), ("clients", "an id_token_ttl", clients)):
            if any(ttl > settings.verification_ttl for ttl in ttls):
                raise InvalidRequest(
                    f'unable to update key "{name}" because it is currently referenced by one or more {kind} with '
                    f"{field} greater than {settings.verification_ttl} seconds"
                )

    @read("oidc/key/{name}")
    async def read_key(self, name: Name) -> KeySettings:
        """Read a key, without its secret."""
        key = await self.server.identity.oidc.key(name)
        if key is None:
            raise NotFound
        return key.settings

    @list_("oidc/key")
    async def list_keys(self) -> dict[str, Any]:
        """List the keys."""
        return keys(await self.server.identity.oidc.key_names())

    @delete("oidc/key/{name}")
    async def delete_key(self, name: Name) -> None:
        """Delete a key that no role and no client uses."""
        if name == DEFAULT:
            raise InvalidRequest(f'deletion of key "{DEFAULT}" not allowed')
        store = self.server.identity.oidc
        async with store.changing.of(name):
            roles = [user for user, role in (await store.roles.all()).items() if role.key == name]
            clients = [user for user, client in (await store.clients.all()).items() if client.settings.key == name]
            for kind, users in (("roles", roles), ("clients", clients)):
                if users:
                    raise InvalidRequest(
                        f'unable to delete key "{name}" because it is currently referenced by these {kind}: '
                        f"{', '.join(users)}"
                    )
            await store.remove_key(name)

    @write("oidc/key/{name}/rotate")
    async def rotate_key(self, name: Name, body: Given[Rotation]) -> None:
        """Let a new key sign from now on; the former one goes on to verify for a time."""
        ttl = body.value.verification_ttl if "verification_ttl" in body.sent else None
        await self.server.identity.oidc.rotate(name, ttl)

    async def tick(self) -> None:
        """Rotate what is due."""
        store = self.server.identity.oidc
        for name in await store.key_names():
            await store.rotate(name, if_due=True)
