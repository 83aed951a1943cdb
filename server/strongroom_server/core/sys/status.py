"""sys/health, leader, seal-status, host-info: what anyone may know of the server."""

import os
import platform
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from strongroom_common.clock import rfc3339
from strongroom_common.fields import Given
from strongroom_server.core.sys.area import Area
from strongroom_server.sdk.engine import list_, read
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.request import Request, Response
from strongroom_server.sdk.version import BUILD_DATE, VERSION

if TYPE_CHECKING:
    from strongroom_server.core.server import Server

_NEVER = "0001-01-01T00:00:00Z"
_FINAL, _LAST = 200, 999  # a status of one hundred and more says that the answer is still to come


@dataclass(frozen=True)
class HealthQuery:
    """Which codes and states the asker takes for healthy (HTTP API, "sys/health")."""

    standbyok: Annotated[bool, "A standby is as healthy as an active server."] = False
    perfstandbyok: Annotated[bool, "A performance standby is as healthy as an active server."] = False
    activecode: Annotated[int, "Status of an active server."] = 200
    standbycode: Annotated[int, "Status of a standby."] = 429
    drsecondarycode: Annotated[int, "Status of a disaster recovery secondary."] = 472
    performancestandbycode: Annotated[int, "Status of a performance standby."] = 473
    sealedcode: Annotated[int, "Status of a sealed server."] = 503
    uninitcode: Annotated[int, "Status of a server that was never initialised."] = 501


class Status(Area):
    """State that needs no token."""

    @read("health", public=True, when_sealed=True)
    async def health(self, query: Given[HealthQuery], request: Request) -> Response:
        """Tell whether the server is initialised, unsealed and active, in the status code too."""
        server, asked = self.server, query.value
        initialized = await server.sealing.initialized()
        status = asked.activecode
        if not initialized:
            status = asked.uninitcode
        elif server.sealed:
            status = asked.sealedcode
        if not _FINAL <= status <= _LAST:
            raise InvalidRequest(f"expected a status code between {_FINAL} and {_LAST}")
        data: dict[str, Any] = {
            "initialized": initialized,
            "sealed": server.sealed,
            "standby": server.sealed,
            "performance_standby": False,
            "replication_performance_mode": "unknown" if server.sealed else "disabled",
            "replication_dr_mode": "unknown" if server.sealed else "disabled",
            "server_time_utc": int(server.clock.now()),
            "version": VERSION,
            "enterprise": False,
        }
        if not server.sealed:
            data |= {"cluster_name": server.cluster_name, "cluster_id": server.cluster_id}
        return Response(_redacted(data, request), status=status, bare=True)

    @read("seal-status", public=True, when_sealed=True)
    async def seal_status(self, request: Request) -> Response:
        """Tell how far unsealing has come."""
        return Response(_redacted(sealing_state(self.server), request), bare=True)

    @read("leader", public=True, when_sealed=True)
    async def leader(self, request: Request) -> Response:
        """Tell which server is active; a sealed one is not."""
        server = self.server
        active = not server.sealed
        data: dict[str, Any] = {
            "ha_enabled": False,
            "is_self": active,
            "active_time": rfc3339(server.active_since) if active else _NEVER,
            "leader_address": server.options.api_addr if active else "",
            "leader_cluster_address": "",
            "performance_standby": False,
            "performance_standby_last_remote_wal": 0,
        }
        return Response(_redacted(data, request), bare=True)

    @read("ha-status")
    async def ha_status(self) -> Response:
        """List the servers of the cluster."""
        server = self.server
        node = {"hostname": platform.node(), "api_address": server.options.api_addr, "cluster_address": "",
                "active_node": True, "last_echo": None, "version": VERSION}  # fmt: skip
        return Response({"nodes": [node]}, top_level=True)

    @read("host-info")
    async def host_info(self) -> dict[str, Any]:
        """Describe the machine the server runs on."""
        disk = shutil.disk_usage("/")
        memory = _memory()
        return {
            "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "host": {"hostname": platform.node(), "os": platform.system().lower(), "kernelVersion": platform.release(),
                     "kernelArch": platform.machine(), "uptime": int(_uptime())},
            "cpu": [{"cpu": number} for number in range(os.cpu_count() or 1)],
            "cpu_times": [],
            "disk": [{"path": "/", "total": disk.total, "used": disk.used, "free": disk.free}],
            "memory": memory,
        }  # fmt: skip

    @list_("version-history")
    @read("version-history")
    async def version_history(self, request: Request) -> dict[str, Any]:
        """List the versions this store has been served by."""
        del request
        return {"keys": [VERSION], "key_info": {VERSION: {"build_date": BUILD_DATE, "previous_version": None,
                "timestamp_installed": rfc3339(self.server.active_since)}}}  # fmt: skip


_REDACTED = {
    "addresses": ("leader_address", "leader_cluster_address"), "cluster_name": ("cluster_name", "cluster_id"),
    "version": ("version", "build_date"),
}  # fmt: skip


def _redacted(data: dict[str, Any], request: Request) -> dict[str, Any]:
    """Leave out what the listener does not tell strangers (listener docs, "redact_version" and its like)."""
    hidden = () if request.caller is not None else request.connection.access.redacted
    names = {name for word in hidden for name in _REDACTED[word]}
    return {name: "" if name in names else value for name, value in data.items()}


def sealing_state(server: "Server") -> dict[str, Any]:
    """Return the answer of seal-status and unseal."""
    config, progress = server.sealing.config, server.sealing.progress
    data: dict[str, Any] = {
        "type": server.sealing.kind,
        "initialized": config is not None,
        "sealed": server.sealed,
        "t": config.threshold if config else 0,
        "n": config.shares if config else 0,
        "progress": len(progress.shares) if progress else 0,
        "nonce": progress.nonce if progress else "",
        "version": VERSION,
        "build_date": BUILD_DATE,
        "migration": False,
        "recovery_seal": server.sealing.stored,
        "storage_type": server.options.storage_kind,
    }
    if not server.sealed:
        data |= {"cluster_name": server.cluster_name, "cluster_id": server.cluster_id}
    return data


def _memory() -> dict[str, int]:
    with open("/proc/meminfo") as lines:  # noqa: PTH123 - a pseudo file
        facts = dict(line.split(":", 1) for line in lines)
    kib = {name: int(value.split()[0]) * 1024 for name, value in facts.items()}
    return {"total": kib["MemTotal"], "available": kib["MemAvailable"], "free": kib["MemFree"]}


def _uptime() -> float:
    with open("/proc/uptime") as text:  # noqa: PTH123 - a pseudo file
        return float(text.read().split()[0])
