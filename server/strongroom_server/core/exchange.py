"""One request on its way through the server: what each step finds out is left here for the next."""

from typing import TYPE_CHECKING, Any

import msgspec

from strongroom_server.core.acl import Decision
from strongroom_server.core.mounts import Mount
from strongroom_server.core.tokens import Token
from strongroom_server.sdk.engine import Engine
from strongroom_server.sdk.errors import RequestError
from strongroom_server.sdk.request import Request, Response
from strongroom_server.sdk.routes import Path, Route

if TYPE_CHECKING:
    from strongroom_server.core.control_groups import Held
    from strongroom_server.core.server import Server


class Exchange(msgspec.Struct, eq=False):
    """One object a request, however many steps look at it."""

    __repr__ = object.__repr__  # it holds all that is secret

    server: "Server"
    request: Request
    home: "Server"  # where the token was made: here or above
    full_path: str
    acl_path: str  # what the token's policies call the path
    held: "Held | None" = None  # the request that was kept until others approved it, and is served now
    sealed: bool = False
    mount: Mount | None = None
    engine: Engine | None = None
    path: Path | None = None
    route: Route | None = None
    captures: dict[str, Any] = msgspec.field(default_factory=dict)
    token: Token | None = None
    decision: Decision | None = None
    response: Response = msgspec.field(default_factory=Response)
    error: RequestError | None = None
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    recorded: bool = False
    spent: bool = False
