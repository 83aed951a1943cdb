"""Tells the agent injector which server pods use that name none: a ConfigMap that it reads again every few seconds.

Its entries are the injector's flags (``python -m strongroom_injector -help``); they win over what the chart sets.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from strongroom_common.clock import Clock
from strongroom_operator import certificates
from strongroom_operator.crds import GROUP
from strongroom_operator.kube import CONFIG_MAP, SECRET, Kube, KubeError
from strongroom_operator.resources import MANAGER, Body, Cluster
from strongroom_operator.tick import REFRESH, Event

_FROM = f"{GROUP}/from"


@dataclass(frozen=True)
class Place:
    """The ConfigMap; with no name there is no injector."""

    namespace: str
    name: str


class Injector:
    """Keeps the ConfigMap as the oldest VaultCluster wants it that offers itself."""

    def __init__(self, kube: Kube, place: Place, clock: Clock) -> None:
        self._kube, self._place, self._clock = kube, place, clock
        self._written: tuple[Cluster | None, float] = (None, 0.0)

    async def offer(self, cluster: Cluster, clusters: Sequence[Cluster]) -> list[Event]:
        """Make ``cluster`` the default if it is its turn; ``clusters`` are all, the oldest first."""
        known, moment = self._written
        if not self._place.name or chosen(clusters) != cluster:
            return []
        if known == cluster and self._clock.now() - moment < REFRESH:
            return []
        try:
            found = await self._kube.get(SECRET, cluster.namespace, cluster.ca_secret)
            ca = certificates.entries(found).get("ca.crt", b"").decode()
            if cluster.spec.tls.enabled and not ca:
                return []
            await self._kube.apply(defaults(self._place, cluster, ca))
        except KubeError as error:
            return [Event("Warning", "InjectorNotTold", str(error))] if known != cluster else []
        self._written = (cluster, self._clock.now())
        is_new = known is None or (known.namespace, known.name) != (cluster.namespace, cluster.name)
        return [Event("Normal", "InjectorDefault", f"the injector uses {cluster.address}")] if is_new else []

    async def withdraw(self, namespace: str, name: str) -> None:
        """Forget a deleted VaultCluster; raises KubeError."""
        found = await self._kube.get(CONFIG_MAP, self._place.namespace, self._place.name) if self._place.name else None
        if found and (found["metadata"].get("annotations") or {}).get(_FROM) == f"{namespace}/{name}":
            await self._kube.delete(CONFIG_MAP, self._place.namespace, self._place.name)
        self._written = (None, 0.0)


def chosen(clusters: Sequence[Cluster]) -> Cluster | None:
    """Return the oldest that offers itself."""
    return next((cluster for cluster in clusters if cluster.spec.injector.default), None)


def defaults(place: Place, cluster: Cluster, ca: str) -> Body:
    """Return the ConfigMap."""
    data = {
        "vault-address": cluster.address,
        "vault-auth-path": f"auth/{cluster.spec.kubernetes_auth.path.strip('/')}",
        **({"vault-cacert-bytes": ca} if ca else {}),
        **cluster.spec.injector.settings,
    }
    metadata = {
        "name": place.name,
        "namespace": place.namespace,
        "labels": {"app.kubernetes.io/managed-by": MANAGER},
        "annotations": {_FROM: f"{cluster.namespace}/{cluster.name}"},
    }
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
