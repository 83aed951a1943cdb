"""The private keys of a mount's issuers, stored below ``key/``."""

import re
import uuid
from typing import Any

import msgspec

from strongroom_common.secret import Secret
from strongroom_server.lib.x509 import PrivateKey, key_kind, key_pem, load_key, spki
from strongroom_server.sdk.errors import Internal, InvalidRequest
from strongroom_server.sdk.storage import Change, Storage, load, put, remove, save

_NAME = re.compile(r"\w(?:[\w.-]*\w)?", re.ASCII)
DEFAULT = "default"


class Key(msgspec.Struct, frozen=True):
    """One key. ``private`` is PKCS #8 in PEM."""

    id: str
    type: str
    private: Secret[str]
    name: str = ""

    def loaded(self) -> PrivateKey:
        """Return the key itself."""
        return load_key(self.private.reveal())

    def facts(self) -> dict[str, Any]:
        """Return what is told of a key everywhere."""
        return {"key_id": self.id, "key_name": self.name, "key_type": self.type}


class KeyConfig(msgspec.Struct, frozen=True):
    """Which key is the default one."""

    default: str = ""


class Keys:
    """All keys of a mount, in memory once read."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._all: dict[str, Key] | None = None
        self._config: KeyConfig | None = None
        self._loaded: dict[str, PrivateKey] = {}

    def forget(self) -> None:
        """Read everything anew next time."""
        self._all = self._config = None
        self._loaded.clear()

    async def all(self) -> dict[str, Key]:
        """Return the keys by id, sorted."""
        if self._all is None:
            found = [await load(self._storage, f"key/{key_id}", Key) for key_id in await self._storage.list("key/")]
            self._all = {key.id: key for key in found if key is not None}
        return self._all

    async def find(self, ref: str) -> Key:
        """Return the key of an id, a name or "default"; raises Internal, as the peer does."""
        keys = await self.all()
        if ref == DEFAULT:
            ref = (await self.config()).default
            if not ref:
                raise Internal("no default key currently configured")
        found = keys.get(ref) or next((key for key in keys.values() if key.name and key.name == ref), None)
        if found is None:
            raise Internal(f"unable to find PKI key for reference: {ref}")
        return found

    async def private(self, key_id: str) -> PrivateKey:
        """Return the private key of an id; it is taken apart once."""
        if key_id not in self._loaded:
            self._loaded[key_id] = (await self.find(key_id)).loaded()
        return self._loaded[key_id]

    async def config(self) -> KeyConfig:
        """Return which key is the default one."""
        if self._config is None:
            self._config = await load(self._storage, "config/keys", KeyConfig) or KeyConfig()
        return self._config

    async def set_default(self, key_id: str) -> None:
        """Choose the default key."""
        await save(self._storage, "config/keys", KeyConfig(key_id))
        self._config = None

    async def chosen_name(self, asked: str | None, but: str = "") -> str:
        """Return the name for a key, without blanks around it; "" where none is asked for.

        Raises InvalidRequest unless a key may be called so; the key with the id ``but`` already may be.
        """
        if asked is None:
            return ""
        name = asked.strip()
        if name.lower() == DEFAULT:
            raise InvalidRequest("reserved keyword 'default' can not be used as key name")
        if not _NAME.fullmatch(name):
            raise InvalidRequest("key name contained invalid characters")
        if any(key.name == name and key.id != but for key in (await self.all()).values()):
            raise InvalidRequest("key name already in use")
        return name

    async def add(self, private: PrivateKey, name: str = "") -> tuple[Key, bool]:
        """Store a key, unless it is there already; tell whether it is new. The first one becomes the default."""
        wanted = spki(private)
        for key in (await self.all()).values():
            if spki(await self.private(key.id)) == wanted:
                return key, False
        key = Key(str(uuid.uuid4()), key_kind(private), Secret(key_pem(private, pkcs8=True)), name)
        first = not (await self.config()).default
        await self.save(key, *([put("config/keys", KeyConfig(key.id))] if first else []))
        return key, True

    async def save(self, key: Key, *more: Change) -> None:
        """Store a key, and ``more`` with it."""
        await self._storage.commit([put(f"key/{key.id}", key), *more])
        self.forget()

    async def delete(self, key: Key) -> bool:
        """Remove a key; tell whether it was the default one."""
        was_default = (await self.config()).default == key.id
        await self._storage.commit([
            remove(f"key/{key.id}"), *([put("config/keys", KeyConfig())] if was_default else []),
        ])  # fmt: skip
        self.forget()
        return was_default
