"""Certificates: a certificate authority, or several, that issue by roles (api-docs/secret/pki)."""

from strongroom_server.engines.pki.acme.revocations import AcmeRevocationPaths
from strongroom_server.engines.pki.paths.config import ConfigPaths
from strongroom_server.engines.pki.paths.fetch import FetchPaths
from strongroom_server.engines.pki.paths.intermediates import IntermediatePaths
from strongroom_server.engines.pki.paths.issuers import IssuerPaths
from strongroom_server.engines.pki.paths.keys import KeyPaths
from strongroom_server.engines.pki.paths.ocsp import OcspPaths
from strongroom_server.engines.pki.paths.revoke import RevokePaths
from strongroom_server.engines.pki.paths.roles import RolePaths


class Engine(
    RevokePaths, OcspPaths, AcmeRevocationPaths, IntermediatePaths, IssuerPaths, KeyPaths, RolePaths, ConfigPaths,
    FetchPaths,
):  # fmt: skip
    """Issues certificates."""

    async def tick(self) -> None:
        """Make due CRLs, tidy if it is time."""
        async with self.changing:
            await self.crls.rebuild_due(self.now)
        await self.auto_tidy()

    async def close(self) -> None:
        """End what goes on in the background."""
        await self.stop_tidying()
        await self.stop_proving()
        await self.rsa_keys.close()
        await self.leaf_process.close()
