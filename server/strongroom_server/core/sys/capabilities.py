"""sys/capabilities*: what a token may do at given paths."""

from dataclasses import dataclass
from typing import Annotated, Any

from strongroom_common.fields import Alias, Given, Names
from strongroom_common.secret import Secret
from strongroom_server.core.holder import Holder
from strongroom_server.core.sys.area import Area
from strongroom_server.sdk.engine import write
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.request import Request, Response


@dataclass(frozen=True)
class Question:
    """Paths, and whose capabilities at them."""

    paths: Annotated[Names, "Paths to ask about.", Alias("path")] = Names(())
    token: Annotated[Secret[str], "The token."] = Secret("")
    accessor: Annotated[str, "The token's accessor."] = ""


class Capabilities(Area):
    """What a token may do."""

    @write("capabilities")
    async def of_token(self, body: Given[Question]) -> Response:
        """Tell what a token may do at each path."""
        if not body.value.token:
            raise InvalidRequest("no token found: expected the token to ask about, in 'token'")
        holder = await self.server.holder(body.value.token.reveal())
        return await self._answer(holder, body.value)

    @write("capabilities-self")
    async def of_self(self, body: Given[Question], request: Request) -> Response:
        """Tell what the caller may do at each path."""
        return await self._answer(await self.server.holder(request.token), body.value)

    @write("capabilities-accessor")
    async def of_accessor(self, body: Given[Question]) -> Response:
        """Tell what the token of an accessor may do at each path."""
        if not body.value.accessor:
            raise InvalidRequest("missing accessor")
        holder = await self.server.holder_by_accessor(body.value.accessor)
        if holder is None:
            raise InvalidRequest("invalid accessor")
        return await self._answer(holder, body.value)

    async def _answer(self, holder: Holder | None, asked: Question) -> Response:
        if not asked.paths:
            raise InvalidRequest("paths must be supplied")
        if holder is None or not holder.usable:
            raise InvalidRequest("invalid token")
        found: dict[str, Any] = {path: await holder.capabilities(path) for path in asked.paths}
        if len(asked.paths) == 1:
            found["capabilities"] = found[asked.paths[0]]
        return Response(found, top_level=True)
