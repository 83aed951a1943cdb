"""The secrets servers, as the operator sees them: ``Server`` is the seam, ``HttpServer`` the real one on aiohttp.

Requests and answers are ``strongroom_client``'s; only the sending is done here, on the operator's own event loop.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from ssl import SSLContext
from typing import Any, Protocol

import aiohttp
from yarl import URL

from strongroom_client import NotFound, Operation, Response, Unreachable, handle, prepare, request_headers

_TIMEOUT = aiohttp.ClientTimeout(total=10, connect=3)
# Any state is an answer: the body says which.
_HEALTH = {"standbyok": "true", "perfstandbyok": "true", "sealedcode": "200", "uninitcode": "200"}


class Server(Protocol):
    """One server and the token to use with it ("" for none)."""

    token: str

    async def call(
        self, operation: Operation, path: str, data: Any = None, query: Mapping[str, str] | None = None
    ) -> Response:
        """Do one operation; raises ClientError."""
        ...


@dataclass(frozen=True)
class Health:
    """What a server says of itself."""

    initialized: bool
    sealed: bool
    standby: bool
    version: str


async def health(server: Server) -> Health:
    """Ask a server how it is; raises ClientError when it does not answer."""
    body = (await server.call("read", "sys/health", query=_HEALTH)).body or {}
    return Health(
        initialized=bool(body.get("initialized")),
        sealed=bool(body.get("sealed", True)),
        standby=bool(body.get("standby")),
        version=str(body.get("version", "")),
    )


async def find(server: Server, path: str) -> Any:
    """Return the data at ``path``, or None where there is nothing."""
    try:
        return (await server.call("read", path)).data
    except NotFound:
        return None


class HttpServer:
    """A server at ``address`` (a URL with a pod's IP); ``host`` is the name its certificate has to have."""

    def __init__(
        self, session: aiohttp.ClientSession, address: str, context: SSLContext | None = None, host: str = ""
    ) -> None:
        self.token = ""
        self._session, self._address, self._host = session, address, host
        self._ssl = context or True

    def __repr__(self) -> str:
        return f"HttpServer({self._address!r})"

    async def call(
        self, operation: Operation, path: str, data: Any = None, query: Mapping[str, str] | None = None
    ) -> Response:
        """Do one operation; raises ClientError."""
        request = prepare(operation, path, data, query=query, headers=request_headers(self.token))
        url = self._address + request.target
        try:
            async with self._session.request(
                request.method,
                URL(url, encoded=True),
                data=request.body,
                headers=request.headers,
                ssl=self._ssl,
                server_hostname=self._host or None,
                allow_redirects=False,  # the token goes to the server it is meant for and nowhere else
                timeout=_TIMEOUT,
            ) as answer:
                return handle(answer.status, await answer.read(), method=request.method, url=url)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            reason = str(error) or type(error).__name__
            raise Unreachable(request.method, url, reason) from error
