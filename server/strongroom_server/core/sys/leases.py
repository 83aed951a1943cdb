"""sys/leases: look up, renew, revoke."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from strongroom_common.fields import Given, Seconds
from strongroom_server.core.sys.area import Area
from strongroom_server.sdk.engine import list_, read, write
from strongroom_server.sdk.errors import InvalidRequest, NotFound, RequestError
from strongroom_server.sdk.request import Response

if TYPE_CHECKING:
    from strongroom_server.core.server import Server

Prefix = Annotated[str, "Beginning of the lease ids."]


@dataclass(frozen=True)
class LeaseId:
    """A lease by its id."""

    lease_id: Annotated[str, "The lease's id."] = ""
    url_lease_id: Annotated[str, "The lease's id, from the path."] = ""
    increment: Annotated[Seconds, "Time asked for; the server may grant less."] = Seconds(0)
    sync: Annotated[bool, "Wait until it is done."] = False


@dataclass(frozen=True)
class Which:
    """Which leases to count or show (HTTP API, "sys/leases")."""

    type: Annotated[str, 'Nothing for all, or "irrevocable".'] = ""
    limit: Annotated[str, 'How many to show, or "none" for all of them.'] = str(10_000)
    include_child_namespaces: Annotated[bool, "Those of namespaces below too."] = False

    def check(self) -> None:
        """Raise NotFound for a type that is not there, as the peer does, and InvalidRequest for a wrong limit."""
        if self.type.lower() not in ("", "irrevocable"):
            raise NotFound
        if self.limit != "none" and not (self.limit.isascii() and self.limit.isdigit()):
            raise InvalidRequest('limit: expected a number or "none"')


class Leases(Area):
    """Secrets with an end."""

    @write("leases/lookup")
    async def look_up(self, body: Given[LeaseId]) -> dict[str, Any]:
        """Describe a lease."""
        home = self._home(body.value)
        entry = await home.leases.get(_id(body.value))
        facts = {**entry.facts(self.server.clock.now()), "path": entry.path}
        return facts | {"namespace_path": home.path} if home.path else facts

    @list_("leases/lookup", sudo=True)
    @list_("leases/lookup/{prefix:any}", sudo=True)
    async def list_leases(self, prefix: Prefix = "") -> dict[str, Any]:
        """List lease ids below a prefix."""
        folder = prefix.strip("/")
        names = await self.server.leases.names(folder + "/" if folder else "")
        if not names:
            raise NotFound
        return {"keys": names}

    @write("leases/renew")
    async def renew_lease(self, body: Given[LeaseId]) -> Response:
        """Renew a lease."""
        home = self._home(body.value)
        entry = await home.leases.find(_id(body.value))
        if entry is None:
            raise InvalidRequest("lease not found")
        return await home.renewal.renew_lease(entry, body.value.increment)

    @write("renew")
    async def renew_old(self, body: Given[LeaseId]) -> Response:
        """Renew a lease (older path)."""
        return await self.renew_lease(body)

    @write("leases/renew/{url_lease_id:rest}")
    async def renew_by_path(self, url_lease_id: Annotated[str, "The lease's id."], body: Given[LeaseId]) -> Response:
        """Renew the lease in the path."""
        del url_lease_id
        return await self.renew_lease(body)

    @write("renew/{url_lease_id:rest}")
    async def renew_old_by_path(
        self, url_lease_id: Annotated[str, "The lease's id."], body: Given[LeaseId]
    ) -> Response:
        """Renew the lease in the path (older path)."""
        del url_lease_id
        return await self.renew_lease(body)

    @write("leases/revoke")
    async def revoke_lease(self, body: Given[LeaseId]) -> Response | None:
        """End a lease."""
        return await self._revoke(body.value)

    @write("revoke")
    async def revoke_old(self, body: Given[LeaseId]) -> Response | None:
        """End a lease (older path)."""
        return await self._revoke(body.value)

    @write("leases/revoke/{url_lease_id:rest}")
    async def revoke_by_path(
        self, url_lease_id: Annotated[str, "The lease's id."], body: Given[LeaseId]
    ) -> Response | None:
        """End the lease in the path."""
        del url_lease_id
        return await self._revoke(body.value)

    @write("revoke/{url_lease_id:rest}")
    async def revoke_old_by_path(
        self, url_lease_id: Annotated[str, "The lease's id."], body: Given[LeaseId]
    ) -> Response | None:
        """End the lease in the path (older path)."""
        del url_lease_id
        return await self._revoke(body.value)

    async def _revoke(self, asked: LeaseId) -> Response | None:
        lease_id, leases = _id(asked), self._home(asked).leases
        if asked.sync:
            with _told():
                await leases.revoke(lease_id)
            return None
        await leases.revoke_or_retry(lease_id)
        return None

    def _home(self, asked: LeaseId) -> "Server":
        """Return the namespace that a lease was made in; raises PermissionDenied for one from above or beside."""
        return self.server.named(_id(asked))

    @write("leases/revoke-prefix/{prefix:rest}", sudo=True)
    async def revoke_prefix(self, prefix: Prefix) -> None:
        """End every lease whose id begins so."""
        with _told():
            await self.server.leases.revoke_many(await self.server.leases.ids(prefix))

    @write("revoke-prefix/{prefix:rest}", sudo=True)
    async def revoke_prefix_old(self, prefix: Prefix) -> None:
        """End every lease whose id begins so (older path)."""
        await self.revoke_prefix(prefix)

    @write("leases/revoke-force/{prefix:rest}", sudo=True)
    async def revoke_force(self, prefix: Prefix) -> None:
        """End every lease whose id begins so, also where the source refuses."""
        await self.server.leases.revoke_many(await self.server.leases.ids(prefix), force=True)

    @write("revoke-force/{prefix:rest}", sudo=True)
    async def revoke_force_old(self, prefix: Prefix) -> None:
        """End every lease whose id begins so, also where the source refuses (older path)."""
        await self.revoke_force(prefix)

    @read("leases", sudo=True)
    async def irrevocable(self, query: Given[Which]) -> dict[str, Any]:
        """List the leases whose revocation was given up."""
        query.value.check()
        rows = [
            {"lease_id": lease_id, "error": error}
            for server in self._asked(query.value)
            for lease_id, error in server.leases.irrevocable().items()
        ]
        most = len(rows) if query.value.limit == "none" else int(query.value.limit)
        return {"lease_count": len(rows), "leases": rows[:most]}

    @read("leases/count")
    async def count(self, query: Given[Which]) -> dict[str, Any]:
        """Count the leases by mount: all of them, or the irrevocable ones alone."""
        query.value.check()
        counts: dict[str, int] = {}
        for server in self._asked(query.value):
            leases, below = server.leases, server.path.removeprefix(self.server.path)
            for lease_id in leases.irrevocable() if query.value.type else leases.ending():
                found = server.mounts.find(lease_id)
                point = below + (found[0].point if found else "")
                counts[point] = counts.get(point, 0) + 1
        return {"lease_count": sum(counts.values()), "counts": counts}

    def _asked(self, which: Which) -> "list[Server]":
        return list(self.server.tree()) if which.include_child_namespaces else [self.server]

    @write("leases/tidy")
    async def tidy(self) -> Response:
        """Clean up what broken leases left behind."""
        return Response(warnings=["Tidy operation successfully started. Any information from the operation "
                                  "will be printed to the server's logs."], status=202)  # fmt: skip


@contextmanager
def _told() -> Iterator[None]:
    """Tell what an engine said when it could not take a secret back: the lease stays."""
    try:
        yield
    except RequestError as error:
        raise InvalidRequest(f"failed to revoke entry: {error}") from error


def _id(asked: LeaseId) -> str:
    lease_id = asked.lease_id or asked.url_lease_id
    if not lease_id:
        raise InvalidRequest("lease_id must be specified")
    return lease_id
