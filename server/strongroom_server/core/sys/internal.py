"""sys/internal: what clients ask behind their users' backs: which mount serves a path, what the API looks like."""

from typing import Annotated, Any

from strongroom_server.core.mounts import Mount
from strongroom_server.core.sys.area import Area
from strongroom_server.core.tokens import Token
from strongroom_server.sdk.engine import read
from strongroom_server.sdk.errors import PermissionDenied
from strongroom_server.sdk.request import Request


class Internal(Area):
    """For clients, not for people."""

    @read("internal/ui/mounts", public=True)
    async def ui_mounts(self, request: Request) -> dict[str, Any]:
        """List the mounts that the caller may see."""
        token = await self.server.tokens.lookup(request.token) if request.token else None
        seen: dict[str, dict[str, Any]] = {"auth": {}, "secret": {}}
        for mount in self.server.mounts:
            public = mount.entry.config.listing_visibility == "unauth"
            if public or (token is not None and await self._reaches(token, mount)):
                seen[mount.table][mount.entry.path] = _row(mount, whole=token is not None)
        return seen

    @read("internal/ui/mounts/{path:rest}", public=True)  # no policy need name it; the check is below
    async def ui_mount(self, path: Annotated[str, "Any path."], request: Request) -> dict[str, Any]:
        """Tell which mount serves a path, and of which type it is."""
        token = await self.server.tokens.lookup(request.token) if request.token else None
        found = self.server.mounts.find(path)
        # Whoever may do nothing below the mount does not learn whether it is there (Vault docs, sys/internal/ui).
        if token is None or found is None or not await self._reaches(token, found[0]):
            raise PermissionDenied(
                "preflight capability check returned 403, please ensure client's policies grant access to path "
                f'"{path.rstrip("/")}/"'
            )
        mount = found[0]
        return {**_row(mount, whole=True), "path": mount.point}

    async def _reaches(self, token: Token, mount: Mount) -> bool:
        if token.root:
            return True
        rules = await self.server.policies.rules(token)
        return rules.reaches(mount.point)


def _row(mount: Mount, *, whole: bool) -> dict[str, Any]:
    entry = mount.entry
    row: dict[str, Any] = {"type": entry.type, "description": entry.description, "options": entry.options}
    if whole:
        config = {"default_lease_ttl": entry.config.default_lease_ttl, "max_lease_ttl": entry.config.max_lease_ttl,
                  "force_no_cache": entry.config.force_no_cache}  # fmt: skip
        row |= {"accessor": entry.accessor, "config": config, "local": entry.local, "seal_wrap": entry.seal_wrap,
                "external_entropy_access": entry.external_entropy_access, "uuid": entry.uuid}  # fmt: skip
    return row
