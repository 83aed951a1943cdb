"""One-time passwords by the clock (RFC 6238): made for people's apps, or computed for programs (api-docs/secret/totp).

Used codes are stored beside the keys, so that neither a restart nor another server lets one pass twice.
"""

import hmac
from dataclasses import dataclass, field
from typing import Annotated, Any

from strongroom_common.durations import go_duration
from strongroom_common.fields import Given
from strongroom_server.engines.totp import codes, keys, qr
from strongroom_server.engines.totp.keys import Key, KeyInput
from strongroom_server.lib import folders
from strongroom_server.lib.folders import Page
from strongroom_server.lib.locks import KeyedLocks
from strongroom_server.sdk.engine import Engine as Base
from strongroom_server.sdk.engine import delete, list_, read, write
from strongroom_server.sdk.errors import InvalidRequest, NotFound
from strongroom_server.sdk.storage import load, put, remove, save


@dataclass(frozen=True)
class Code:
    """What to validate."""

    code: Annotated[str, "The code to check."] = field(default="", repr=False)


class Engine(Base):
    """Generates and validates time-based one-time passwords."""

    async def start(self) -> None:
        """Make ready."""
        self._locks = KeyedLocks()

    @list_("keys")
    async def list_keys(self, page: Given[Page]) -> dict[str, Any]:
        """List the keys."""
        return folders.keys(page.value.cut(await self.storage.list("key/")))

    @read("keys/{name:at}")
    async def read_key(self, name: Annotated[str, "Name of the key."]) -> dict[str, Any]:
        """Read a key's settings; the secret is never shown again."""
        key = await self._find(name)
        if key is None:
            raise NotFound
        return key.facts()

    @write("keys/{name:at}")
    async def write_key(self, name: str, given: Given[KeyInput]) -> dict[str, str] | None:
        """Generate a key, or store one that another service made."""
        wanted = given.value
        key = keys.generated(wanted) if wanted.generate else keys.existing(wanted)
        answer = _shown(key, wanted.qr_size) if wanted.generate and wanted.exported else None
        await save(self.storage, f"key/{name}", key)
        return answer

    @delete("keys/{name:at}")
    async def delete_key(self, name: str) -> None:
        """Delete a key."""
        async with self._locks.of(name):
            await self.storage.commit([remove(f"key/{name}"), remove(f"used/{name}")])

    @read("code/{name:at}")
    async def read_code(self, name: str) -> dict[str, Any]:
        """Compute the code of this moment."""
        key = await self._known(name)
        now = int(self.system.clock.now())
        step = codes.step(key, now)
        return {
            "code": codes.code(key, step),
            "expire_time": (step + 1) * key.period,
            "generated": now,
            "period": go_duration(key.period),
        }

    @write("code/{name:at}")
    async def validate(self, name: str, given: Given[Code]) -> dict[str, bool]:
        """Tell whether a code is right, once.

        Security 1: a code is compared as it is, without dropping blanks, so that each has one spelling (HCSEC-2025-17).
        Security 2: a right code is marked as used before the answer goes out, under a lock of the key's (RFC 6238,
        section 5.2).
        """
        asked = given.value.code
        if not asked:
            raise InvalidRequest("the code value is required")
        async with self._locks.of(name):
            key = await self._known(name)
            if len(asked) != key.digits or len(asked.strip()) != key.digits:
                raise InvalidRequest("invalid number of digits for the code")
            return {"valid": await self._use(name, key, asked)}

    async def _use(self, name: str, key: Key, asked: str) -> bool:
        now = codes.step(key, self.system.clock.now())
        used = await load(self.storage, f"used/{name}", dict[str, int]) or {}
        if used.get(asked, now) > now:
            raise InvalidRequest("code already used; wait until the next time period")
        steps = range(now - key.skew, now + key.skew + 1)
        right = [step for step in steps if hmac.compare_digest(codes.code(key, step).encode(), asked.encode())]
        if not right:
            return False
        still = {code: until for code, until in used.items() if until > now}
        await self.storage.commit([put(f"used/{name}", still | {asked: right[-1] + key.skew + 1})])
        return True

    async def _find(self, name: str) -> Key | None:
        return await load(self.storage, f"key/{name}", Key)

    async def _known(self, name: str) -> Key:
        key = await self._find(name)
        if key is None:
            raise InvalidRequest(f"unknown key: {name}")
        return key


def _shown(key: Key, qr_size: int) -> dict[str, str]:
    url = keys.url(key)
    return {"url": url} | ({"barcode": qr.png(url, qr_size)} if qr_size else {})
