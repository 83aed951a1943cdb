"""From KV version 1 to 2: each secret becomes the first version of itself.

A secret moves in one commit, so an upgrade that was cut short goes on at the next start.
"""

from strongroom_server.engines.kv.history import Metadata, Version
from strongroom_server.engines.kv.keys import METADATA, data_key
from strongroom_server.engines.kv.v1 import SECRETS
from strongroom_server.lib.folders import walk
from strongroom_server.lib.timestamps import timestamp
from strongroom_server.sdk.storage import Change, Storage, put, remove


async def upgrade(storage: Storage, now: float) -> None:
    """Move what version 1 stored."""
    created = timestamp(now)
    for key in [key async for key in walk(storage, SECRETS)]:
        value = await storage.get(key)
        if value is not None:
            await storage.commit(_moved(key, value, created))


def _moved(key: str, value: bytes, created: str) -> list[Change]:
    path = key.removeprefix(SECRETS)
    metadata = Metadata(created, created, 1, 1, {1: Version(created)})
    return [put(METADATA + path, metadata), Change(data_key(path, 1), value), remove(key)]
