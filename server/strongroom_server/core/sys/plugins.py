"""sys/plugins: the types of engines there are; all are built in."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NoReturn

from strongroom_common.fields import Given, Names
from strongroom_server.core.leases import fresh_nonce
from strongroom_server.core.mounts import SINGLE, Mount
from strongroom_server.core.sys.area import Area
from strongroom_server.sdk.engine import delete, list_, read, write
from strongroom_server.sdk.errors import InvalidRequest, NotFound, UnsupportedOperation
from strongroom_server.sdk.parts import known_parts
from strongroom_server.sdk.request import Response
from strongroom_server.sdk.version import VERSION

Kind = Annotated[str, "auth, database or secret."]
Name = Annotated[str, "Name of the type."]
OldName = Annotated[str, "auth, database or secret to list; a name alone is an older form."]

_VARIANTS = ("mysql-aurora", "mysql-legacy", "mysql-rds")
_VERSION = f"v{VERSION}+builtin.strongroom"


@dataclass(frozen=True)
class Reload:
    """What to start anew: all mounts of a type, or the mounts named."""

    plugin: Annotated[str, "Name of a type."] = ""
    mounts: Annotated[Names, "Mount points."] = Names(())
    scope: Annotated[Literal["", "global"], 'Nothing, or "global" for every server of the cluster.'] = ""


class Plugins(Area):
    """Types of engines."""

    @read("plugins/catalog")
    async def read_catalog(self) -> dict[str, Any]:
        """List all types."""
        catalog = _catalog()
        rows = [{"builtin": True, "deprecation_status": "supported", "name": name, "type": kind, "version": _VERSION}
                for kind, names in catalog.items() for name in names]  # fmt: skip
        return {**catalog, "detailed": rows}

    @list_("plugins/catalog/{name}", sudo=True)
    async def list_kind(self, name: OldName) -> dict[str, Any]:
        """List the types of one kind."""
        catalog = _catalog()
        if name not in catalog:
            raise UnsupportedOperation
        return {"keys": catalog[name]}

    @read("plugins/catalog/{name}", sudo=True)
    async def read_old(self, name: OldName) -> Response:
        """Say that a type is named by its kind too."""
        return _old(name, "read plugin information from catalog")

    @write("plugins/catalog/{name}", sudo=True)
    async def write_old(self, name: OldName) -> NoReturn:
        """Refuse: plug-ins are not supported."""
        await self.write_type("", name)

    @delete("plugins/catalog/{name}", sudo=True)
    async def delete_old(self, name: OldName) -> Response:
        """Say that a type is named by its kind too."""
        return _old(name, "deregister plugin from catalog")

    @read("plugins/catalog/{kind}/{name}", sudo=True)
    async def read_type(self, kind: Kind, name: Name) -> dict[str, Any]:
        """Describe a type."""
        if name not in _catalog().get(kind, ()):
            raise NotFound
        return {"args": None, "builtin": True, "command": "", "deprecation_status": "supported", "name": name,
                "sha256": "", "version": _VERSION}  # fmt: skip

    @write("plugins/catalog/{kind}/{name}", sudo=True)
    async def write_type(self, kind: Kind, name: Name) -> NoReturn:
        """Refuse: plug-ins are not supported."""
        del kind, name
        raise InvalidRequest("plug-ins are not supported: every engine is built in")

    @delete("plugins/catalog/{kind}/{name}", sudo=True)
    async def delete_type(self, kind: Kind, name: Name) -> None:
        """Do nothing: what is built in stays."""
        del kind, name

    @write("plugins/reload/backend")
    async def reload(self, body: Given[Reload]) -> dict[str, str]:
        """Start engines anew over what they stored; connections and what they hold in memory go."""
        asked = body.value
        if bool(asked.plugin) == bool(asked.mounts):
            raise InvalidRequest("plugin and mounts cannot be set at the same time" if asked.plugin
                                 else "plugin or mounts must be provided")  # fmt: skip
        for mount in self._of_type(asked.plugin) if asked.plugin else [self._named(point) for point in asked.mounts]:
            await self.server.mounts.restart(mount)
        return {"reload_id": fresh_nonce()}

    @write("plugins/reload/{kind}/{name}")
    async def reload_type(self, kind: Kind, name: Name) -> dict[str, str]:
        """Start all mounts of a type anew."""
        known = _catalog()
        if kind not in known:
            raise InvalidRequest(f"unknown kind {kind!r}: expected one of {', '.join(known)}")
        return await self.reload(Given(Reload(plugin=name), frozenset({"plugin"})))

    def _of_type(self, name: str) -> list[Mount]:
        if name in SINGLE:
            raise InvalidRequest(f'singleton plugin cannot be reloaded: "{name}"')
        if not any(name in names for names in _catalog().values()):
            raise InvalidRequest(f'plugin not found in the catalog: "{name}"')
        kind = "database" if name.endswith("-database-plugin") else name
        return [mount for mount in self.server.mounts if mount.entry.type == kind]

    def _named(self, point: str) -> Mount:
        mount = self.server.mounts.at(point.strip("/") + "/")
        if mount is None:
            raise InvalidRequest(f'cannot fetch mount entry on "{point.strip("/")}/"')
        if mount.entry.type in SINGLE:
            raise InvalidRequest(f'singleton plugin cannot be reloaded: "{mount.entry.type}"')
        return mount


def _old(name: str, what: str) -> Response:
    return Response(warnings=[f'Deprecated API endpoint, cannot {what} for "{name}"'])


def _catalog() -> dict[str, list[str]]:
    engines = known_parts("strongroom_server.engines")
    return {
        "auth": known_parts("strongroom_server.auth"),
        "database": sorted(f"{name}-database-plugin" for name in _databases()) if "database" in engines else [],
        "secret": [name for name in engines if name != "cubbyhole"],
    }


def _databases() -> Iterator[str]:
    yield from known_parts("strongroom_server.engines.database.plugins")
    yield from _VARIANTS
