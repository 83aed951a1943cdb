"""One request on its way through the server: what each step finds out is left here for the next."""

from typing import TYPE_CHECKING, Any

from strongroom_server.core.acl import Decision
from strongroom_server.core.mounts import Mount
from strongroom_server.core.tokens import Token
from strongroom_server.sdk.engine import Engine
from strongroom_server.sdk.errors import RequestError
from strongroom_server.sdk.request import Operation, Request, Response
from strongroom_server.sdk.routes import Path, Route

if TYPE_CHECKING:
    from strongroom_server.core.control_groups import Held
    from strongroom_server.core.server import Server

_HELP = frozenset({Operation.HELP})


class Exchange:
    """Mutable and slotted: one object a request, however many steps look at it."""

    __slots__ = (
        "acl_path", "captures", "decision", "engine", "error", "full_path", "headers", "held", "home", "mount", "path",
        "recorded", "request", "response", "route", "sealed", "server", "spent", "token",
    )  # fmt: skip

    def __init__(self, server: "Server", request: Request) -> None:
        self.server = self.home = server  # home is where the token was made: here or above
        self.request = request
        self.full_path = self.acl_path = request.path  # the second is what the token's policies call it
        self.response: Response = Response()
        self.token: Token | None = None
        self.mount: Mount | None = None
        self.engine: Engine | None = None
        self.path: Path | None = None
        self.route: Route | None = None
        self.captures: dict[str, Any] = {}
        self.decision: Decision | None = None
        self.error: RequestError | None = None
        self.headers: dict[str, str] = {}
        self.recorded = False
        self.sealed = False
        self.spent = False
        self.held: Held | None = None  # the request that was kept until others approved it, and is served now
