"""sys/plugins: the types of engines there are; all are built in."""

from typing import Annotated, Any, NoReturn

from strongroom_server.core.sys.area import Area
from strongroom_server.sdk.engine import delete, list_, read, write
from strongroom_server.sdk.errors import InvalidRequest, NotFound
from strongroom_server.sdk.parts import known_parts
from strongroom_server.sdk.version import VERSION

Kind = Annotated[str, "auth, database or secret."]
Name = Annotated[str, "Name of the type."]

_DATABASES = ("postgresql-database-plugin",)
_VERSION = f"v{VERSION}+builtin.strongroom"


class Plugins(Area):
    """Types of engines."""

    @read("plugins/catalog")
    async def read_catalog(self) -> dict[str, Any]:
        """List all types."""
        catalog = _catalog()
        rows = [{"builtin": True, "deprecation_status": "supported", "name": name, "type": kind, "version": _VERSION}
                for kind, names in catalog.items() for name in names]  # fmt: skip
        return {**catalog, "detailed": rows}

    @list_("plugins/catalog/{kind}")
    async def list_kind(self, kind: Kind) -> dict[str, Any]:
        """List the types of one kind."""
        catalog = _catalog()
        if kind not in catalog:
            raise InvalidRequest(f"unknown kind {kind!r}: expected one of {', '.join(catalog)}")
        return {"keys": catalog[kind]}

    @read("plugins/catalog/{kind}/{name}")
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


def _catalog() -> dict[str, list[str]]:
    engines = known_parts("strongroom_server.engines")
    return {
        "auth": known_parts("strongroom_server.auth"),
        "database": list(_DATABASES) if "database" in engines else [],
        "secret": [name for name in engines if name != "cubbyhole"],
    }
