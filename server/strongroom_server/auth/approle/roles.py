"""Roles in storage: ``role/<name>``, and ``role_id/<hash of the role id>``, which leads to the name."""

import asyncio
import hashlib
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import replace

from strongroom_common.secret import Secret
from strongroom_server.auth.approle.schemas import Role
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.storage import Change, Storage, load, put, remove


class Roles:
    """All roles of a mount; names are in lower case. ``writing`` is held from reading a role to ``save``."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.writing = asyncio.Lock()

    async def names(self) -> list[str]:
        """Return the names, sorted."""
        return await self._storage.list("role/")

    async def find(self, name: str) -> Role | None:
        """Return a role, or None."""
        return await load(self._storage, "role/" + name.lower(), Role)

    async def by_id(self, role_id: str) -> tuple[str, Role] | None:
        """Return the name and role that a role id stands for."""
        name = await load(self._storage, _id_key(role_id), str)
        role = await self.find(name) if name else None
        return (name, role) if name and role else None

    async def save(self, name: str, role: Role, before: Role | None) -> None:
        """Store a role with its id; raises InvalidRequest where the id is another's."""
        role = replace(
            role,
            role_id=role.role_id or str(uuid.uuid4()),
            hmac_key=role.hmac_key or Secret(secrets.token_hex(32)),
        )
        changes = [put("role/" + name.lower(), role)]
        if before is None or before.role_id != role.role_id:
            if await self._storage.get(_id_key(role.role_id)) is not None:
                raise InvalidRequest("role_id already in use")
            changes.append(put(_id_key(role.role_id), name.lower()))
        if before is not None and before.role_id != role.role_id:
            changes.append(remove(_id_key(before.role_id)))
        await self._storage.commit(changes)

    async def delete(self, name: str, role: Role, more: Sequence[Change]) -> None:
        """Remove a role, its id and ``more``, in one step."""
        await self._storage.commit([remove("role/" + name.lower()), remove(_id_key(role.role_id)), *more])


def _id_key(role_id: str) -> str:
    return "role_id/" + hashlib.sha256(role_id.encode()).hexdigest()
