"""The sys/ engine: the server itself, one area a file, put together here."""

from typing import Any

from strongroom_server.core.sys.area import Area
from strongroom_server.core.sys.audit import Audit
from strongroom_server.core.sys.capabilities import Capabilities
from strongroom_server.core.sys.generate_root import GenerateRoot
from strongroom_server.core.sys.internal import Internal
from strongroom_server.core.sys.keys import Keys
from strongroom_server.core.sys.leases import Leases
from strongroom_server.core.sys.metrics import Metrics
from strongroom_server.core.sys.mounts import Mounts
from strongroom_server.core.sys.policies import Policies
from strongroom_server.core.sys.rekey import Rekey
from strongroom_server.core.sys.sealing import Sealing
from strongroom_server.core.sys.status import Status
from strongroom_server.core.sys.wrapping import Wrapping
from strongroom_server.sdk.engine import Engine, Route, index_paths, join_paths
from strongroom_server.sdk.request import Request, Response
from strongroom_server.sdk.storage import Storage
from strongroom_server.sdk.system import System

AREAS: tuple[type[Area], ...] = (
    Status, Sealing, Mounts, Policies, Capabilities, Leases, Audit, Wrapping, Internal, Keys, Rekey,
    GenerateRoot, Metrics,
)  # fmt: skip


class Sys(Engine):
    """The server itself: its state, mounts, policies, leases and keys."""

    paths = join_paths("sys", AREAS)
    _by_first = index_paths(paths)

    def __init__(self, storage: Storage, system: System) -> None:
        super().__init__(storage, system)
        self._areas = [area(storage, system) for area in AREAS]
        self._owners = {
            route.handler: area for area in self._areas for path in area.paths for route in path.routes.values()
        }

    def attach(self, server: Any) -> None:
        """Hand the whole server to every area."""
        for area in self._areas:
            area.server = server

    async def call(self, route: Route, captures: dict[str, Any], request: Request) -> Response:
        """Serve a request in the area that declared its route."""
        return await self._owners[route.handler].call(route, captures, request)
