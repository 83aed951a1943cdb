"""HTTP in, ``Request`` out; ``Response`` in, HTTP out. What is peculiar to Vault's HTTP lives here.

aiohttp's low-level server calls ``App.handle`` for every message: no routing, no middleware; the mount table is the
router.
"""

import asyncio
import os
import posixpath
import re
from collections.abc import Mapping
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, unquote

import msgspec

from strongroom_common.durations import parse_duration
from strongroom_server.config import Listener
from strongroom_server.core.cors import METHODS, Cors
from strongroom_server.core.in_flight import Flight, Flights
from strongroom_server.core.wrapping import envelope
from strongroom_server.http.access import access_of
from strongroom_server.http.answer_headers import AnswerHeaders
from strongroom_server.http.errors import answer
from strongroom_server.http.forwarded import Forwarding
from strongroom_server.http.limits import JsonLimits, TooComplex
from strongroom_server.http.login_page import is_login, page
from strongroom_server.http.messages import Answer, Message
from strongroom_server.lib.randomness import Randomness
from strongroom_server.sdk import codec
from strongroom_server.sdk.errors import (
    InvalidRequest,
    Overdue,
    PermissionDenied,
    RequestError,
    TooLarge,
    UnsupportedOperation,
)
from strongroom_server.sdk.request import LISTING, Connection, Operation, Request, Response

if TYPE_CHECKING:
    from strongroom_server.core.server import Server

