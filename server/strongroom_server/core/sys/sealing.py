"""sys/init, unseal, seal."""

from dataclasses import dataclass
from typing import Annotated

from strongroom_common.fields import Given
from strongroom_common.secret import Secret
from strongroom_server.core.sealing import InitRequest, decode_share
from strongroom_server.core.sys.area import Area
from strongroom_server.core.sys.status import sealing_state
from strongroom_server.sdk.engine import read, write
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.request import Response


@dataclass(frozen=True)
class Share:
    """One share of the unseal key."""

    key: Annotated[Secret[str], "A share, in hex or base64."] = Secret("")
    reset: Annotated[bool, "Forget the shares given so far."] = False
    migrate: Annotated[bool, "Part of a seal migration."] = False


class Sealing(Area):
    """The barrier's door."""

    @read("init", public=True, when_sealed=True)
    async def read_init(self) -> Response:
        """Tell whether the server is initialised."""
        return Response({"initialized": await self.server.sealing.initialized()}, bare=True)

    @write("init", public=True, when_sealed=True)
    async def init(self, asked: Given[InitRequest]) -> Response:
        """Initialise the server; shares and root token are shown this one time."""
        return Response(await self.server.sealing.initialize(asked.value, self.server.make_root_token), bare=True)

    @write("unseal", public=True, when_sealed=True)
    async def unseal(self, share: Given[Share]) -> Response:
        """Hand in one share."""
        given = share.value
        if given.reset and not self.server.sealed:
            raise InvalidRequest("vault is unsealed")
        if given.migrate:
            raise InvalidRequest("can't perform a seal migration, no migration seal found")
        if given.reset:
            self.server.sealing.reset()
        elif not given.key:
            raise InvalidRequest("'key' must be specified in request body as JSON, or 'reset' set to true")
        else:
            await self.server.sealing.unseal(decode_share(given.key.reveal()))
        return Response(sealing_state(self.server), bare=True)

    @write("seal", sudo=True)
    async def seal(self) -> None:
        """Seal the server: it forgets its keys."""
        self.server.seal_after_answer()

    @write("step-down", sudo=True)
    async def step_down(self) -> None:
        """Give up being active; a single server stays so."""
