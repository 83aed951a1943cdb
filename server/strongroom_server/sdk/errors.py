"""Errors with the HTTP status they become (``http/errors.py`` is the one place that maps them).

The message is public by definition. A cause is chained (``raise … from``) and only logged. Whatever else is raised
while a request is served is a bug: 500, a request id for the client, a traceback in the log.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar


class RequestError(Exception):
    """The client gets ``status`` and ``messages``; ``data`` goes along where an API page says so.

    ``counted``: each message comes in the frame that Vault puts around errors of its core ("1 error occurred: …").
    """

    status: ClassVar[int] = 500
    counted: bool = False
    headers: Mapping[str, str] = MappingProxyType({})

    def __init__(self, *messages: str, data: Any = None, warnings: tuple[str, ...] = ()) -> None:
        super().__init__("; ".join(messages))
        self.messages = messages
        self.data = data
        self.warnings = warnings


class InvalidRequest(RequestError):
    """The request is malformed or asks for what cannot be."""

    status = 400


class InvalidCredentials(InvalidRequest):
    """A login names a user that is there and does not prove to be that user: it counts towards a lockout."""


class PermissionDenied(RequestError):
    """The token may not do this. ``rule`` says which rule decided; it is for the audit log, not the client."""

    status = 403

    def __init__(self, *messages: str, rule: str = "", counted: bool = False) -> None:
        super().__init__(*(messages or ("permission denied",)))
        self.rule = rule
        self.counted = counted


class NotFound(RequestError):
    """There is nothing at this path. Without a message the body is ``{"errors": []}``, as Vault's is."""

    status = 404


class UnsupportedPath(RequestError):
    """The engine has no such path."""

    status = 404
    counted = True

    def __init__(self, message: str = "unsupported path") -> None:
        super().__init__(message)


class UnsupportedOperation(RequestError):
    """The path is there, but not for this operation."""

    status = 405
    counted = True

    def __init__(self, message: str = "unsupported operation") -> None:
        super().__init__(message)


class TooLarge(RequestError):
    """The request is larger than the listener allows."""

    status = 413


class TooManyRequests(RequestError):
    """A quota is used up."""

    status = 429

    def __init__(self, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.headers = headers or {}


class Internal(RequestError):
    """The server could not do it, and the client may know why."""

    status = 500
    counted = True


class UpstreamError(RequestError):
    """A service behind the server (a database, an API server) refused or failed."""

    status = 502


class Unavailable(RequestError):
    """The server cannot serve this now: sealed, standby, a mount that did not start."""

    status = 503


class Overdue(Unavailable):
    """The request took longer than the listener's max_request_duration."""

    def __init__(self) -> None:
        super().__init__("context deadline exceeded: the request took longer than max_request_duration")


class Sealed(Unavailable):
    """The barrier is closed."""

    def __init__(self, message: str = "Vault is sealed") -> None:
        super().__init__(message)


class BackendError(Exception):
    """A storage backend failed. Storage is called through a boundary that lets only this out."""


class SealError(Exception):
    """A seal could not wrap or unwrap."""


class AuditError(Exception):
    """No audit device took the entry, so the answer must not be given."""
