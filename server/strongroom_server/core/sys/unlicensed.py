"""What clients of Vault's Enterprise ask for, as a server without that licence answers."""

from typing import Any

from strongroom_server.core.sys.area import Area
from strongroom_server.sdk.engine import read

_OFF = {"mode": "disabled"}


class Unlicensed(Area):
    """Replication and the licence: none."""

    @read("replication/status", public=True)
    async def replication_status(self) -> dict[str, Any]:
        """Tell that nothing is replicated."""
        return {"mode": "disabled", "dr": _OFF, "performance": _OFF}

    @read("replication/dr/status", public=True)
    async def dr_status(self) -> dict[str, Any]:
        """Tell that nothing is replicated for disaster recovery."""
        return dict(_OFF)

    @read("replication/performance/status", public=True)
    async def performance_status(self) -> dict[str, Any]:
        """Tell that nothing is replicated for performance."""
        return dict(_OFF)

    @read("license/status")
    async def license_status(self) -> dict[str, Any]:
        """Tell that there is no licence and that none is needed."""
        return {"autoloading_used": False, "autoloaded": None, "persisted_autoload": None}

    @read("experiments")
    async def experiments(self) -> dict[str, Any]:
        """List features to try out: there are none."""
        return {"available": [], "enabled": []}

    @read("seal-backend-status", public=True)
    async def seal_backend_status(self) -> dict[str, Any]:
        """Tell whether the seal can be used."""
        return {"healthy": True, "backends": [{"name": self.server.sealing.kind, "healthy": True}]}
