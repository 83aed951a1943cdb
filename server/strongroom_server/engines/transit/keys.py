"""transit/keys: make, read, configure, rotate, trim and delete keys."""

from dataclasses import dataclass, replace
from typing import Annotated, Any

from strongroom_common.fields import Given, Seconds
from strongroom_server.engines.transit.key_types import key_type
from strongroom_server.engines.transit.records import Key
from strongroom_server.engines.transit.store import CacheSettings, KeyStore, Name, Settings
from strongroom_server.engines.transit.texts import decode64
from strongroom_server.lib.folders import Page, keys
from strongroom_server.sdk.engine import delete, list_, read, write
from strongroom_server.sdk.errors import InvalidRequest, NotFound
from strongroom_server.sdk.request import Response
from strongroom_server.sdk.storage import load, save

_HOUR = 3600
_FORCED = "transit key numbering starts at 1; forcing minimum to 1"


@dataclass(frozen=True)
class Which:
    """Query of a read."""

    context: Annotated[str, "Context, in base64, whose public keys a derived key shows."] = ""


@dataclass(frozen=True)
class Create:
    """What a new key shall be."""

    type: Annotated[str, "Type of the key."] = "aes256-gcm96"
    derived: Annotated[bool, "Derive a key for each context."] = False
    convergent_encryption: Annotated[bool, "The same plaintext and context give the same ciphertext."] = False
    exportable: Annotated[bool, "Whether the key may leave the server; cannot be taken back."] = False
    allow_plaintext_backup: Annotated[bool, "Whether a backup in plaintext may be made; cannot be taken back."] = False
    auto_rotate_period: Annotated[Seconds, "Rotate after this long; 0 is never, else an hour at least."] = Seconds(0)
    key_size: Annotated[int, "Bytes of an hmac key, from 32 to 512."] = 0
    context: Annotated[str, "Has no effect here."] = ""
    external_key_ref: Annotated[str, "Must be empty: keys are made here, not found in a KMS."] = ""


@dataclass(frozen=True)
class Configure:
    """What may change."""

    min_decryption_version: Annotated[int, "Oldest version that decrypts and verifies."] = 0
    min_encryption_version: Annotated[int, "Oldest version that encrypts and signs; 0 is the latest."] = 0
    deletion_allowed: Annotated[bool, "Whether the key may be deleted."] = False
    exportable: Annotated[bool, "Whether the key may leave the server; cannot be taken back."] = False
    allow_plaintext_backup: Annotated[bool, "Whether a backup in plaintext may be made; cannot be taken back."] = False
    auto_rotate_period: Annotated[Seconds, "Rotate after this long; 0 is never, else an hour at least."] = Seconds(0)


@dataclass(frozen=True)
class Trim:
    """Which versions go."""

    min_available_version: Annotated[int, "Oldest version that stays."] = 0


class Keys(KeyStore):
    """The keys themselves."""

    @list_("keys")
    async def list_keys(self, page: Given[Page]) -> dict[str, Any]:
        """List the names of the keys."""
        return keys(page.value.cut(await self.storage.list("policy/")))

    @read("keys/{name}")
    async def read_key(self, name: Name, query: Given[Which]) -> Response:
        """Describe a key: its settings and versions, never its secret."""
        key = await self.look_up(name)
        if key is None:
            raise NotFound
        return Response(key.facts(_context(query.value.context)))

    @write("keys/{name}")
    async def create_key(self, name: Name, body: Given[Create]) -> Response:
        """Make a key; one that is there stays as it is."""
        asked = body.value
        kind = key_type(asked.type)
        if asked.external_key_ref:
            raise InvalidRequest("must provide type=external-key to use external_key_ref, which is not supported here")
        if asked.convergent_encryption and not asked.derived:
            raise InvalidRequest("convergent encryption requires derivation to be enabled")
        if asked.derived and not kind.derives:
            raise InvalidRequest(f"key derivation and convergent encryption not supported for keys of type {kind.name}")
        if asked.convergent_encryption and kind.name == "ed25519":
            raise InvalidRequest("convergent encryption not supported for keys of type ed25519")
        if kind.name == "hmac" and not 32 <= asked.key_size <= 512:
            raise InvalidRequest("invalid key_size for an hmac key: expected from 32 to 512 bytes")
        if kind.name != "hmac" and asked.key_size:
            raise InvalidRequest(f"key_size is not valid for algorithm {kind.name}")
        check_period(asked.auto_rotate_period)
        key = Key(
            name, kind.name, {}, derived=asked.derived, convergent=asked.convergent_encryption,
            exportable=asked.exportable, allow_plaintext_backup=asked.allow_plaintext_backup,
            auto_rotate_period=asked.auto_rotate_period, key_size=asked.key_size,
        )  # fmt: skip
        return Response((await self.make(key)).facts())

    @write("keys/{name}/rotate")
    async def rotate_key(self, name: Name) -> Response:
        """Give the key a new version."""
        return Response((await self.rotate(name)).facts())

    @write("keys/{name}/config")
    async def configure_key(self, name: Name, body: Given[Configure]) -> Response:
        """Change a key's settings."""
        async with self.locked(name):
            key = await self.look_up(name)
            if key is None:
                raise InvalidRequest(f"no existing key named {name} could be found")
            changed = _configured(key, body)
            forced = "min_decryption_version" in body.sent and not body.value.min_decryption_version
            return Response((await self.keep(changed)).facts(), warnings=[_FORCED] if forced else [])

    @write("keys/{name}/trim")
    async def trim_key(self, name: Name, body: Given[Trim]) -> Response:
        """Remove the versions below one, for good."""
        oldest = body.value.min_available_version
        async with self.locked(name):
            key = (await self.key(name)).usable()
            _check_trim(key, oldest, given="min_available_version" in body.sent)
            kept = {number: version for number, version in key.versions.items() if number >= oldest}
            return Response((await self.keep(replace(key, versions=kept, minimum_available=oldest))).facts())

    @delete("keys/{name}")
    async def delete_key(self, name: Name) -> None:
        """Delete a key for good, where its settings allow that."""
        async with self.locked(name):
            key = await self.look_up(name)
            if key is None:
                raise InvalidRequest(f"error deleting policy {name}: could not delete key; not found")
            if not key.deletion_allowed:
                raise InvalidRequest(f"error deleting policy {name}: deletion is not allowed for this key")
            await self.forget(name)

    @delete("keys/{name}/soft-delete")
    async def soft_delete_key(self, name: Name) -> Response:
        """Put a key out of use, until it is restored."""
        return await self._soft(name, "key was already marked as soft deleted", deleted=True)

    @write("keys/{name}/soft-delete-restore")
    async def restore_soft_deleted_key(self, name: Name) -> Response:
        """Put a softly deleted key back to use."""
        return await self._soft(name, "key was already restored", deleted=False)

    async def _soft(self, name: str, already: str, *, deleted: bool) -> Response:
        async with self.locked(name):
            key = await self.key(name)
            kept = await self.keep(replace(key, soft_deleted=deleted))
            return Response(kept.facts(), warnings=[already] if key.soft_deleted is deleted else [])

    # -- the mount ------------------------------------------------------------------------------------------------

    @read("config/keys")
    async def read_settings(self) -> Settings:
        """Read the mount's settings."""
        return await self.settings()

    @write("config/keys")
    async def write_settings(self, body: Given[Settings]) -> Settings:
        """Change the mount's settings."""
        settings = body.over(await self.settings())
        await save(self.storage, "config/keys", settings)
        return settings

    @read("cache-config")
    async def read_cache(self) -> CacheSettings:
        """Read how many keys are kept in memory."""
        return await load(self.storage, "config/cache", CacheSettings) or CacheSettings()

    @write("cache-config")
    async def write_cache(self, body: Given[CacheSettings]) -> CacheSettings:
        """Change how many keys are kept in memory."""
        if body.value.size and body.value.size < 10:
            raise InvalidRequest("size must be 0 or a value greater or equal to 10")
        await save(self.storage, "config/cache", body.value)
        return body.value


