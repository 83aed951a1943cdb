"""What KV version 2 has stored, read back: settings, histories, values."""

from msgspec import Raw

from strongroom_common.clock import Clock
from strongroom_server.engines.kv.history import Metadata, Settings
from strongroom_server.engines.kv.keys import CONFIG, METADATA, data_key
from strongroom_server.lib.locks import KeyedLocks
from strongroom_server.lib.timestamps import timestamp
from strongroom_server.sdk import codec
from strongroom_server.sdk.errors import Internal, NotFound
from strongroom_server.sdk.storage import Storage, load, save


class Entries:
    """A mount's entries. ``locks`` has one for each path, held by whoever changes the secret there."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock
        self._settings: Settings | None = None
        self.locks = KeyedLocks()

    async def save_config(self, settings: Settings) -> None:
        """Store the mount's settings."""
        await save(self._storage, CONFIG, settings)
        self._settings = settings

    def forget_config(self) -> None:
        """Read the settings anew next time."""
        self._settings = None

    async def config(self) -> Settings:
        """Return the mount's settings."""
        if self._settings is None:
            self._settings = await load(self._storage, CONFIG, Settings) or Settings()
        return self._settings

    async def metadata(self, path: str) -> Metadata | None:
        """Return a secret's history, or None."""
        raw = await self._storage.get(METADATA + path)
        return None if raw is None else codec.decode(Metadata, raw)

    async def history(self, path: str) -> Metadata:
        """Return a secret's history; raises NotFound."""
        metadata = await self.metadata(path)
        if metadata is None:
            raise NotFound
        return metadata

    async def read(self, path: str, wanted: int) -> tuple[Metadata, int, Raw | None]:
        """Look a version up without waiting for writers, unless one came between its history and its value."""
        try:
            return await self.look_up(path, wanted)
        except Internal:
            async with self.locks.of(path):
                return await self.look_up(path, wanted)

    async def look_up(self, path: str, wanted: int) -> tuple[Metadata, int, Raw | None]:
        """Return the history, the number of the version meant and its value, None where it is deleted or destroyed.

        Raises NotFound where there is no such version, Internal where its value is not there.
        """
        metadata = await self.history(path)
        number = wanted if wanted > 0 else metadata.current_version
        version = metadata.versions.get(number)
        if version is None:
            raise NotFound
        if version.gone(self._clock.now()):
            return metadata, number, None
        value = await self._storage.get(data_key(path, number))
        if value is None:
            raise Internal("could not find version data")
        return metadata, number, Raw(value)

    def fresh(self) -> Metadata:
        """Return the history of a secret that begins now."""
        now = timestamp(self._clock.now())
        return Metadata(now, now)
