from pathlib import Path

from strongroom_server.sdk.backend import Backend
from strongroom_server.storage import open_backend
from tests.conformance.backend import BackendConformance


class TestMemory(BackendConformance):
    durable = False

    async def open_at(self, place: Path) -> Backend:
        return await open_backend("memory", {})
