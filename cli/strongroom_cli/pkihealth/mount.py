"""What the checked mount says, each path asked once. The one file here that talks to a server."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from strongroom_cli import x509
from strongroom_cli.errors import describe
from strongroom_cli.session import Session
from strongroom_client import ApiError, Client, ClientError, NotFound, Operation, PermissionDenied


class Unreadable(Exception):
    """The server did not tell: the token may not read ``endpoint``, or (``old``) the server does not have it."""

    def __init__(self, endpoint: str, *, old: bool) -> None:
        super().__init__(endpoint)
        self.endpoint, self.old = endpoint, old


@dataclass
class Mount:
    """The PKI mount at ``path``; ``now`` is in seconds since the epoch."""

    session: Session
    path: str
    now: float
    _known: dict[tuple[str, str], Any] = field(default_factory=dict)

    def endpoint(self, *parts: str) -> str:
        """Return a path of the mount as findings name it."""
        return "/" + "/".join((self.path, *parts))

    @property
    def tune_endpoint(self) -> str:
        """The path of the mount's settings."""
        return f"/sys/mounts/{self.path}/tune"

    def read(self, *parts: str) -> dict[str, Any]:
        """Return the data at a path of the mount; raises Unreadable."""
        return self._ask("read", self.endpoint(*parts))

    def names(self, *parts: str) -> list[str]:
        """Return the sorted names below a path of the mount; raises Unreadable."""
        return sorted(self._ask("list", self.endpoint(*parts)).get("keys") or [])

    def tuning(self) -> dict[str, Any]:
        """Return the mount's settings; raises Unreadable."""
        return self._ask("read", self.tune_endpoint)

    def issuers(self) -> dict[str, "x509.Certificate"]:
        """Return the certificates of the issuers by their ids."""
        return {one: x509.certificate(self.read("issuer", one, "json")["certificate"]) for one in self.names("issuers")}

    def issuer_endpoint(self, issuer: str, *parts: str) -> str:
        """Return the path of an issuer."""
        return self.endpoint("issuer", issuer, *parts)

    def why_unreachable(self, url: str) -> str:
        """Return why nothing sensible answers at ``url``, empty where it does."""
        parts = urlsplit(url)
        settings = self.session.client.settings._replace(address=f"{parts.scheme}://{parts.netloc}", token="")
        try:
            with Client(settings) as client:
                client.read(parts.path.removeprefix("/v1/"))
        except ApiError as error:
            return f"{error.status}: {'; '.join(error.errors) or (error.raw or '').strip()}"
        except ClientError as error:
            return describe(error)
        return ""

    def _ask(self, operation: Operation, endpoint: str) -> dict[str, Any]:
        key = (operation, endpoint)
        if key not in self._known:
            try:
                self._known[key] = self._sent(operation, endpoint)
            except (PermissionDenied, NotFound) as error:
                self._known[key] = Unreadable(endpoint, old=isinstance(error, NotFound))
        found = self._known[key]
        if isinstance(found, Unreadable):
            raise found
        return found  # type: ignore[no-any-return]

    def _sent(self, operation: Operation, endpoint: str) -> dict[str, Any]:
        client = self.session.client
        request = client.prepare(operation, endpoint.removeprefix("/"))
        kept = {name: value for name, value in request.headers.items() if name != "X-Vault-Wrap-TTL"}
        try:
            return client.send(request._replace(headers=kept)).data or {}
        except NotFound as error:
            if error.says("unsupported path"):
                raise
            return {}
