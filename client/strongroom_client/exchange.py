"""The client without input and output: what to send for an operation, and what an answer means.

``prepare`` and ``handle`` are pure, so everything about the API is tested without a server, and a program that
sends in its own way (the operator's event loop) shares all of it.
API: https://openbao.org/api-docs/ ; headers as Vault's own clients send them.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple
from urllib.parse import quote, urlencode

from strongroom_client.errors import NotFound, SettingsError, error_class
from strongroom_common import jsonx

API_VERSION = "1.18.0"
"""The Vault release whose API is spoken; scripts read it from ``vault version``."""

Operation = Literal["read", "list", "scan", "write", "post", "patch", "delete"]

_METHODS: dict[str, str] = {
    "read": "GET", "list": "GET", "scan": "GET", "write": "PUT", "post": "POST", "patch": "PATCH", "delete": "DELETE",
}  # fmt: skip
_PATH_SAFE = "/:@&=+$,;!'()*~"


class Prepared(NamedTuple):
    """A request ready to send: ``target`` is the encoded path with its query, ``body`` the bytes or None."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes | None = None


class Response(NamedTuple):
    """A server's answer. ``data``, ``auth``, ``wrap_info`` are as in the body, numbers exact (``jsonx``).

    ``body`` is the whole JSON document, for the few endpoints that answer outside the usual envelope; ``raw`` the
    bytes where it was no JSON (metrics, PEM, snapshots).
    """

    status: int
    data: Any = None
    auth: dict[str, Any] | None = None
    lease_id: str = ""
    lease_duration: int = 0
    renewable: bool = False
    wrap_info: dict[str, Any] | None = None
    warnings: tuple[str, ...] = ()
    request_id: str = ""
    body: Any = None
    raw: bytes = b""

    def __repr__(self) -> str:  # an answer holds secrets: its repr must not
        return f"Response(status={self.status}, request_id={self.request_id!r})"


def prepare(
    operation: Operation,
    path: str,
    data: Any = None,
    *,
    query: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Prepared:
    """Return the request for ``operation`` on ``path`` (``secret/data/app``; a leading ``/`` or ``v1/`` is fine).

    "post" is "write" by its other verb. ``data`` becomes the JSON body; bytes are sent as they are. ``query`` values
    may be lists. ``headers`` are those of ``request_headers`` and any others.
    """
    parameters = dict(query or {})
    if operation in ("list", "scan"):
        parameters[operation] = "true"
    target = "/v1/" + quote(path.lstrip("/").removeprefix("v1/"), safe=_PATH_SAFE)
    if parameters:
        target += "?" + urlencode(parameters, doseq=True)
    sent = {"X-Vault-Request": "true", **(headers or {})}
    body = data if isinstance(data, bytes) or data is None else jsonx.dumps(data).encode("utf-8", "surrogateescape")
    if body is not None:
        kind = "application/merge-patch+json" if operation == "patch" else "application/json"
        sent.setdefault("Content-Type", kind)
    return Prepared(_METHODS[operation], target, sent, body)


def request_headers(token: str = "", namespace: str = "", wrap_ttl: str = "") -> dict[str, str]:
    """Return the headers that say who asks, in which namespace, and whether the answer is to be wrapped.

    Raises SettingsError for a value that no header can hold (a token with a newline, say).
    """
    named = {"X-Vault-Token": token, "X-Vault-Namespace": namespace, "X-Vault-Wrap-TTL": wrap_ttl}
    for name, value in named.items():
        if not (value.isascii() and value.isprintable()):
            raise SettingsError(f"{name}: has characters that cannot be sent")
    return {name: value for name, value in named.items() if value}


def handle(status: int, body: bytes, *, method: str = "", url: str = "", namespace: str = "") -> Response:
    """Return what a finished exchange means.

    Raises the ``ApiError`` of its status; ``NotFound.response`` holds what a 404 carries besides errors.
    """
    document = _parse(body)
    if 200 <= status < 300 or _is_health(status, document):
        return _response(status, body, document)
    errors = [str(error) for error in document.get("errors") or ()] if isinstance(document, dict) else []
    raw = None if isinstance(document, dict) else body.decode("utf-8", "replace")
    error = error_class(status, errors)(status, errors, raw=raw, method=method, url=url)
    error.namespace = namespace
    if (
        isinstance(error, NotFound)
        and isinstance(document, dict)
        and (document.get("data") or document.get("warnings"))
    ):
        error.response = _response(status, body, document)
    raise error


def _is_health(status: int, document: Any) -> bool:
    """sys/health tells its news by the status and gives a full document with each (429, 472, 473, 501, 503)."""
    return status in (429, 472, 473, 501, 503) and isinstance(document, dict) and "initialized" in document


def _parse(body: bytes) -> Any:
    try:
        return jsonx.loads(body) if body.strip() else None
    except ValueError:  # not every endpoint speaks JSON; the bytes are kept
        return None


def _response(status: int, body: bytes, document: Any) -> Response:
    if not isinstance(document, dict):
        return Response(status, body=document, raw=body)
    return Response(
        status,
        data=document.get("data"),
        auth=document.get("auth"),
        lease_id=document.get("lease_id") or "",
        lease_duration=document.get("lease_duration") or 0,
        renewable=bool(document.get("renewable")),
        wrap_info=document.get("wrap_info"),
        warnings=tuple(document.get("warnings") or ()),
        request_id=document.get("request_id") or "",
        body=document,
        raw=body,
    )
