"""sys/wrapping: look at, open and renew wrapped answers."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from strongroom_common.fields import Given
from strongroom_common.secret import Secret
from strongroom_server.core import control_groups, wrapping
from strongroom_server.core.sys.area import Area
from strongroom_server.core.tokens import Token
from strongroom_server.sdk import codec
from strongroom_server.sdk.engine import read, write
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.request import Raw, Request, Response

if TYPE_CHECKING:
    from strongroom_server.core.server import Server


@dataclass(frozen=True)
class Named:
    """A wrapping token."""

    token: Annotated[Secret[str], "The wrapping token; the caller's own where left out."] = Secret("")


class Wrapping(Area):
    """Answers behind single-use tokens."""

    @write("wrapping/wrap")
    async def wrap(self, request: Request) -> Response:
        """Wrap the given data."""
        if not request.wrap_ttl:
            raise InvalidRequest("endpoint requires response wrapping to be used")
        body = wrapping.envelope(Response(request.data), request.id)
        info = await wrapping.keep(self.server, body, request.wrap_ttl, "sys/wrapping/wrap")
        return Response(wrap=info)

    @read("wrapping/lookup", public=True)
    @write("wrapping/lookup", public=True)
    async def look_up(self, body: Given[Named], request: Request) -> dict[str, Any]:
        """Describe a wrapping token, without using it."""
        home, token = await self._token(body.value.token.reveal() or request.token)
        facts = await wrapping.look(home, token)
        return {name: value for name, value in facts.items() if name != "wrapped_accessor"}

    @write("wrapping/unwrap")
    async def unwrap(self, body: Given[Named], request: Request) -> Response:
        """Open a wrapped answer; it can be opened once, also where its token is the caller's own.

        A request that was kept until others approved it is served now.
        """
        home, token = await self._token(body.value.token.reveal() or request.token)
        if await control_groups.find(home, token) is not None:
            return await control_groups.release(home, token, request.connection)
        stored = await wrapping.take(home, token, used=not body.value.token)
        if request.wrap_ttl:
            return Response(wrap=await wrapping.keep(self.server, stored, request.wrap_ttl, "sys/wrapping/unwrap"))
        return Response(raw=Raw(codec.encode(stored), "application/json"))

    @write("wrapping/rewrap")
    async def rewrap(self, body: Given[Named], request: Request) -> Response:
        """Put a wrapped answer behind a new token of the same lifetime."""
        home, token = await self._token(body.value.token.reveal() or request.token)
        facts = await wrapping.look(home, token)
        stored = await wrapping.take(home, token, used=not body.value.token)
        info = await wrapping.keep(home, stored, int(facts["creation_ttl"]), str(facts["creation_path"]),
                                   str(facts.get("wrapped_accessor", "")))  # fmt: skip
        return Response(wrap=info)

    async def _token(self, text: str) -> "tuple[Server, Token]":
        """Return a wrapping token and where it was made: whoever has it may open it, wherever that is."""
        home = self.server.home_of(text)
        return home, await wrapping.wrapped_token(home, text)
