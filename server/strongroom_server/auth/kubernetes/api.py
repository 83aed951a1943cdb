"""The API server, over HTTPS: the only file of this method that does I/O besides storage.

In a pod, its certificates and token are read anew for each call that needs them: the kubelet rotates both.
"""

import asyncio
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strongroom_server.lib.trust import trusting
from strongroom_server.sdk.errors import InvalidRequest, PermissionDenied, UpstreamError

if TYPE_CHECKING:
    from aiohttp import ClientSession

    from strongroom_server.auth.kubernetes.schemas import Config

log = logging.getLogger("auth.kubernetes")

IN_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount")
TIMEOUT = 10  # seconds
PARALLEL = 16  # calls at a time: a herd of logins waits here and not in the API server


class ApiServer:
    """Sends one call after the other over kept connections."""

    def __init__(self, account: Path) -> None:
        self._account = account
        self._session: ClientSession | None = None
        self._trusted = ""
        self._slots = asyncio.Semaphore(PARALLEL)

    async def get(self, config: "Config", path: str, token: str) -> dict[str, Any]:
        """Return the object at ``path``; raises as ``_call`` does."""
        return await self._call(config, "GET", path, token)

    async def post(self, config: "Config", path: str, token: str, body: dict[str, Any]) -> dict[str, Any]:
        """Create an object and return it; raises as ``_call`` does."""
        return await self._call(config, "POST", path, token, body)

    def check_local_files(self, config: "Config") -> None:
        """Refuse a configuration that leans on the pod's own certificates where there are none."""
        if config.kubernetes_host.startswith("https://"):
            try:
                self._certificates(config)
            except OSError as error:
                raise InvalidRequest(f"kubernetes_ca_cert is not set and {error.filename} cannot be read") from None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _call(
        self, config: "Config", method: str, path: str, token: str, body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Send one call as the reviewer, or as ``token`` itself where there is none.

        Raises PermissionDenied where the API server refuses us, UpstreamError where it does not answer as it should.
        """
        from aiohttp import ClientError

        headers = {"Authorization": f"Bearer {self._reviewer(config) or token}", "Accept": "application/json"}
        url = config.kubernetes_host.rstrip("/") + path
        try:
            session = await self._open(config)
            async with (
                self._slots,
                session.request(method, url, json=body, headers=headers, allow_redirects=False) as answer,
            ):  # Security 1: the reviewer's token goes to no other host
                raw, status = await answer.read(), answer.status
        except (ClientError, TimeoutError, OSError, ValueError) as error:
            log.warning("the Kubernetes API server at %s cannot be asked: %s", config.kubernetes_host, error)
            raise UpstreamError("the Kubernetes API server cannot be asked") from error
        return _object(config, path, status, raw)

    async def _open(self, config: "Config") -> "ClientSession":
        from aiohttp import ClientSession, ClientTimeout, TCPConnector

        trusted = self._certificates(config)
        if self._session is None or trusted != self._trusted:
            context = trusting(trusted) if trusted else True
            connector = TCPConnector(ssl=context, limit=PARALLEL)
            old, self._session = self._session, ClientSession(connector=connector, timeout=ClientTimeout(total=TIMEOUT))
            self._trusted = trusted
            if old is not None:  # its certificates are no longer trusted: what is under way over it fails
                await old.close()
        return self._session

    def _certificates(self, config: "Config") -> str:
        if config.kubernetes_ca_cert or config.disable_local_ca_jwt or config.kubernetes_host.startswith("http://"):
            return config.kubernetes_ca_cert
        return (self._account / "ca.crt").read_text()

    def _reviewer(self, config: "Config") -> str:
        if config.token_reviewer_jwt or config.disable_local_ca_jwt:
            return config.token_reviewer_jwt.reveal()
        try:
            return (self._account / "token").read_text().strip()
        except OSError:  # not in a pod: the token speaks for itself, if its account may
            return ""


def _object(config: "Config", path: str, status: int, raw: bytes) -> dict[str, Any]:
    if status in {401, 403}:
        log.warning("the Kubernetes API server at %s refuses us %s: status %d", config.kubernetes_host, path, status)
        raise PermissionDenied
    if status == 404:
        return {}
    try:
        parsed = json.loads(raw)
    except ValueError:
        parsed = None
    if status >= 300 or not isinstance(parsed, dict):
        log.warning("the Kubernetes API server at %s answers %s with %d", config.kubernetes_host, path, status)
        raise UpstreamError(f"the Kubernetes API server answered with status {status}")
    return parsed
