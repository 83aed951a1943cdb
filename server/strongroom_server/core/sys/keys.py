"""sys/key-status and rotate: the barrier's own key."""

from typing import Any

from strongroom_common.clock import rfc3339
from strongroom_common.fields import Given
from strongroom_server.core.key_rotation import Rotation, shown
from strongroom_server.core.sys.area import Area
from strongroom_server.sdk.engine import read, write
from strongroom_server.sdk.request import Response
from strongroom_server.sdk.storage import save


class Keys(Area):
    """The key that encrypts the store."""

    @read("key-status")
    async def key_status(self) -> Response:
        """Describe the active encryption key."""
        info = self.server.barrier.key_info()
        data: dict[str, Any] = {"term": info.term, "install_time": rfc3339(info.installed),
                                "encryptions": info.encryptions}  # fmt: skip
        return Response(data, top_level=True)

    @read("rotate/config")
    @read("rotate/keyring/config")
    async def read_rotation(self) -> dict[str, Any]:
        """Tell when the encryption key is replaced by itself."""
        return shown(self.server.rotation)

    @write("rotate/config")
    @write("rotate/keyring/config")
    async def write_rotation(self, body: Given[Rotation]) -> None:
        """Set when the encryption key is replaced by itself."""
        rotation = body.over(self.server.rotation)
        rotation.check()
        await save(self.server.settings, "rotation", rotation)
        self.server.rotation = rotation

    @write("rotate/keyring", sudo=True)
    @write("rotate", sudo=True)
    @write("rotate/keyring", sudo=True)
    async def rotate(self) -> None:
        """Install a new encryption key for what is written from now on."""
        await self.server.barrier.rotate()
