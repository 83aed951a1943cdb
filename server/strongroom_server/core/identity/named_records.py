"""Named records of one kind, a folder of storage: what the OpenID provider and the second factors are kept in."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Generic, TypeVar

from strongroom_server.sdk.storage import Storage, load, remove, save

T = TypeVar("T")


class Records(Generic[T]):
    """The records of one kind by name; those of ``always`` are there without having been stored."""

    def __init__(
        self, storage: Storage, folder: str, kind: type[T], always: Mapping[str, T] = MappingProxyType({})
    ) -> None:
        self._storage = storage
        self._folder = folder
        self._kind = kind
        self._always = always

    async def names(self) -> list[str]:
        """Return all names, sorted."""
        return sorted({*self._always, *await self._storage.list(self._folder)})

    async def get(self, name: str) -> T | None:
        """Return a record, or None."""
        return await load(self._storage, self._folder + name, self._kind) or self._always.get(name)

    async def all(self) -> dict[str, T]:
        """Return all records by name."""
        found = {name: await self.get(name) for name in await self.names()}
        return {name: record for name, record in found.items() if record is not None}

    async def save(self, name: str, record: T) -> None:
        """Store a record."""
        await save(self._storage, self._folder + name, record)

    async def remove(self, name: str) -> None:
        """Remove a record; none is fine."""
        await self._storage.commit([remove(self._folder + name)])
