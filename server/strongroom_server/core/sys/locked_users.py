"""sys/locked-users: who is locked out after failed logins."""

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

from strongroom_common.fields import Given
from strongroom_server.core.sys.area import Area
from strongroom_server.sdk.engine import read, write

if TYPE_CHECKING:
    from strongroom_server.core.server import Server


@dataclass(frozen=True)
class Where:
    """Which users to list."""

    mount_accessor: Annotated[str, "Those of this mount alone."] = ""


class LockedUsers(Area):
    """Users who are locked out."""

    @read("locked-users")
    async def read_locked(self, query: Given[Where]) -> dict[str, Any]:
        """List the users who are locked out, by mount."""
        rows = [_row(namespace, query.value.mount_accessor) for namespace in self.server.tree()]
        return {"by_namespace": rows, "total": sum(row["counts"] for row in rows)}

    @write("locked-users/{accessor:segment}/unlock/{name:rest}")
    async def unlock(self, accessor: Annotated[str, "Accessor of the mount."],
                     name: Annotated[str, "The user, as the method names it."]) -> None:  # fmt: skip
        """Let a user in again."""
        await self.server.lockouts.unlock((accessor, name))


def _row(namespace: "Server", asked: str) -> dict[str, Any]:
    """Return who is locked out in one namespace, by mount."""
    rows = [
        {"mount_accessor": accessor, "alias_identifiers": [name for _, name in users]}
        for accessor, users in groupby(namespace.lockouts.locked(), key=lambda user: user[0])
        if asked in ("", accessor)
    ]
    if asked and not rows:
        rows = [{"mount_accessor": asked, "alias_identifiers": []}]
    accessors = [{**row, "counts": len(row["alias_identifiers"])} for row in rows]
    return {
        "namespace_id": namespace.id,
        "namespace_path": namespace.path,
        "counts": sum(row["counts"] for row in accessors),
        "mount_accessors": accessors,
    }
