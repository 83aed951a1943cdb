"""sys/config: what can be set while the server runs, beside its file."""

from dataclasses import dataclass
from typing import Annotated, Any

from strongroom_common.fields import Given
from strongroom_server.core.cors import Cors
from strongroom_server.core.sys.area import Area
from strongroom_server.sdk.engine import delete, read, write
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.request import Response
from strongroom_server.sdk.storage import remove, save


@dataclass(frozen=True)
class CorsSettings(Cors):
    """Cross-origin requests, as the API has them."""

    enable: Annotated[bool, "Has no effect: writing enables, deleting disables."] = True


class ServerConfig(Area):
    """The server's own settings."""

    @read("config/cors", sudo=True)
    async def read_cors(self) -> Response:
        """Tell which web pages of other origins may ask."""
        cors = self.server.cors
        if not cors.enabled:
            return Response({"enabled": False}, top_level=True)
        data: dict[str, Any] = {
            "enabled": True, "allowed_origins": cors.allowed_origins, "allowed_headers": cors.headers,
            "allow_credentials": cors.allow_credentials,
        }  # fmt: skip
        return Response(data, top_level=True)

    @write("config/cors", sudo=True)
    async def write_cors(self, body: Given[CorsSettings]) -> None:
        """Let web pages of other origins ask."""
        asked = body.value
        cors = Cors(asked.allowed_origins, asked.allowed_headers, asked.allow_credentials)
        try:
            cors.check()
        except ValueError as error:
            raise InvalidRequest(str(error)) from None
        await save(self.server.settings, "cors", cors)
        self.server.cors = cors

    @delete("config/cors", sudo=True)
    async def delete_cors(self) -> None:
        """Let no web page of another origin ask."""
        await self.server.settings.commit([remove("cors")])
        self.server.cors = Cors()
