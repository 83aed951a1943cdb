"""Engines of the server's own (sys/, identity/): areas, one a file, put together as one mount.

They are handed the whole server, as no engine of a package is.
"""

from typing import TYPE_CHECKING, Any, ClassVar

from strongroom_server.sdk.engine import Engine, join_paths
from strongroom_server.sdk.request import Request, Response
from strongroom_server.sdk.routes import Route, index_paths
from strongroom_server.sdk.storage import Storage
from strongroom_server.sdk.system import System

if TYPE_CHECKING:
    from strongroom_server.core.server import Server


class Area(Engine):
    """A part of such an engine. Its storage is the mount's."""

    server: "Server"


class Composed(Engine):
    """The engine that joins the areas named in ``AREAS``."""

    AREAS: ClassVar[tuple[type[Area], ...]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        cls.paths = join_paths(cls.__qualname__, cls.AREAS)
        cls._by_text, cls._by_first = index_paths(cls.paths)
        super().__init_subclass__(**kwargs)

    def __init__(self, storage: Storage, system: System) -> None:
        super().__init__(storage, system)
        self._areas = [area(storage, system) for area in self.AREAS]
        self._owners = {
            route.handler: area for area in self._areas for path in area.paths for route in path.routes.values()
        }

    def attach(self, server: "Server") -> None:
        """Hand the whole server to every area."""
        for area in self._areas:
            area.server = server

    async def start(self) -> None:
        """Make every area ready."""
        for area in self._areas:
            await area.start()

    async def tick(self) -> None:
        """Do what is due in every area."""
        for area in self._areas:
            await area.tick()

    async def call(self, route: Route, captures: dict[str, Any], request: Request) -> Response:
        """Serve a request in the area that declared its route."""
        return await self._owners[route.handler].call(route, captures, request)
