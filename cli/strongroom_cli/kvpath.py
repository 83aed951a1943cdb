"""Where a key/value secret lives: which mount, which version of the engine, which path of the API."""

from typing import NamedTuple

from strongroom_cli.session import Session
from strongroom_client import PermissionDenied


class KvPath(NamedTuple):
    """``mount`` ends in a slash; ``name`` is the path inside it."""

    mount: str
    name: str
    v2: bool

    def full(self, part: str) -> str:
        """Return the API path; ``part`` is data, metadata, delete, … and counts on version 2 only."""
        return f"{self.mount}{part}/{self.name}".rstrip("/") if self.v2 else self.mount + self.name


def resolve(session: Session, key: str) -> KvPath:
    """Ask the server which mount ``key`` belongs to; with ``-mount`` the key is a name inside that mount.

    Raises the server's ApiError. A server without the question (404) is taken to have version 1.
    """
    key, mount = key.strip().strip("/"), session.options.text("mount").strip().strip("/")
    asked = mount or key
    try:
        response = session.look(f"sys/internal/ui/mounts/{asked}")
    except PermissionDenied as error:
        if not error.says("token"):
            error.hint = (
                f'No permission, or no such mount: a policy of this token must grant something below "{asked}/", on '
                "version 2 with data/ after the mount."
            )
        raise
    if response is None:
        return KvPath("", f"{mount}/{key}" if mount else key, v2=False)
    found = response.data or {}
    path = _relative(found.get("path") or (f"{mount}/" if mount else ""), asked)
    name = key if mount else key.removeprefix(path.rstrip("/")).lstrip("/")
    return KvPath(path, name, v2=str((found.get("options") or {}).get("version")) == "2")


def _relative(mount: str, asked: str) -> str:
    """Return a mount's path as ``asked`` has it: OpenBao names one in a namespace below from the root."""
    parts = mount.split("/")
    tails = ("/".join(parts[skipped:]) for skipped in range(len(parts) - 1))
    return next((tail for tail in tails if f"{asked}/".startswith(tail)), mount)