def _context(text: str) -> bytes | None:
    try:
        return decode64(text) if text else None
    except InvalidRequest:
        raise InvalidRequest("failed to base64-decode context") from None


def check_period(seconds: int) -> None:
    """Refuse to rotate more often than every hour."""
    if 0 < seconds < _HOUR:
        raise InvalidRequest("auto rotate period must be 0 to disable or at least an hour")


def _configured(key: Key, body: Given[Configure]) -> Key:
    """Return the key with its settings changed; raises InvalidRequest where they contradict each other."""
    asked = body.value
    decryption = asked.min_decryption_version or 1 if "min_decryption_version" in body.sent else key.minimum_decryption
    encryption = asked.min_encryption_version if "min_encryption_version" in body.sent else key.minimum_encryption
    for what, number in (("decryption", decryption), ("encryption", encryption)):
        if number < 0:
            raise InvalidRequest(f"min {what} version cannot be negative")
    if decryption > key.latest:
        raise InvalidRequest(f"cannot set min decryption version of {decryption}, latest key version is {key.latest}")
    if encryption > key.latest:
        raise InvalidRequest(f"cannot set min encryption version of {encryption}, latest key version is {key.latest}")
    if encryption and encryption < decryption:
        raise InvalidRequest(
            f"cannot set min encryption/decryption values; min encryption version of {encryption} must be greater than "
            f"or equal to min decryption version of {decryption}"
        )
    for what, number in (("encryption", encryption), ("decryption", decryption)):
        if number < key.minimum_available:
            raise InvalidRequest(
                f"min {what} version should not be less than min available version {key.minimum_available}"
            )
    changed = replace(key, minimum_decryption=decryption, minimum_encryption=encryption)
    if "auto_rotate_period" in body.sent:
        check_period(asked.auto_rotate_period)
        changed = replace(changed, auto_rotate_period=asked.auto_rotate_period)
    if "deletion_allowed" in body.sent:
        changed = replace(changed, deletion_allowed=asked.deletion_allowed)
    return replace(
        changed,
        exportable=key.exportable or asked.exportable,
        allow_plaintext_backup=key.allow_plaintext_backup or asked.allow_plaintext_backup,
    )


def _check_trim(key: Key, oldest: int, *, given: bool) -> None:
    if not given:
        raise InvalidRequest("missing min_available_version")
    if oldest <= 0:
        raise InvalidRequest("minimum available version should be positive")
    if oldest < key.minimum_available:
        raise InvalidRequest("minimum available version cannot be decremented")
    if not key.minimum_encryption:
        raise InvalidRequest("minimum available version cannot be set when minimum encryption version is not set")
    if not key.minimum_decryption:
        raise InvalidRequest("minimum available version cannot be set when minimum decryption version is not set")
    for what, limit in (("encryption", key.minimum_encryption), ("decryption", key.minimum_decryption)):
        if oldest > limit:
            raise InvalidRequest(f"minimum available version cannot be greater than minimum {what} version")
