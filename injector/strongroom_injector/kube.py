"""The few calls to the Kubernetes API server that the injector makes, and where that server is.

API: https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

import base64
import json
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from strongroom_injector.errors import ConfigError, KubeError

Json = dict[str, Any]

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
FIELD_MANAGER = "strongroom-injector-ca-bundle"
METADATA_ONLY = "application/json;as=PartialObjectMetadata{list};g=meta.k8s.io;v=v1"
WATCH_SECONDS = 300
_TIMEOUT = aiohttp.ClientTimeout(total=15)
_WATCH_TIMEOUT = aiohttp.ClientTimeout(total=WATCH_SECONDS + 30)


@dataclass(frozen=True)
class Access:
    """Where the API server is and how to show who we are: a token's file (read anew each time) or a token."""

    url: str
    tls: ssl.SSLContext | None = None
    token_file: Path | None = None
    token: str = ""
    namespace: str = "default"

    def __repr__(self) -> str:  # the token stays out of logs
        return f"Access(url={self.url!r}, namespace={self.namespace!r})"

    def headers(self) -> dict[str, str]:
        """Return the header that shows who we are."""
        token = self.token_file.read_text().strip() if self.token_file else self.token
        return {"Authorization": f"Bearer {token}"} if token else {}


def in_cluster(environ: Mapping[str, str], folder: Path = SERVICE_ACCOUNT) -> Access:
    """Return the access that every pod has; raises ConfigError outside of one."""
    host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host or not (folder / "token").exists():
        raise ConfigError("not in a cluster, expected -kubeconfig (AGENT_INJECT_KUBECONFIG) to name a file")
    tls = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    shown = f"[{host}]" if ":" in host else host
    namespace = (folder / "namespace").read_text().strip()
    return Access(f"https://{shown}:{port}", tls, folder / "token", namespace=namespace)


def from_kubeconfig(path: Path) -> Access:
    """Return the access of a kubeconfig's current context: token or client certificate; raises ConfigError."""
    import yaml  # for developers only: not needed in a cluster

    try:
        config = yaml.safe_load(path.read_text())
        context = _named(config["contexts"], config["current-context"], "context")
        cluster = _named(config["clusters"], context["cluster"], "cluster")
        user = _named(config["users"], context["user"], "user")
    except (OSError, yaml.YAMLError, KeyError, TypeError, StopIteration) as error:
        raise ConfigError(f"-kubeconfig: {path} is no kubeconfig with a current context") from error
    namespace = context.get("namespace", "default")
    return Access(cluster["server"], _tls(cluster, user), token=user.get("token", ""), namespace=namespace)


def _named(entries: list[Json], name: str, kind: str) -> Json:
    found: Json = next(entry[kind] for entry in entries if entry["name"] == name)
    return found


def _tls(cluster: Json, user: Json) -> ssl.SSLContext:
    ca = base64.b64decode(cluster.get("certificate-authority-data", "")).decode()
    tls = ssl.create_default_context(cafile=cluster.get("certificate-authority"), cadata=ca or None)
    if cluster.get("insecure-skip-tls-verify"):
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    if "client-certificate" in user:
        tls.load_cert_chain(user["client-certificate"], user["client-key"])
    elif "client-certificate-data" in user:
        pair = [base64.b64decode(user[key]) for key in ("client-certificate-data", "client-key-data")]
        load_pair(tls, pair[0].decode(), pair[1].decode())
    return tls


def load_pair(tls: ssl.SSLContext, certificate: str, key: str) -> None:
    """Load a certificate and its key, both PEM, without a file on any disk (Linux: an anonymous one in memory)."""
    import os

    descriptor = os.memfd_create("certificate")
    with os.fdopen(descriptor, "wb", buffering=0) as memory:
        memory.write(f"{certificate}\n{key}".encode())
        tls.load_cert_chain(f"/proc/self/fd/{descriptor}")


