"""HTTP in, ``Request`` out; ``Response`` in, HTTP out. What is peculiar to Vault's HTTP lives here.

aiohttp's low-level server calls ``App.handle`` for every message: no routing, no middleware; the mount table is the
router.
"""

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, unquote

import msgspec
from aiohttp import web

from strongroom_common.durations import parse_duration
from strongroom_server.core.wrapping import envelope
from strongroom_server.http.errors import answer
from strongroom_server.http.forwarded import Forwarding
from strongroom_server.http.limits import check_body
from strongroom_server.sdk import codec
from strongroom_server.sdk.errors import InvalidRequest, NotFound, RequestError, TooLarge, UnsupportedOperation
from strongroom_server.sdk.request import Connection, Operation, Request, Response

if TYPE_CHECKING:
    from strongroom_server.core.server import Server

MAX_BODY = 32 * 1024 * 1024
_OPERATIONS: Mapping[str, Operation] = {
    "GET": Operation.READ, "HEAD": Operation.READ, "LIST": Operation.LIST, "POST": Operation.UPDATE,
    "PUT": Operation.UPDATE, "DELETE": Operation.DELETE, "PATCH": Operation.PATCH,
}  # fmt: skip
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_HEADERS = {"Cache-Control": "no-store", "Content-Type": "application/json",
            "Strict-Transport-Security": "max-age=31536000; includeSubDomains"}  # fmt: skip
_MERGE_PATCH = "application/merge-patch+json"


class UnsupportedMediaType(RequestError):
    """A PATCH says what kind of patch it is (RFC 7396)."""

    status = 415


