"""Folders of stored names: listing a page, walking all."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from strongroom_server.sdk.errors import NotFound
from strongroom_server.sdk.storage import Storage


@dataclass(frozen=True)
class Page:
    """Which part of a list to show."""

    after: Annotated[str, "Show names after this one only."] = ""
    limit: Annotated[int, "Show at most so many names; 0 or less is all."] = 0

    def cut(self, names: list[str]) -> list[str]:
        """Return the names on this page."""
        shown = [name for name in names if name > self.after] if self.after else names
        return shown[: self.limit] if self.limit > 0 else shown


def folder(path: str | None) -> str:
    """Return ``path`` as a prefix for listing: "" or ending in one slash."""
    trimmed = (path or "").rstrip("/")
    return trimmed + "/" if trimmed else ""


def keys(names: list[str]) -> dict[str, Any]:
    """Return the answer to a list; raises NotFound for an empty one, as Vault's API has it."""
    if not names:
        raise NotFound
    return {"keys": names}


def described(page: Page, found: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the answer to a list of names of which something is told; raises NotFound for an empty one."""
    names = keys(page.cut(list(found)))["keys"]
    return {"keys": names, "key_info": {name: found[name] for name in names}}


async def below(storage: Storage, prefix: str) -> list[str]:
    """Return the names of all entries below ``prefix``, which is cut off: those of a folder, then of its folders."""
    names = await storage.list(prefix)
    found = [name for name in names if not name.endswith("/")]
    for name in names:
        if name.endswith("/"):
            found += [name + deeper for deeper in await below(storage, prefix + name)]
    return found


async def walk(storage: Storage, prefix: str) -> AsyncIterator[str]:
    """Yield the full keys of all entries below ``prefix``, folders resolved."""
    for name in await storage.list(prefix):
        if name.endswith("/"):
            async for key in walk(storage, prefix + name):
                yield key
        else:
            yield prefix + name
