"""sys/internal: what clients ask behind their users' backs: which mount serves a path, what the API looks like."""

from typing import Annotated, Any

from strongroom_server.core.grants import Grant
from strongroom_server.core.holder import Holder
from strongroom_server.core.mounts import Mount, shown
from strongroom_server.core.sys.area import Area
from strongroom_server.sdk.engine import read
from strongroom_server.sdk.errors import PermissionDenied
from strongroom_server.sdk.request import Request, Response
from strongroom_server.sdk.version import VERSION


class Internal(Area):
    """For clients, not for people."""

    @read("internal/ui/mounts", public=True)
    async def ui_mounts(self, request: Request) -> dict[str, Any]:
        """List the mounts that the caller may see."""
        caller = await self._caller(request)
        if request.token and caller is None:
            raise PermissionDenied
        seen: dict[str, dict[str, Any]] = {"auth": {}, "secret": {}}
        for mount in self.server.mounts:
            public = mount.entry.config.listing_visibility == "unauth"
            if public or (caller is not None and await caller.reaches(mount.point)):
                seen[mount.table][mount.entry.path] = shown(mount, VERSION) if caller is not None else _glimpse(mount)
        return seen

    @read("internal/ui/mounts/{path:rest}", public=True)  # no policy need name it; the check is below
    async def ui_mount(self, path: Annotated[str, "Any path."], request: Request) -> dict[str, Any]:
        """Tell which mount serves a path, and of which type it is."""
        caller = await self._caller(request)
        if caller is None:
            raise PermissionDenied
        below, rest = self.server.namespaces.below(self.server, path)
        within, found = path[: len(path) - len(rest)], below.mounts.find(rest)
        # Whoever may do nothing below the mount does not learn whether it is there (Vault docs, sys/internal/ui).
        if found is None or not await caller.reaches(within + found[0].point):
            raise PermissionDenied(
                "preflight capability check returned 403, please ensure client's policies grant access to path "
                f'"{path.rstrip("/")}/"'
            )
        mount = found[0]
        return {**shown(mount, VERSION), "path": within + mount.entry.path}

    @read("internal/ui/resultant-acl")
    async def resultant_acl(self, request: Request) -> dict[str, Any]:
        """Show what the caller's policies grant together, paths with "+" in them left out."""
        caller = await self._caller(request)
        if caller is None:
            raise PermissionDenied
        if caller.rooted:
            return {"root": True}
        exact: dict[str, Any] = {}
        prefixes: dict[str, Any] = {}
        for grant in (await caller.rules()).grants():
            if "+" not in grant.path.split("/"):
                paths = prefixes if grant.path.endswith("*") else exact
                paths[grant.path.removesuffix("*")] = _grant(grant)
        return {"exact_paths": exact, "glob_paths": prefixes, "root": False}

    @read("internal/counters/entities")
    async def count_entities(self) -> dict[str, Any]:
        """Tell how many identity entities there are."""
        return {"counters": {"entities": {"total": len(self.server.identity.index.entities)}}}

    @read("internal/counters/tokens")
    async def count_tokens(self) -> dict[str, Any]:
        """Tell how many service tokens there are."""
        return {"counters": {"service_tokens": {"total": len(await self.server.tokens.accessors())}}}

    async def _caller(self, request: Request) -> Holder | None:
        holder = await self.server.holder(request.token)
        return holder if holder is not None and holder.usable else None

    @read("internal/ui/namespaces", public=True)
    async def namespaces(self, request: Request) -> dict[str, Any]:
        """List the namespaces below this one in which the caller may do anything."""
        caller = await self._caller(request)
        names = [f"{name}/" for name in sorted(self.server.children)]
        seen = [name for name in names if caller is not None and await caller.reaches(name)]
        return {"keys": seen} if seen else {}

    @read("internal/ui/feature-flags", public=True)
    async def feature_flags(self) -> Response:
        """List what the web interface may show: nothing special."""
        return Response({"feature_flags": []}, bare=True)


def _grant(grant: Grant) -> dict[str, Any]:
    parameters = {"allowed_parameters": grant.allowed, "denied_parameters": grant.denied,
                  "required_parameters": grant.required, "min_wrapping_ttl": int(grant.min_wrapping_ttl),
                  "max_wrapping_ttl": int(grant.max_wrapping_ttl)}  # fmt: skip
    return {"capabilities": sorted(grant.capabilities), **{name: value for name, value in parameters.items() if value}}


def _glimpse(mount: Mount) -> dict[str, Any]:
    """Return what is told of a mount before anyone has logged in."""
    return {"type": mount.entry.type, "description": mount.entry.description, "options": mount.entry.options}
