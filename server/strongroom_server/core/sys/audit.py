"""sys/audit: which devices record requests, and what they write for a value."""

from dataclasses import dataclass, field
from typing import Annotated, Any

from strongroom_common.fields import Given, Pairs
from strongroom_common.secret import Secret
from strongroom_server.core.audit_broker import DeviceEntry
from strongroom_server.core.sys.area import Area
from strongroom_server.sdk.engine import delete, read, write
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.request import Response

HeaderName = Annotated[str, "Name of the header."]
DevicePath = Annotated[str, "Name of the device."]


@dataclass(frozen=True)
class Enable:
    """A device to enable."""

    type: Annotated[str, "Type of the device."]
    description: Annotated[str, "For people."] = ""
    options: Annotated[Pairs, "The device's options."] = field(default_factory=lambda: Pairs({}))
    local: Annotated[bool, "Keep it out of replication."] = False


@dataclass(frozen=True)
class Header:
    """A request header to be shown."""

    hmac: Annotated[bool, "Show its hash only."] = False


@dataclass(frozen=True)
class Input:
    """A value to hash."""

    input: Annotated[Secret[str], "The value."] = Secret("")


class Audit(Area):
    """The record of every request."""

    @read("audit", sudo=True)
    async def list_devices(self) -> Response:
        """List the audit devices."""
        rows: dict[str, Any] = {
            path: {"type": e.type, "description": e.description, "options": e.options, "local": e.local, "path": e.path}
            for path, e in ((path, opened.entry) for path, opened in sorted(self.server.audit.devices.items()))
        }
        return Response(rows, top_level=True)

    @write("audit/{path:rest}", sudo=True)
    async def enable(self, path: DevicePath, body: Given[Enable]) -> None:
        """Enable a device."""
        asked = body.value
        entry = DeviceEntry(path.strip("/") + "/", asked.type, asked.description, dict(asked.options), asked.local)
        await self.server.audit.enable(entry)

    @delete("audit/{path:rest}", sudo=True)
    async def disable(self, path: DevicePath) -> None:
        """Disable a device."""
        await self.server.audit.disable(path.strip("/") + "/")

    @read("config/auditing/request-headers", sudo=True)
    async def read_headers(self) -> Response:
        """List the request headers that entries show."""
        headers = self.server.audit.headers
        return Response({"headers": {name: {"hmac": hashed} for name, hashed in headers.items()}}, top_level=True)

    @read("config/auditing/request-headers/{header:segment}", sudo=True)
    async def read_header(self, header: HeaderName) -> Response:
        """Tell how entries show a request header."""
        name = header.lower()
        if name not in self.server.audit.headers:
            raise InvalidRequest("Could not find header in config")
        return Response({header: {"hmac": self.server.audit.headers[name]}}, top_level=True)

    @write("config/auditing/request-headers/{header:segment}", sudo=True)
    async def write_header(self, header: HeaderName, body: Given[Header]) -> None:
        """Let entries show a request header."""
        await self.server.audit.show_headers({**self.server.audit.headers, header.lower(): body.value.hmac})

    @delete("config/auditing/request-headers/{header:segment}", sudo=True)
    async def delete_header(self, header: HeaderName) -> None:
        """Let entries leave out a request header."""
        rest = {name: hashed for name, hashed in self.server.audit.headers.items() if name != header.lower()}
        await self.server.audit.show_headers(rest)

    @write("audit-hash/{path:rest}")
    async def hash(self, path: DevicePath, body: Given[Input]) -> dict[str, str]:
        """Return what a device writes in place of a value."""
        if not body.value.input:
            raise InvalidRequest('the "input" parameter is empty')
        return {"hash": self.server.audit.hash(path.strip("/") + "/", body.value.input.reveal())}
