"""A client that sends: ``prepare``, the transport, ``handle``, with redirects and retries between them."""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any, Self

from strongroom_client.errors import ApiError, Unreachable
from strongroom_client.exchange import Operation, Prepared, Response, handle, prepare, request_headers
from strongroom_client.settings import Settings
from strongroom_client.transport import Answer, Transport

if TYPE_CHECKING:
    from strongroom_client.pace import Pace

_REDIRECTS = (301, 302, 307, 308)


class Client:
    """Speaks to one server with one token; threads may share it.

    Every call raises an ``ApiError`` of its status, or ``Unreachable``. ``token``, ``namespace`` and ``wrap_ttl``
    may be set at any time and hold from the next call on. ``sleep`` waits between tries.
    """

    def __init__(self, settings: Settings, *, sleep: Callable[[float], object] = time.sleep) -> None:
        self.settings = settings
        self.token, self.namespace, self.wrap_ttl = settings.token, settings.namespace, settings.wrap_ttl
        self.headers: dict[str, str] = {}
        self._transport = Transport(settings)
        self._sleep = sleep
        self._pace = _pace(settings, sleep)

    def read(self, path: str, query: Mapping[str, Any] | None = None) -> Response:
        """GET ``path``."""
        return self.call("read", path, query=query)

    def list(self, path: str) -> Response:
        """List the names below ``path``: ``data["keys"]``; NotFound where there are none."""
        return self.call("list", path)

    def write(self, path: str, data: Any = None) -> Response:
        """Create or update ``path`` with ``data`` (a JSON object; bytes go as they are)."""
        return self.call("write", path, data)

    def patch(self, path: str, data: Any) -> Response:
        """Merge ``data`` into what is at ``path`` (RFC 7396)."""
        return self.call("patch", path, data)

    def delete(self, path: str, query: Mapping[str, Any] | None = None) -> Response:
        """DELETE ``path``."""
        return self.call("delete", path, query=query)

    def call(
        self, operation: Operation, path: str, data: Any = None, query: Mapping[str, Any] | None = None
    ) -> Response:
        """Do ``operation`` and return its answer."""
        return self.send(self.prepare(operation, path, data, query))

    def prepare(
        self, operation: Operation, path: str, data: Any = None, query: Mapping[str, Any] | None = None
    ) -> Prepared:
        """Return the request that ``call`` would send."""
        headers = {**request_headers(self.token, self.namespace, self.wrap_ttl), **self.headers}
        return prepare(operation, path, data, query=query, headers=headers)

    def send(self, request: Prepared) -> Response:
        """Send ``request``, following redirects and trying again as ``Settings.retries`` allows."""
        attempt = 0
        while True:
            try:
                return self._once(request)
            except (ApiError, Unreachable) as error:
                if attempt >= self.settings.retries or not is_worth_retrying(error):
                    raise
            attempt += 1
            self._sleep(back_off(attempt))

    def stream(self, request: Prepared) -> AbstractContextManager[HTTPResponse]:
        """Send ``request`` once and hand out the answer unread; its status is for the caller to look at."""
        if self._pace is not None:
            self._pace.wait()
        return self._transport.stream(request)

    def url(self, request: Prepared) -> str:
        """Return the address that ``request`` goes to."""
        return self._transport.url(request.target)

    def close(self) -> None:
        """Close idle connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _once(self, request: Prepared) -> Response:
        if self._pace is not None:
            self._pace.wait()
        answer = self._transport.send(request)
        if answer.status in _REDIRECTS and answer.location and self.settings.follow:
            answer = self._redirected(request, answer.location)
        namespace = request.headers.get("X-Vault-Namespace", "")
        return handle(answer.status, answer.body, method=request.method, url=self.url(request), namespace=namespace)

    def _redirected(self, request: Prepared, location: str) -> Answer:
        """Follow one redirect: a standby node names the active one (307), never a second hop."""
        from urllib.parse import urljoin, urlsplit

        here, there = urlsplit(self.settings.address), urlsplit(urljoin(self.url(request), location))
        if here.scheme == "https" and there.scheme != "https":
            # The token must not leave TLS (RFC 9700, 4.12 on redirects; Vault's client refuses it as well).
            raise Unreachable(request.method, self.url(request), "redirected from https to http: refused")
        elsewhere = Transport(self.settings._replace(address=f"{there.scheme}://{there.netloc}"))
        try:
            target = there.path + (f"?{there.query}" if there.query else "")
            return elsewhere.send(request._replace(target=target))
        finally:
            elsewhere.close()


def _pace(settings: Settings, sleep: Callable[[float], object]) -> "Pace | None":
    if settings.rate is None:
        return None
    from strongroom_client.pace import Pace

    return Pace(settings.rate, sleep, time.monotonic)


def is_worth_retrying(error: ApiError | Unreachable) -> bool:
    """Tell whether the same request may do better in a moment: no answer, 412, or 5xx but 501."""
    if isinstance(error, Unreachable):
        return True
    return error.status == 412 or (error.status >= 500 and error.status != 501)


def back_off(attempt: int) -> float:
    """Return seconds to wait before try ``attempt`` (1, 2, …): 1 to 1.5 for each so far, spread at random."""
    import random

    return attempt * random.uniform(1.0, 1.5)  # noqa: S311 spreading load needs no secrecy
