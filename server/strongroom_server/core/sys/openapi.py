"""sys/internal/specs/openapi: the API of this server as it is mounted, as far as the caller may use it."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Annotated

from strongroom_common.fields import Given
from strongroom_server.core.mounts import Mount
from strongroom_server.core.sys.area import Area
from strongroom_server.sdk.engine import read, write
from strongroom_server.sdk.openapi import Described, document
from strongroom_server.sdk.request import Request, Response

SINGLE = frozenset({"system", "identity", "cubbyhole", "token"})
_TAGS = {"system": "system", "identity": "identity", "cubbyhole": "secrets"}


@dataclass(frozen=True)
class Form:
    """How the document shall be."""

    generic_mount_paths: Annotated[bool, "Name mounts by variables, one of each type."] = False
    context: Annotated[str, "Has no effect; Vault's web interface sends it."] = ""


class OpenApi(Area):
    """The API, described."""

    @read("internal/specs/openapi", public=True)
    async def read_openapi(self, form: Given[Form], request: Request) -> Response:
        """Describe the API as an OpenAPI document: every path that the caller may use."""
        return await self._document(form.value, request)

    @write("internal/specs/openapi", public=True)
    async def write_openapi(self, form: Given[Form], request: Request) -> Response:
        """Describe the API as an OpenAPI document."""
        return await self._document(form.value, request)

    async def _document(self, form: Form, request: Request) -> Response:
        seen = [mount async for mount in self._seen(request)]
        return Response(document(_described(seen, generic=form.generic_mount_paths)), bare=True)

    async def _seen(self, request: Request) -> AsyncIterator[Mount]:
        holder = await self.server.holder(request.token)
        if holder is None or not holder.usable:
            return
        for mount in self.server.mounts:
            if await holder.reaches(mount.point):
                yield mount


def _described(mounts: list[Mount], *, generic: bool) -> Iterator[Described]:
    kinds = set()
    for mount in mounts:
        if mount.engine is None:
            continue
        kind, point = mount.entry.type.removeprefix("ns_"), mount.point
        if generic and kind not in SINGLE:
            if (mount.table, kind) in kinds:
                continue
            kinds.add((mount.table, kind))
            point = f"{'auth/' if mount.table == 'auth' else ''}{{{kind.replace('-', '_')}_mount_path}}/"
        tag = _TAGS.get(kind, "auth" if mount.table == "auth" else "secrets")
        yield Described(point, kind, tag, tuple(mount.engine.paths))
