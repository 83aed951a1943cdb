"""What all paths of a PKI mount share: its issuers, keys, roles, certificates, CRLs, and the lock for changing them.

The engine is put together from classes of ``paths/`` and ``acme/``, each a ``Mount`` with routes of its own.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from strongroom_server.engines.pki.certs import Certs
from strongroom_server.engines.pki.crls import Crls
from strongroom_server.engines.pki.issuers import Issuers
from strongroom_server.engines.pki.keys import Keys
from strongroom_server.engines.pki.leaf_process import LeafProcess
from strongroom_server.engines.pki.role import Role
from strongroom_server.engines.pki.signer import Signers
from strongroom_server.lib.identity_templates import identity_values
from strongroom_server.lib.rsa_keys import RsaKeys
from strongroom_server.lib.x509 import PrivateKey, new_key
from strongroom_server.sdk.engine import Engine
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.request import Request
from strongroom_server.sdk.storage import Storage, load
from strongroom_server.sdk.system import System


class Mount(Engine):
    """The state of one PKI mount."""

    def __init__(self, storage: Storage, system: System) -> None:
        super().__init__(storage, system)
        self.issuers = Issuers(storage, system.clock)
        self.keys = Keys(storage)
        self.certs = Certs(storage)
        self.signers = Signers(storage, self.issuers, self.keys)
        self.crls = Crls(storage, self.signers, self.keys, self.certs)
        self.rsa_keys = RsaKeys()
        self.leaf_process = LeafProcess(self.issuers, system.places)
        self.changing = asyncio.Lock()
        self._roles: dict[str, Role] = {}

    @property
    def now(self) -> float:
        """Return the time, in seconds since the epoch."""
        return self.system.clock.now()

    def invalidate(self, key: str) -> None:
        """Forget what is remembered: another server changed something."""
        folder = key.partition("/")[0]
        if folder in {"issuer", "key", "config"}:
            self.issuers.forget()
            self.keys.forget()
            self.signers.forget()
        elif folder == "revoked":
            self.certs.forget()
        elif folder == "role":
            self._roles.clear()

    async def find_role(self, name: str) -> Role | None:
        """Return a role."""
        role = self._roles.get(name)
        if role is None:
            role = await load(self.storage, f"role/{name}", Role)
            if role is not None:
                self._roles[name] = role
        return role

    def forget_role(self, name: str) -> None:
        """Read a role anew next time."""
        self._roles.pop(name, None)

    async def known_role(self, name: str) -> Role:
        """Return a role; raises InvalidRequest where there is none."""
        role = self._roles.get(name) or await self.find_role(name)
        if role is None:
            raise InvalidRequest(f"unknown role: {name}")
        return role

    async def make_key(self, kind: str, bits: int) -> PrivateKey:
        """Make a private key, RSA in another process."""
        return await self.rsa_keys.take(bits, ahead=False) if kind == "rsa" else new_key(kind, bits)

    async def identity_values(self, request: Request) -> Mapping[str, str]:
        """Return the caller's values for identity templates."""
        caller = request.caller
        if caller is None or not caller.entity_id:
            return {}
        entity: Mapping[str, Any] | None = await self.system.entity(caller.entity_id)
        if entity is None:
            return {}
        return identity_values(entity, await self.system.groups(caller.entity_id))

    async def rebuild_crls(self) -> list[str]:
        """Make all CRLs anew; return warnings."""
        return await self.crls.rebuild(self.now)