class Kube:
    """A client for one API server."""

    def __init__(self, session: aiohttp.ClientSession, access: Access) -> None:
        self._session = session
        self._access = access

    async def version(self) -> tuple[int, int]:
        """Return the server's version, such as (1, 29)."""
        answer = await self._call("GET", "/version")
        numbers = [re.match(r"\d+", str(answer.get(key))) for key in ("major", "minor")]
        if not all(numbers):
            raise KubeError(0, "the API server's version cannot be read")
        return (int(numbers[0][0]), int(numbers[1][0]))  # type: ignore[index]  # both matched

    async def secret(self, namespace: str, name: str) -> Json | None:
        """Return a Secret, None if there is none."""
        return await self._get(f"/api/v1/namespaces/{namespace}/secrets/{name}")

    async def config_map(self, namespace: str, name: str) -> Json | None:
        """Return a ConfigMap, None if there is none."""
        return await self._get(f"/api/v1/namespaces/{namespace}/configmaps/{name}")

    async def save_secret(self, secret: Json) -> bool:
        """Create the Secret, or replace it if it has a resourceVersion; False if somebody else was faster."""
        meta = secret["metadata"]
        path = f"/api/v1/namespaces/{meta['namespace']}/secrets"
        try:
            if "resourceVersion" in meta:
                await self._call("PUT", f"{path}/{meta['name']}", secret)
            else:
                await self._call("POST", path, secret)
        except KubeError as error:
            if error.status == 409:
                return False
            raise
        return True

    async def webhook(self, name: str) -> Json | None:
        """Return a MutatingWebhookConfiguration, None if there is none."""
        return await self._get(f"{_WEBHOOKS}/{name}")

    async def apply_ca_bundle(self, name: str, webhooks: list[str], bundle: str) -> Json:
        """Set the caBundle of each webhook by server-side apply, and own nothing else of the object."""
        client = {"caBundle": base64.b64encode(bundle.encode()).decode()}
        body = {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": name},
            "webhooks": [{"name": each, "clientConfig": client} for each in webhooks],
        }
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        return await self._call("PATCH", f"{_WEBHOOKS}/{name}", body, query, {"Content-Type": _APPLY})

    async def create_event(self, namespace: str, event: Json) -> None:
        """Create an Event; one of that name that exists already is as good."""
        try:
            await self._call("POST", f"/api/v1/namespaces/{namespace}/events", event)
        except KubeError as error:
            if error.status != 409:
                raise

    async def pods(self, field_selector: str) -> tuple[list[Json], str]:
        """Return the metadata of all pods of all namespaces and the version of that list."""
        found: list[Json] = []
        query = {"fieldSelector": field_selector, "limit": "500"}
        accept = {"Accept": METADATA_ONLY.format(list="List")}
        while True:
            page = await self._call("GET", "/api/v1/pods", None, query, accept)
            found += [item["metadata"] for item in page.get("items") or []]
            meta = page.get("metadata", {})
            if not meta.get("continue"):
                return found, meta.get("resourceVersion", "")
            query["continue"] = meta["continue"]

    async def watch_pods(self, field_selector: str, version: str) -> AsyncIterator[tuple[str, Json]]:
        """Yield what happens to pods after ``version``: ADDED, MODIFIED, DELETED or BOOKMARK, and their metadata.

        Ends after some minutes; raises KubeError (410 if ``version`` is too old).
        """
        accept = {"Accept": METADATA_ONLY.format(list="")}
        query = {"fieldSelector": field_selector, "resourceVersion": version, "allowWatchBookmarks": "true"}
        async for event, made in self._watch("/api/v1/pods", query, accept):
            yield event, made["metadata"]

    async def watch_events(self, field_selector: str) -> AsyncIterator[Json]:
        """Yield the Events of all namespaces that fit, those of the last hour first, as they come and as they recur.

        Ends after some minutes; raises KubeError.
        """
        async for event, made in self._watch("/api/v1/events", {"fieldSelector": field_selector}, {}):
            if event in ("ADDED", "MODIFIED"):
                yield made

    async def pod(self, namespace: str, name: str) -> Json | None:
        """Return a pod, None if there is none."""
        return await self._get(f"/api/v1/namespaces/{namespace}/pods/{name}")

    async def _watch(
        self, path: str, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> AsyncIterator[tuple[str, Json]]:
        query = {**query, "watch": "true", "timeoutSeconds": str(WATCH_SECONDS)}
        async with self._request("GET", path, None, query, headers, _WATCH_TIMEOUT) as answer:
            async for line in _lines(answer):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise KubeError(event["object"].get("code", 0), event["object"].get("message", "watch failed"))
                yield event["type"], event["object"]

    async def _get(self, path: str) -> Json | None:
        try:
            return await self._call("GET", path)
        except KubeError as error:
            if error.status == 404:
                return None
            raise

    async def _call(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Json:
        async with self._request(method, path, body, query, headers) as answer:
            found: Json = await answer.json(content_type=None)
            return found

    @asynccontextmanager
    async def _request(
        self,
        method: str,
        path: str,
        body: Json | None,
        query: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        timeout: aiohttp.ClientTimeout = _TIMEOUT,  # noqa: ASYNC109 - of the whole exchange, in aiohttp's own terms
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        given = {"Content-Type": "application/json", **self._access.headers(), **(headers or {})}
        try:
            async with self._session.request(
                method,
                self._access.url + path,
                params=query,
                headers=given,
                data=json.dumps(body) if body is not None else None,
                ssl=self._access.tls if self._access.tls else True,
                timeout=timeout,
            ) as answer:
                if answer.status >= 400:
                    raise KubeError(answer.status, f"{method} {path}: {answer.status} {await _message(answer)}")
                yield answer
        except (TimeoutError, aiohttp.ClientError, OSError, json.JSONDecodeError) as error:
            raise KubeError(0, f"{method} {path}: {type(error).__name__}: {error}") from error


_WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
_APPLY = "application/apply-patch+yaml"


async def _message(answer: aiohttp.ClientResponse) -> str:
    """Return what a Status says (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/)."""
    text = await answer.text()
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text[:200]


async def _lines(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Yield whole lines, however long: aiohttp's own reader refuses those above 64 KiB."""
    rest = b""
    async for chunk in answer.content.iter_any():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            if line.strip():
                yield line
