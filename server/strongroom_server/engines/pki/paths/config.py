"""Settings of the mount: URLs, the cluster's own, CRLs."""

from typing import Any

import msgspec

from strongroom_common.fields import Given
from strongroom_server.engines.pki import urls
from strongroom_server.engines.pki.crls import CrlInput, changed_config
from strongroom_server.engines.pki.mount import Mount
from strongroom_server.engines.pki.urls import ClusterInput, UrlsInput
from strongroom_server.sdk.engine import read, write
from strongroom_server.sdk.errors import Internal
from strongroom_server.sdk.request import Response
from strongroom_server.sdk.storage import save

_NEEDS_REBUILD = ("expiry", "disable", "auto_rebuild", "enable_delta")


class ConfigPaths(Mount):
    """Keeps the mount's settings."""

    @read("config/urls")
    async def read_urls(self) -> dict[str, Any]:
        """Read the URLs that certificates point to."""
        return (await self.signers.urls()).facts()

    @write("config/urls")
    async def write_urls(self, given: Given[UrlsInput]) -> Response:
        """Change the URLs that certificates point to."""
        stored = await self.signers.urls()
        changes = {name: getattr(given.value, name) for name in given.sent}
        changed = msgspec.structs.replace(stored, **changes)
        warnings = []
        if changed.enable_templating:
            warnings = urls.template_warnings(changed, await self.signers.cluster())
        else:
            urls.check_plain(changed)
        await save(self.storage, "config/urls", changed)
        self.signers.forget()
        return Response(changed.facts(), warnings=warnings)

    @read("config/cluster")
    async def read_cluster(self) -> dict[str, Any]:
        """Read where the mount is served."""
        return msgspec.structs.asdict(await self.signers.cluster())

    @write("config/cluster")
    async def write_cluster(self, given: Given[ClusterInput]) -> dict[str, Any]:
        """Say where the mount is served."""
        for name, label in (("path", "URL path"), ("aia_path", "URL aia_path")):
            value = getattr(given.value, name)
            if value and not urls.is_url(value):
                raise Internal(f"invalid, non-{label} given to cluster: {value}")
        changes = {name: getattr(given.value, name) for name in given.sent}
        changed = msgspec.structs.replace(await self.signers.cluster(), **changes)
        await save(self.storage, "config/cluster", changed)
        self.signers.forget()
        return msgspec.structs.asdict(changed)

    @read("config/crl")
    async def read_crl_config(self) -> dict[str, Any]:
        """Read how CRLs are made."""
        return (await self.crls.config()).facts()

    @write("config/crl")
    async def write_crl_config(self, given: Given[CrlInput]) -> Response:
        """Change how CRLs are made."""
        stored = await self.crls.config()
        changed = changed_config(given, stored)
        await self.crls.save_config(changed)
        warnings = []
        if any(getattr(stored, name) != getattr(changed, name) for name in _NEEDS_REBUILD):
            warnings = await self.rebuild_crls()
        return Response(changed.facts(), warnings=warnings)
