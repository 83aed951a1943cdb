"""A whole server in this process: memory below, a clock that is moved by hand, requests as values."""

from dataclasses import dataclass, field
from typing import Any

from strongroom_common.clock import FakeClock
from strongroom_server.core import dev
from strongroom_server.core.server import Options, Server
from strongroom_server.core.wrapping import envelope
from strongroom_server.sdk import codec
from strongroom_server.sdk.backend import Backend
from strongroom_server.sdk.errors import RequestError
from strongroom_server.sdk.request import Connection, Operation, Request
from strongroom_server.storage import open_backend


@dataclass
class Answer:
    """A status and the decoded body."""

    status: int
    body: Any

    @property
    def data(self) -> Any:
        return self.body["data"]

    @property
    def auth(self) -> Any:
        return self.body["auth"]

    @property
    def errors(self) -> list[str]:
        errors: list[str] = self.body["errors"]
        return errors


@dataclass
class Live:
    """A running server and how to talk to it. Keyword arguments of a call are the body."""

    server: Server
    clock: FakeClock
    backend: Backend
    token: str = "root"
    unseal_key: str = ""
    address: str = "127.0.0.1"
    seen: int = field(default=0)

    async def ask(self, operation: Operation, path: str, body: dict[str, Any] | None = None, *,
                  token: str | None = None, wrap_ttl: int = 0, namespace: str = "",
                  headers: dict[str, str] | None = None) -> Answer:  # fmt: skip
        self.seen += 1
        if operation is Operation.LIST and not path.endswith("/"):
            path += "/"
        request = Request(
            operation, path, codec.loads(codec.encode(body or {})), token=self.token if token is None else token,
            id=f"request-{self.seen}", wrap_ttl=wrap_ttl, connection=Connection(self.address), namespace=namespace,
            headers=headers or {},
        )  # fmt: skip
        try:
            response = await self.server.handle(request)
        except RequestError as error:
            return Answer(error.status, {"errors": list(error.messages), "data": error.data})
        if response.raw is not None:
            return Answer(response.raw.status, codec.loads(response.raw.body))
        body = response.data if response.bare else envelope(response, request.id)
        if response.top_level and response.data:
            body = response.data | body
        empty = response.data is None and response.auth is None and response.wrap is None and response.lease is None
        status = response.status or (204 if empty and not response.warnings else 200)
        return Answer(status, codec.loads(codec.encode(body)))

    async def get(self, path: str, **rest: Any) -> Answer:
        return await self.ask(Operation.READ, path, **rest)

    async def list(self, path: str, **rest: Any) -> Answer:
        return await self.ask(Operation.LIST, path, **rest)

    async def post(self, path: str, body: dict[str, Any] | None = None, **rest: Any) -> Answer:
        return await self.ask(Operation.UPDATE, path, body, **rest)

    async def delete(self, path: str, **rest: Any) -> Answer:
        return await self.ask(Operation.DELETE, path, **rest)

    async def make_token(self, **body: Any) -> str:
        """Create a token and return it."""
        token, namespace = body.pop("by", None), body.pop("namespace", "")
        answer = await self.post("auth/token/create", body, token=token, namespace=namespace)
        assert answer.status == 200, answer
        text: str = answer.auth["client_token"]
        return text


async def start_live(*, dev_mode: bool = True, backend: Backend | None = None, options: Options | None = None) -> Live:
    """Return a running server; without ``dev_mode`` it is not even initialised."""
    clock = FakeClock()
    backend = backend or await open_backend("inmem", {}, clock)
    server = Server(backend, clock, options or Options())
    await server.start()
    live = Live(server, clock, backend)
    if dev_mode:
        secrets = await dev.prepare(server, "root")
        live.unseal_key = secrets.unseal_key
    return live
