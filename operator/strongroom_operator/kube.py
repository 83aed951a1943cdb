"""The Kubernetes API, as the operator uses it: ``Kube`` is the seam, ``HttpKube`` the real one on aiohttp.

Kopf watches and patches the custom resources; this is for everything that is made from them. Objects are plain
dicts, written by server-side apply under one field manager, so that other people's fields are left alone.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote, urlencode

import aiohttp
import kopf

from strongroom_operator.resources import MANAGER, Body

_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=5)
_LONGEST_MESSAGE = 300


class KubeError(Exception):
    """The API server refused, or did not answer (``status`` 0). The message is the server's, cut short."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message[:_LONGEST_MESSAGE])
        self.status = status

    @property
    def may_pass(self) -> bool:
        """Whether the same call may do better in a moment: no answer, a race with somebody else, an overload."""
        return self.status in (0, 409, 429) or self.status >= 500


@dataclass(frozen=True)
class Kind:
    """Where objects of a kind live in the API."""

    api_version: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str, name: str = "") -> str:
        """Return the path of an object or, without a name, of all; without a namespace those of every one."""
        root = f"/api/{self.api_version}" if "/" not in self.api_version else f"/apis/{self.api_version}"
        within = f"/namespaces/{quote(namespace, safe='')}" if self.namespaced and namespace else ""
        return f"{root}{within}/{self.plural}" + (f"/{quote(name, safe='')}" if name else "")


SECRET = Kind("v1", "secrets")
POD = Kind("v1", "pods")
CONFIG_MAP = Kind("v1", "configmaps")
BINDING = Kind("rbac.authorization.k8s.io/v1", "clusterrolebindings", namespaced=False)
STATEFUL_SET = Kind("apps/v1", "statefulsets")
_PLURALS = {"NetworkPolicy": "networkpolicies"}


def kind_of(body: Mapping[str, Any]) -> Kind:
    """Return the kind of an object that the operator makes."""
    name = body["kind"]
    return Kind(body["apiVersion"], _PLURALS.get(name, name.lower() + "s"), "namespace" in body["metadata"])


class Kube(Protocol):
    """What the operator does with objects. Every method raises KubeError."""

    async def get(self, kind: Kind, namespace: str, name: str) -> Body | None:
        """Return an object, or None where there is none."""
        ...

    async def list(self, kind: Kind, namespace: str, labels: Mapping[str, str]) -> list[Body]:
        """Return the objects with all of ``labels``; "" is every namespace."""
        ...

    async def apply(self, body: Mapping[str, Any], manager: str = MANAGER) -> Body:
        """Make an object so, whoever else wrote these fields before."""
        ...

    async def delete(self, kind: Kind, namespace: str, name: str) -> None:
        """Delete an object; what is gone already is fine."""
        ...

    async def patch_status(self, kind: Kind, namespace: str, name: str, status: Mapping[str, Any]) -> None:
        """Merge into the status of an object (RFC 7396)."""
        ...


class HttpKube:
    """The API server that ``login`` names; it is asked again when the API server no longer takes the credentials."""

    def __init__(self, login: Callable[[], kopf.ConnectionInfo]) -> None:
        self._login = login
        self._session: aiohttp.ClientSession | None = None
        self._server = ""

    async def get(self, kind: Kind, namespace: str, name: str) -> Body | None:
        """Return an object, or None where there is none."""
        try:
            return await self._call("GET", kind.path(namespace, name))
        except KubeError as error:
            if error.status == 404:
                return None
            raise

    async def list(self, kind: Kind, namespace: str, labels: Mapping[str, str]) -> list[Body]:
        """Return the objects with all of ``labels``; "" is every namespace."""
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        query = f"?{urlencode({'labelSelector': selector})}" if selector else ""
        items: list[Body] = (await self._call("GET", kind.path(namespace) + query))["items"]
        return items

    async def apply(self, body: Mapping[str, Any], manager: str = MANAGER) -> Body:
        """Make an object so, whoever else wrote these fields before."""
        metadata = body["metadata"]
        path = kind_of(body).path(metadata.get("namespace", ""), metadata["name"])
        return await self._call("PATCH", f"{path}?fieldManager={manager}&force=true", body)

    async def delete(self, kind: Kind, namespace: str, name: str) -> None:
        """Delete an object; what is gone already is fine."""
        try:
            await self._call("DELETE", kind.path(namespace, name))
        except KubeError as error:
            if error.status != 404:
                raise

    async def patch_status(self, kind: Kind, namespace: str, name: str, status: Mapping[str, Any]) -> None:
        """Merge into the status of an object (RFC 7396)."""
        await self._call("PATCH", f"{kind.path(namespace, name)}/status", {"status": status}, "merge-patch+json")

    async def version(self) -> tuple[int, int]:
        """Return the version of the API server: (1, 29)."""
        answer = await self._call("GET", "/version")
        return int(answer["major"]), int("".join(c for c in answer["minor"] if c.isdigit()))

    async def close(self) -> None:
        """Close connections."""
        if self._session:
            await self._session.close()
        self._session = None

    async def _call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, patch: str = "apply-patch+yaml"
    ) -> Body:
        for attempt in (1, 2):
            try:
                return await self._send(method, path, body, patch)
            except KubeError as error:
                # A service-account token is replaced every hour; the new one is in the file already.
                if error.status != 401 or attempt == 2:
                    raise
                await self.close()
        raise AssertionError("unreachable")

    async def _send(self, method: str, path: str, body: Mapping[str, Any] | None, patch: str) -> Body:
        session = self._session or self._connect()
        headers = {"Content-Type": f"application/{patch}"} if body is not None else {}
        data = json.dumps(body) if body is not None else None
        try:
            async with session.request(method, self._server + path, data=data, headers=headers) as answer:
                parsed = await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise KubeError(0, f"{method} {path.partition('?')[0]}: {error or type(error).__name__}") from error
        if answer.status >= 400:
            message = parsed.get("message", "") if isinstance(parsed, dict) else ""
            raise KubeError(answer.status, message or f"{method} {path.partition('?')[0]}: {answer.status}")
        return dict(parsed)

    def _connect(self) -> aiohttp.ClientSession:
        info = self._login()
        self._server = info.server.rstrip("/")
        connector = aiohttp.TCPConnector(ssl=info.as_ssl_context()) if self._server.startswith("https") else None
        self._session = aiohttp.ClientSession(
            connector=connector, headers=info.as_http_headers(), timeout=_TIMEOUT, trust_env=info.trust_env
        )
        return self._session
