"""Certificates: a certificate authority, or several, that issue by roles (api-docs/secret/pki)."""

from strongroom_server.engines.pki.paths.config import ConfigPaths
from strongroom_server.engines.pki.paths.fetch import FetchPaths
from strongroom_server.engines.pki.paths.intermediates import IntermediatePaths
from strongroom_server.engines.pki.paths.issuers import IssuerPaths
from strongroom_server.engines.pki.paths.keys import KeyPaths
from strongroom_server.engines.pki.paths.ocsp import OcspPaths
from strongroom_server.engines.pki.paths.revoke import RevokePaths
from strongroom_server.engines.pki.paths.roles import RolePaths


class Engine(RevokePaths, OcspPaths, IntermediatePaths, IssuerPaths, KeyPaths, RolePaths, ConfigPaths, FetchPaths):
    """Issues certificates."""

    async def tick(self) -> None:
        """Make due CRLs."""
        async with self.changing:
            await self.crls.rebuild_due(self.now)

    async def close(self) -> None:
        """End the processes that make keys."""
        await self.rsa_keys.close()