_OPERATIONS: Mapping[str, Operation] = {
    "GET": Operation.READ, "LIST": Operation.LIST, "SCAN": Operation.SCAN,
    "POST": Operation.UPDATE, "PUT": Operation.UPDATE, "DELETE": Operation.DELETE, "PATCH": Operation.PATCH,
}  # fmt: skip
_HEAD_TOO = ("sys/health", "/acme/new-nonce")  # what probes and ACME clients ask by HEAD; as in Vault, nothing else
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_MERGE_PATCH = "application/merge-patch+json"
_MEDIA_TYPE = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+(/[!#$%&'*+.^_`|~0-9A-Za-z-]+)?")
_AUTHORITY = re.compile(r"\Ahttps?://[^/]*", re.IGNORECASE)
_DOTS = re.compile(r"/\.\.?(?:/|\Z)")
_NO_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_TRUTHS = {**dict.fromkeys(("1", "t", "T", "true", "True", "TRUE"), True),
           **dict.fromkeys(("0", "f", "F", "false", "False", "FALSE"), False)}  # fmt: skip
_SAFE = "/%:@!$&'()*+,;="  # signs of a path (RFC 3986, section 3.3) and of what is escaped already
_OPAQUE = frozenset({"application/ocsp-request"})  # bodies that are the engine's to read


class UnsupportedMediaType(RequestError):
    """A PATCH says what kind of patch it is (RFC 7396)."""

    status = 415


class SlowBody(RequestError):
    """The body took longer to arrive than http_read_timeout (RFC 9110, section 15.5.9)."""

    status = 408


_REFUSALS: tuple[tuple[type[RequestError], str], ...] = (
    (TooLarge, "request_size"), (TooComplex, "json"), (SlowBody, "read_timeout"),
    (Overdue, "duration"),
)  # fmt: skip


class App:
    """The HTTP side of one listener."""

    def __init__(self, server: "Server", listener: Listener | None = None,
                 headers: Mapping[str, str] | None = None) -> None:  # fmt: skip
        """``headers`` go with every answer beside the listener's own; raises ValueError for settings that are wrong."""
        self._server = server
        self.listener = listener = listener or Listener()
        self._random = Randomness(16)
        self._limits = JsonLimits.of(listener)
        self._forwarding = Forwarding.of(listener)
        self.access = access_of(listener)
        self._headers = AnswerHeaders(listener.custom_response_headers, headers or {})
        self._reading = listener.http_read_timeout or inf
        self._serving = listener.max_request_duration or inf
        self._printable_only = not server.options.config.disable_printable_check
        own = Cors(listener.cors_allowed_origins, listener.cors_allowed_headers)
        self._cors = own if listener.cors_enabled else Cors()

    async def handle(self, message: Message) -> Answer:
        """Answer one HTTP message."""
        request_id = fresh_id(self._random.piece())
        flight = self._board(message, request_id)
        try:
            if self._cors.enabled or self._server.cors.enabled:
                return await self._handle_origin(message, request_id, flight)
            return await self._handle(message, request_id, flight)
        except asyncio.CancelledError:
            if not flight.forgive():
                raise
            return _named(self._failed(SlowBody("http: the request body took too long to arrive"), request_id), message)
        except (GeneratorExit, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - whatever it is, be it the panic of a library in Rust: the client
            # gets an answer, the log alone the cause
            return _named(self._failed(error, request_id), message)
        finally:
            del self._server.in_flight[request_id]

    def _board(self, message: Message, request_id: str) -> Flight:
        """Put the request on the list of those under way. Its body has a time of its own to arrive."""
        due = self._reading + asyncio.get_running_loop().time()
        now, path = self._server.clock.now(), _printable(message.target)
        flight = Flight(message.task, now, due, message.method, path, message.origin.remote_address)
        self._server.in_flight[request_id] = flight
        return flight

    async def _handle(self, message: Message, request_id: str, flight: Flight) -> Answer:
        raw, query = _target(message)
        path = _decoded(raw) if "%" in raw else raw
        # Slashes that come encoded are meant, and those of OCSP requests are Base64 (RFC 6960, appendix A.1).
        if ("//" in raw and "/ocsp/" not in path) or ("/." in raw and _DOTS.search(raw)):
            return self._redirect(_clean(raw), query)
        if not path.startswith("/v1/"):
            return self._outside(path)
        if "/.." in path and ".." in path.split("/"):  # with escapes
            raise InvalidRequest("relative paths not supported")
        if self._printable_only and not path.isprintable():
            raise InvalidRequest("the path has characters that are not printable")
        body = b""
        if message.method in _WITH_BODY:
            whole, most = message.whole, self.listener.max_request_size
            body = whole if whole is not None and len(whole) <= most else await message.read(most)
        flight.request = request = self._request(message, path[4:], query, request_id, body)
        flight.due = self._serving + asyncio.get_running_loop().time()
        named = request.namespace
        answer = self._answer(await self._server.handle(request), request_id)
        if named:
            answer = _named(answer, message)
        if answer.status == 204 and message.method == "HEAD":  # RFC 8555, section 7.2, asks for this at new-nonce
            return self._headers.answer(200, b"", answer.headers)
        return answer

    async def _handle_origin(self, message: Message, request_id: str, flight: Flight) -> Answer:
        """Let web pages of other origins ask only where they may (Fetch standard, "CORS protocol")."""
        origin = message.headers.get("Origin")
        wanted = message.headers.get("Access-Control-Request-Method")
        if origin is None or (message.method == "OPTIONS" and not wanted):
            return await self._handle(message, request_id, flight)
        allowing = next((cors for cors in (self._server.cors, self._cors) if cors.allows(origin)), None)
        if allowing is None:
            raise PermissionDenied("origin not allowed")
        preflight = message.method == "OPTIONS"
        if preflight:
            status = 200 if wanted in METHODS else 405
            answer = Answer(status, self._headers.of(status))
        else:
            try:
                answer = await self._handle(message, request_id, flight)
            except Exception as error:  # noqa: BLE001 - the page shall be able to read what went wrong
                answer = self._failed(error, request_id)
        return answer.beside(allowing.answer_headers(origin, preflight=preflight and answer.status != 405))

    def _failed(self, error: BaseException, request_id: str) -> Answer:
        status, body = answer(error, request_id)
        for kind, limit in _REFUSALS:
            if isinstance(error, kind):
                self.refused(limit)
        headers = error.headers if isinstance(error, RequestError) else None
        return self._headers.answer(status, body, headers)

    @property
    def flights(self) -> Flights:
        """The requests under way, of all listeners."""
        return self._server.in_flight

    def refused(self, limit: str) -> None:
        """Count a request that was over one of the listener's limits."""
        self._server.metrics.count("vault.http.refused", (("limit", limit),))

    def _outside(self, path: str) -> Answer:
        if path == "/":
            return self._headers.answer(307, b"", {"Location": "/ui/"})
        if path.startswith("/ui/") and is_login(path):
            body, headers = page()
            return self._headers.answer(200, body, headers)
        return self._headers.answer(404, b'{"errors":[]}')

    def _redirect(self, path: str, query: str) -> Answer:
        location = quote(path, safe=_SAFE) + (f"?{query}" if query else "")
        return self._headers.answer(307, b"", {"Location": location})

    def _request(self, message: Message, path: str, query: str, request_id: str, body: bytes) -> Request:
        method = message.method
        operation = _OPERATIONS.get(method)
        if operation is None:
            if method != "HEAD" or not path.endswith(_HEAD_TOO):
                raise UnsupportedOperation
            operation = Operation.READ
        parameters = dict(parse_qsl(query, keep_blank_values=True)) if query else {}
        headers = message.headers
        data: dict[str, Any] = {}
        opaque = b""
        if method in _WITH_BODY:
            kind = _media_type(headers)
            if kind in _OPAQUE:
                opaque = body
            else:
                data = self._data(message, kind, body)
        elif parameters:
            data = dict(parameters)
        if operation is Operation.READ and parameters:
            operation = _meant(data)
        if operation in LISTING and not path.endswith("/"):
            path += "/"
        token = _printable(headers.get("X-Vault-Token", "").strip() or _bearer(headers))
        if self.listener.require_request_header and headers.get("X-Vault-Request") != "true":
            raise InvalidRequest("missing required request header: X-Vault-Request: true")
        request = Request(
            operation, path, data, token=token, headers=headers, connection=self._connection(message), id=request_id,
            body=opaque,
        )  # fmt: skip
        if namespace := headers.get("X-Vault-Namespace"):
            request.namespace = _printable(namespace)
        if wrap := headers.get("X-Vault-Wrap-TTL"):
            request.wrap_ttl = _wrap_ttl(wrap)
        return request

    def _connection(self, message: Message) -> Connection:
        origin = message.origin
        if not self._forwarding.proxies:
            return origin
        peer, rules = origin.remote_address, self._forwarding
        shown = rules.certificates(peer, message.headers.get(rules.certificate_header, ""))
        address = rules.address(peer, message.headers.getall("X-Forwarded-For", ()))
        return replace(origin, remote_address=address, certificates=shown or origin.certificates)

    def _data(self, message: Message, kind: str, raw: bytes) -> dict[str, Any]:
        if message.method == "PATCH" and kind != _MERGE_PATCH:
            if not message.headers.get("Content-Type", "").partition(";")[0].strip():
                raise InvalidRequest("mime: no media type")
            if not _MEDIA_TYPE.fullmatch(kind):
                raise InvalidRequest("mime: expected a media type such as " + _MERGE_PATCH)
            raise UnsupportedMediaType(f"PATCH requires Content-Type of {_MERGE_PATCH}, provided {kind}")
        if not raw or raw.isspace():
            return {}
        if kind == "application/x-www-form-urlencoded" and raw.lstrip()[:1] not in {b"{", b"["}:
            return _form(raw)
        self._limits.check_text(raw)
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
        self._limits.check(raw, data)
        return data

    def _answer(self, response: Response, request_id: str) -> Answer:
        raw = response.raw
        if raw is not None:
            return self._headers.answer(raw.status, raw.body, {"Content-Type": raw.content_type} | response.headers)
        body, status = self._body_of(response, request_id)
        return self._headers.answer(status, body, response.headers)

    def _body_of(self, response: Response, request_id: str) -> tuple[bytes, int]:
        if response.bare:
            return codec.encode(response.data), response.status or 200
        empty = response.data is None and response.auth is None and response.lease is None and response.wrap is None
        if empty and not response.warnings and response.status in {0, 204}:
            return b"", 204
        body = envelope(response, request_id)
        if response.top_level and response.data:
            body = response.data | body
        return codec.encode(body), response.status or 200


def _named(answer: Answer, message: Message) -> Answer:
    """Say which namespace was asked for, which clients repeat in what they tell their users."""
    name = _printable(message.headers.get("X-Vault-Namespace", ""))
    return answer.beside({"X-Vault-Namespace": name}) if name else answer


def fresh_id(drawn: bytes = b"") -> str:
    """Return a random request id in a UUID's form, of 16 bytes that were ``drawn`` for it."""
    raw = (drawn or os.urandom(16)).hex()
    return f"{raw[:8]}-{raw[8:12]}-{raw[12:16]}-{raw[16:20]}-{raw[20:]}"


def _form(raw: bytes) -> dict[str, Any]:
    """Return the values of a form (WHATWG URL, section 5.1); of a name that comes again all, with commas between."""
    text = raw.decode(errors="replace")
    if _NO_ESCAPE.search(text):
        raise InvalidRequest("error parsing form data: it has a percent sign that two hexadecimal digits do not follow")
    values: dict[str, list[str]] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        values.setdefault(name, []).append(value)
    return {name: ",".join(several) for name, several in values.items()}


def _meant(parameters: dict[str, Any]) -> Operation:
    """Return what a GET with these parameters asks for, and take the one that says so out."""
    if parameters.get("help"):
        return Operation.HELP
    parameters.pop("help", None)
    for operation in LISTING:
        if (given := parameters.pop(operation.value, None)) and _truth(operation.value, given):
            return operation
    return Operation.READ


def _target(message: Message) -> tuple[str, str]:
    """Return path and query as they came, of either form of a target (RFC 9112, sections 3.2.1 and 3.2.2)."""
    raw, _, query = _printable(message.target).partition("?")
    return (raw if raw.startswith("/") else _AUTHORITY.sub("", raw)), query


def _decoded(raw: str) -> str:
    if _NO_ESCAPE.search(raw):
        raise InvalidRequest("the path has a percent sign that two hexadecimal digits do not follow")
    return unquote(raw)


def _clean(path: str) -> str:
    """Return a path without empty, "." and ".." segments."""
    clean = posixpath.normpath("/" + path.lstrip("/"))
    return clean + "/" if path.endswith("/") and clean != "/" else clean


def _truth(name: str, text: str) -> bool:
    if text not in _TRUTHS:
        raise InvalidRequest(f"{name}: expected true or false")
    return _TRUTHS[text]


def _media_type(headers: Mapping[str, str]) -> str:
    """Return what the body is said to be, without parameters; unsaid is unknown (RFC 9110, section 8.3)."""
    return headers.get("Content-Type", "application/octet-stream").partition(";")[0].strip().lower()


def _printable(text: str) -> str:
    """Replace bytes that are no UTF-8, which aiohttp hands on as surrogates: such a text cannot be stored or hashed."""
    return text if text.isascii() else text.encode(errors="replace").decode()


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
    return max(int(seconds), 1) if seconds else 0  # less than a second still asks for wrapping
