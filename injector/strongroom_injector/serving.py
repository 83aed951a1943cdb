"""Keeps three things in step: the Secret with CA and certificate, what this replica serves, and the caBundle.

Every replica does the same; whoever is first writes, the others find it written. No leader is needed: the Secret's
resourceVersion decides. This replica is ready only while the caBundle that the API server has trusts what it serves.
"""

import asyncio
import base64
import logging
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from strongroom_common.clock import Clock
from strongroom_common.secret import Secret
from strongroom_injector.certificates import Material, distrust, expires, renewed
from strongroom_injector.errors import KubeError
from strongroom_injector.kube import Json, Kube, load_pair
from strongroom_injector.metrics import Metrics

EVERY = 30.0
"""Seconds between looks at the Secret and the webhook."""
_ATTEMPTS = 5

_log = logging.getLogger(__name__)


class Serving(Protocol):
    """A source of the certificate to serve."""

    context: ssl.SSLContext
    loaded: asyncio.Event
    """Set once there is a certificate to serve."""

    async def refresh(self) -> None:
        """Look again, renew what is due; raises KubeError."""
        ...

    def problem(self) -> str | None:
        """Say why the API server would not trust this replica now; None if it does."""
        ...


def server_context(min_version: str) -> ssl.SSLContext:
    """Return a TLS context without a certificate yet; ``min_version`` is tls12 or tls13."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    context.minimum_version = ssl.TLSVersion.TLSv1_3 if min_version == "tls13" else ssl.TLSVersion.TLSv1_2
    return context


class OwnCertificates:
    """The certificate of a CA of our own, kept in a Secret and trusted through the caBundle."""

    def __init__(
        self, kube: Kube, clock: Clock, metrics: Metrics, context: ssl.SSLContext, names: "SecretAndWebhook"
    ) -> None:
        self.context, self.loaded = context, asyncio.Event()
        self._kube, self._clock, self._metrics, self._names = kube, clock, metrics, names
        self._material: Material | None = None
        self._trusted: list[str] = []

    async def refresh(self) -> None:
        """Read the Secret, renew what is due, serve it, and see that the webhook trusts it; raises KubeError."""
        material = await self._read_or_renew()
        if material != self._material:
            load_pair(self.context, material.tls_crt, material.tls_key.reveal())
            self._material = material
            self.loaded.set()
            _log.info("serving a certificate", extra={"fields": {"expires": expires(material.tls_crt)}})
        self._metrics.expiry.set(expires(material.tls_crt), "serving")
        self._metrics.expiry.set(expires(material.ca_crt), "ca")
        await self._publish(material.ca_crt)

    def problem(self) -> str | None:
        """Say why the API server would not trust this replica now."""
        if self._material is None:
            return "there is no certificate yet"
        if not self._trusted:
            return f"the webhook {self._names.webhook} has no caBundle yet"
        said = [distrust(self._material.tls_crt, bundle, self._clock.now()) for bundle in self._trusted]
        return next((each for each in said if each), None)

    async def _read_or_renew(self) -> Material:
        for _ in range(_ATTEMPTS):
            stored = await self._kube.secret(self._names.namespace, self._names.secret)
            before = _material(stored)
            now = renewed(before, self._names.hosts, self._clock.now())
            if now is before or await self._kube.save_secret(self._as_secret(now, stored)):
                return now
        raise KubeError(409, f"the Secret {self._names.secret} is changed by others all the time")

    def _as_secret(self, material: Material, stored: Json | None) -> Json:
        kept = (stored or {}).get("metadata", {})
        meta = {"name": self._names.secret, "namespace": self._names.namespace}
        for key in ("resourceVersion", "labels", "annotations", "ownerReferences", "finalizers"):
            if key in kept:
                meta[key] = kept[key]
        parts = {
            "ca.crt": material.ca_crt,
            "ca.key": material.ca_key.reveal(),
            "tls.crt": material.tls_crt,
            "tls.key": material.tls_key.reveal(),
        }
        data = {key: base64.b64encode(text.encode()).decode() for key, text in parts.items()}
        kind = (stored or {}).get("type", "Opaque")
        return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": kind, "data": data}

    async def _publish(self, bundle: str) -> None:
        found = await self._kube.webhook(self._names.webhook)
        if found is None:
            self._trusted = []
            raise KubeError(404, f"there is no MutatingWebhookConfiguration {self._names.webhook}")
        if any(each != bundle for each in _bundles(found)):
            names = [each["name"] for each in found["webhooks"]]
            found = await self._kube.apply_ca_bundle(self._names.webhook, names, bundle)
            _log.info("set the caBundle of %s", self._names.webhook)
        self._trusted = _bundles(found)


class SecretAndWebhook:
    """The names of what ``OwnCertificates`` looks after, and of the hosts that it serves."""

    def __init__(self, namespace: str, secret: str, webhook: str, hosts: tuple[str, ...]) -> None:
        self.namespace, self.secret, self.webhook, self.hosts = namespace, secret, webhook, hosts


class GivenCertificates:
    """A certificate that somebody else keeps in files (cert-manager, for one); read again when it changes."""

    def __init__(
        self, read: Callable[[], tuple[str, str, str]], clock: Clock, metrics: Metrics, context: ssl.SSLContext
    ) -> None:
        self.context, self.loaded = context, asyncio.Event()
        self._read, self._clock, self._metrics = read, clock, metrics
        self._pair = ("", "")
        self._ca = ""

    async def refresh(self) -> None:
        """Read the files; raises KubeError if they cannot be used."""
        try:
            certificate, key, self._ca = self._read()
            if (certificate, key) != self._pair:
                load_pair(self.context, certificate, key)
                self._pair = (certificate, key)
                self.loaded.set()
            self._metrics.expiry.set(expires(certificate), "serving")
        except (OSError, ssl.SSLError, ValueError) as error:
            raise KubeError(0, f"-tls-cert-file and -tls-key-file: {error}") from error

    def problem(self) -> str | None:
        """Say why a client would not trust the certificate now."""
        if not self._pair[0]:
            return "there is no certificate yet"
        if self._ca:
            return distrust(self._pair[0], self._ca, self._clock.now())
        return "the certificate has expired" if expires(self._pair[0]) <= self._clock.now() else None


def files(certificate: str, key: str, ca: str) -> Callable[[], tuple[str, str, str]]:
    """Return a reader of the three PEM files; ``ca`` may be empty."""
    return lambda: (Path(certificate).read_text(), Path(key).read_text(), Path(ca).read_text() if ca else "")


def _material(secret: Json | None) -> Material | None:
    data = (secret or {}).get("data") or {}
    try:
        ca_crt, ca_key, tls_crt, tls_key = (
            base64.b64decode(data[key]).decode() for key in ("ca.crt", "ca.key", "tls.crt", "tls.key")
        )
    except (KeyError, ValueError):
        return None
    return Material(ca_crt, Secret(ca_key), tls_crt, Secret(tls_key))


def _bundles(webhook: Json) -> list[str]:
    encoded = [each.get("clientConfig", {}).get("caBundle") or "" for each in webhook.get("webhooks") or []]
    return [base64.b64decode(each).decode(errors="replace") for each in encoded]