class App:
    """The HTTP side of one listener."""

    def __init__(self, server: "Server", *, max_body: int = MAX_BODY, headers: Mapping[str, str] | None = None,
                 forwarding: Forwarding | None = None, public_paths: frozenset[str] = frozenset(),
                 require_request_header: bool = False) -> None:  # fmt: skip
        """``headers`` go with every answer beside Vault's own; ``public_paths`` need no token here."""
        self._server = server
        self.max_body = max_body
        self._forwarding = forwarding
        self._public_paths = public_paths
        self._require_request_header = require_request_header
        self._headers = _HEADERS | dict(headers or {})

    async def handle(self, message: web.BaseRequest) -> web.Response:
        """Answer one HTTP message."""
        request_id = fresh_id()
        try:
            path, query = _target(message)
            if not path.startswith("/v1/"):
                return self._outside(path)
            if "//" in path:
                return self._redirect(re.sub("/{2,}", "/", path), query)
            if "/.." in path and ".." in path.split("/"):
                raise InvalidRequest("relative paths not supported")  # noqa: TRY301 - answered below like all others
            request = await self._request(message, path[4:], query, request_id)
            response = await self._server.handle(request)
            return self._answer(response, request_id)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer and only the log the cause
            status, body = answer(error, request_id)
            return web.Response(body=body, status=status, headers=self._headers)

    def _outside(self, path: str) -> web.Response:
        if path == "/":
            return web.Response(status=307, headers={"Location": "/ui/"})
        return web.Response(body=b'{"errors":[]}', status=404, headers=self._headers)

    def _redirect(self, path: str, query: str) -> web.Response:
        location = quote(path) + (f"?{query}" if query else "")
        return web.Response(status=307, headers=self._headers | {"Location": location})

    async def _request(self, message: web.BaseRequest, path: str, query: str, request_id: str) -> Request:
        method = message.method
        operation = _OPERATIONS.get(method)
        if operation is None:
            raise UnsupportedOperation
        parameters = dict(parse_qsl(query, keep_blank_values=True)) if query else {}
        headers = message.headers
        data: dict[str, Any] = {}
        if method in _WITH_BODY:
            data = await self._body(message, method)
            data = parameters | data if parameters and method != "PATCH" else data
        elif parameters:
            data = dict(parameters)
        if operation is Operation.READ and parameters:
            if parameters.get("help"):
                operation = Operation.HELP
            elif parameters.get("list") in {"true", "1", "t", "True", "TRUE"}:
                operation = Operation.LIST
                data.pop("list")
        if operation is Operation.LIST and not path.endswith("/"):
            path += "/"
        token = headers.get("X-Vault-Token", "").strip() or _bearer(headers)
        if self._require_request_header and headers.get("X-Vault-Request") != "true":
            raise InvalidRequest("missing required request header: X-Vault-Request: true")
        request = Request(
            operation, path, data, token=token, headers=headers, connection=self._connection(message), id=request_id,
        )  # fmt: skip
        namespace = headers.get("X-Vault-Namespace", "").strip("/")
        if namespace not in {"", "root"}:
            raise NotFound(f"namespace {namespace!r} not found: this server has the root namespace alone")
        if wrap := headers.get("X-Vault-Wrap-TTL"):
            request.wrap_ttl = _wrap_ttl(wrap)
        return request

    def _connection(self, message: web.BaseRequest) -> Connection:
        transport = message.transport
        peer = transport.get_extra_info("peername") if transport else None
        address, port = (peer[0], peer[1]) if isinstance(peer, tuple) else ("", 0)
        if self._forwarding is not None:
            address = self._forwarding.address(address, message.headers.getall("X-Forwarded-For", ()))
        connection = Connection(address, port, public_paths=self._public_paths)
        secured = transport.get_extra_info("ssl_object") if transport else None
        if secured is not None and (certificate := secured.getpeercert(binary_form=True)):
            connection.certificates = (certificate,)
        return connection

    async def _body(self, message: web.BaseRequest, method: str) -> dict[str, Any]:
        if (message.content_length or 0) > self.max_body:
            raise TooLarge("http: request body too large")
        raw = await self._read(message)
        if method == "PATCH" and message.content_type != _MERGE_PATCH:
            given = message.content_type
            raise UnsupportedMediaType(f"PATCH requires Content-Type of {_MERGE_PATCH}, provided {given}")
        if not raw or raw.isspace():
            return {}
        if message.content_type == "application/x-www-form-urlencoded" and raw[:1] != b"{":
            return dict(parse_qsl(raw.decode(errors="replace"), keep_blank_values=True))
        try:
            data = codec.loads(raw)
        except UnicodeDecodeError:
            raise InvalidRequest("failed to parse JSON input: it is not UTF-8") from None
        except (msgspec.DecodeError, RecursionError) as error:
            raise InvalidRequest(f"failed to parse JSON input: {error}") from None
        if data is None:
            return {}
        if not isinstance(data, dict):
            raise InvalidRequest("failed to parse JSON input: expected an object")
        check_body(raw, data)
        return data

    async def _read(self, message: web.BaseRequest) -> bytes:
        if message.content_length is not None:
            return await message.read()
        chunks, size = [], 0
        async for chunk in message.content.iter_any():  # chunked: the length is known only as it comes
            size += len(chunk)
            if size > self.max_body:
                raise TooLarge("http: request body too large")
            chunks.append(chunk)
        return b"".join(chunks)

    def _answer(self, response: Response, request_id: str) -> web.Response:
        headers = self._headers | response.headers if response.headers else self._headers
        if response.raw is not None:
            raw = response.raw
            return web.Response(body=raw.body, status=raw.status, headers={**headers, "Content-Type": raw.content_type})
        if response.bare:
            return web.Response(body=codec.encode(response.data), status=response.status or 200, headers=headers)
        empty = response.data is None and response.auth is None and response.lease is None and response.wrap is None
        if empty and not response.warnings and response.status in {0, 204}:
            return web.Response(status=204, headers=headers)
        body = envelope(response, request_id)
        if response.top_level and response.data:
            body = response.data | body
        return web.Response(body=codec.encode(body), status=response.status or 200, headers=headers)


def fresh_id() -> str:
    """Return a random request id in a UUID's form."""
    raw = os.urandom(16).hex()
    return f"{raw[:8]}-{raw[8:12]}-{raw[12:16]}-{raw[16:20]}-{raw[20:]}"


def _target(message: web.BaseRequest) -> tuple[str, str]:
    raw, _, query = message._message.path.partition("?")
    if "%" in raw:
        raw = unquote(raw)
    return raw, query


def _bearer(headers: Mapping[str, str]) -> str:
    value = headers.get("Authorization", "")
    return value[7:].strip() if value.startswith("Bearer ") else ""  # in this case alone, as the peer has it


def _wrap_ttl(text: str) -> int:
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise InvalidRequest(f"error parsing X-Vault-Wrap-TTL header: {error}") from None
    if seconds < 0:
        raise InvalidRequest("requested wrap ttl cannot be negative")
    return int(seconds)
