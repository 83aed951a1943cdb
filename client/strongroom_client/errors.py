"""What can go wrong between a program and a server, as types.

Every error carries ``hint``: what its reader should look at next, or "". Messages hold the path and what the server
said, never a token or a request body.
"""

from typing import Any


class ClientError(Exception):
    """The base of all errors of this package."""

    hint = ""


class SettingsError(ClientError, ValueError):
    """A setting (environment variable, flag, certificate file) cannot be used; nothing was sent."""


class Unreachable(ClientError):
    """No answer came: refused, timed out, name unknown, TLS failed. The operation may or may not have happened."""

    def __init__(self, method: str, url: str, reason: str, hint: str = "") -> None:
        super().__init__(f"{method} {url}: {reason}")
        self.method, self.url, self.reason, self.hint = method, url, reason, hint


class ApiError(ClientError):
    """The server answered with an error.

    ``status`` is the HTTP status, ``errors`` the list from the body (empty where it had none), ``raw`` the body's
    text where it was no JSON document, else None, ``method`` and ``url`` the request, ``namespace`` what its header
    named ("": none), ``response`` the parsed body of a 404 that carries data or warnings nevertheless (KV v2 answers so
    for a deleted version).
    """

    def __init__(
        self, status: int, errors: list[str], *, raw: str | None = None, method: str = "", url: str = ""
    ) -> None:
        what = "; ".join(errors) or (raw or "").strip() or "no reason given"
        super().__init__(f"{method} {url}: {status}: {what}".lstrip(" :"))
        self.status, self.errors, self.raw, self.method, self.url = status, errors, raw, method, url
        self.namespace = ""
        self.response: Any = None
        self.hint = self._advice()

    def says(self, text: str) -> bool:
        """Tell whether one of the server's messages holds ``text``."""
        return any(text in error for error in self.errors)

    def _advice(self) -> str:
        return ""


class BadRequest(ApiError):
    """400: the server refuses what was sent."""

    def _advice(self) -> str:
        plain = "HTTP request" in (self.raw or "") and "HTTPS" in (self.raw or "")
        return "The server speaks HTTPS. Begin VAULT_ADDR with https://." if plain else ""


class PermissionDenied(ApiError):
    """403: no policy of the token allows it, or the token itself is bad."""

    def _advice(self) -> str:
        path = self.url.partition("/v1/")[2].partition("?")[0]
        if self.says("invalid token") or self.says("missing client token"):
            return "Log in again, or set VAULT_TOKEN to a valid token."
        return (
            f'No policy of this token allows it: token capabilities "{path}" tells what it may do there.'
            if path
            else ""
        )


class NotFound(ApiError):
    """404: nothing is there, or nothing is mounted there."""


class PreconditionFailed(ApiError):
    """412: the node has not caught up yet; worth another try."""


class RateLimited(ApiError):
    """429: a quota is used up."""

    def _advice(self) -> str:
        return "A rate limit of the server was reached. Wait, or ask for a higher quota."


class Unavailable(ApiError):
    """5xx: the server, or something behind it, is in trouble; worth another try."""


class Sealed(Unavailable):
    """503 from a sealed server."""

    def _advice(self) -> str:
        return "The server is sealed. Unseal it with: operator unseal"


_BY_STATUS: dict[int, type[ApiError]] = {
    400: BadRequest, 403: PermissionDenied, 404: NotFound, 412: PreconditionFailed, 429: RateLimited,
}  # fmt: skip


def error_class(status: int, errors: list[str]) -> type[ApiError]:
    """Return the class for an answer with ``status`` and the messages ``errors``."""
    if status == 503 and any("sealed" in error for error in errors):
        return Sealed
    if status >= 500:
        return Unavailable
    return _BY_STATUS.get(status, ApiError)
