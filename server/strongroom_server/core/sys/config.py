"""sys/config: what can be set while the server runs, beside its file."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from strongroom_common.fields import Given, Names, public
from strongroom_server.core.cors import Cors
from strongroom_server.core.sys.area import Area
from strongroom_server.core.sys.state import sanitized
from strongroom_server.sdk.engine import delete, list_, read, write
from strongroom_server.sdk.errors import InvalidRequest, NotFound
from strongroom_server.sdk.request import Response
from strongroom_server.sdk.storage import load, remove, save


@dataclass(frozen=True)
class CorsSettings(Cors):
    """Cross-origin requests, as the API has them."""

    enable: Annotated[bool, "Has no effect: writing enables, deleting disables."] = True


@dataclass(frozen=True)
class UiHeader:
    """A header of the web interface's answers."""

    values: Annotated[Names, "The header's values."] = Names(())
    multivalue: Annotated[bool, "Show all values, not the first alone."] = False


@dataclass(frozen=True)
class MetricsSettings:
    """Whether sys/metrics answers."""

    enable: Annotated[bool, "Answer sys/metrics."] = True


@dataclass(frozen=True)
class GroupPolicyApplication:
    """How policies of groups apply across namespaces, of which there is one."""

    group_policy_application_mode: Annotated[
        Literal["within_namespace_hierarchy", "any"], "Where policies of groups apply."
    ] = "within_namespace_hierarchy"


HeaderName = Annotated[str, "Name of the header."]


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

    @list_("config/ui/headers", sudo=True)
    async def list_ui_headers(self) -> dict[str, Any]:
        """List the headers of the web interface's answers."""
        headers = await self._ui_headers()
        if not headers:
            raise NotFound
        return {"keys": sorted(headers)}

    @read("config/ui/headers/{header:segment}", sudo=True)
    async def read_ui_header(self, header: HeaderName, query: Given[UiHeader]) -> dict[str, Any]:
        """Read a header of the web interface's answers."""
        values = (await self._ui_headers()).get(header)
        if values is None:
            raise NotFound
        return {"values": values} if query.value.multivalue else {"value": values[0]}

    @write("config/ui/headers/{header:segment}", sudo=True)
    async def write_ui_header(self, header: HeaderName, body: Given[UiHeader]) -> None:
        """Set a header of the web interface's answers. It is kept; this server has no web interface."""
        if header.lower().startswith("x-vault-"):
            raise InvalidRequest("X-Vault headers cannot be set")
        if not body.value.values:
            raise InvalidRequest("header and values must be specified")
        await save(self.server.settings, "ui-headers", {**await self._ui_headers(), header: list(body.value.values)})

    @delete("config/ui/headers/{header:segment}", sudo=True)
    async def delete_ui_header(self, header: HeaderName) -> None:
        """Leave out a header of the web interface's answers."""
        headers = await self._ui_headers()
        headers.pop(header, None)
        await save(self.server.settings, "ui-headers", headers)

    async def _ui_headers(self) -> dict[str, list[str]]:
        return await load(self.server.settings, "ui-headers", dict[str, list[str]]) or {}

    @read("config/state/sanitized")
    async def state(self) -> dict[str, Any]:
        """Show the server file, without what is secret in it."""
        return sanitized(self.server.options.config)

    @write("config/reload/{subsystem}", sudo=True)
    async def reload(self, subsystem: Annotated[str, "listener, audit or license."]) -> None:
        """Read certificates and open audit files anew, as SIGHUP does."""
        if subsystem not in {"listener", "audit", "license"}:
            raise NotFound(f"unknown subsystem {subsystem!r}: expected listener, audit or license")
        if subsystem != "license":
            await self.server.reload()

    @read("config/metrics")
    async def read_metrics_settings(self) -> dict[str, Any]:
        """Tell whether sys/metrics answers."""
        return {"enable": self.server.metrics_enabled, "path": "sys/metrics"}

    @write("config/metrics", sudo=True)
    async def write_metrics_settings(self, body: Given[MetricsSettings]) -> None:
        """Let sys/metrics answer or not."""
        await save(self.server.settings, "metrics", body.value.enable)
        self.server.metrics_enabled = body.value.enable

    @read("config/group-policy-application")
    async def read_group_policies(self) -> dict[str, Any]:
        """Tell how policies of groups apply."""
        stored = await load(self.server.settings, "group-policies", GroupPolicyApplication)
        return public(stored or GroupPolicyApplication())

    @write("config/group-policy-application")
    async def write_group_policies(self, body: Given[GroupPolicyApplication]) -> None:
        """Set how policies of groups apply. With one namespace both ways are the same."""
        await save(self.server.settings, "group-policies", body.value)
