"""The objects around the servers of a VaultCluster, as pure functions of its spec; ``workload.py`` has the servers.

Every object carries the cluster's labels and, where Kubernetes allows it, an owner reference, so that deleting the
VaultCluster deletes it. Not owned, and so kept: the claims with the data and the Secret with the keys.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from strongroom_operator.crds import API_VERSION, GROUP
from strongroom_operator.spec import VaultClusterSpec

API_PORT, CLUSTER_PORT = 8200, 8201
FOLDER = "/strongroom"
HA_STATE = f"{GROUP}/ha-state"
COPY_OF = f"{GROUP}/copy-of"
CLUSTER_LABEL = f"{GROUP}/cluster"
MANAGER = "strongroom-operator"

Body = dict[str, Any]


@dataclass(frozen=True)
class Surroundings:
    """What the operator knows of the place where it runs."""

    image: str
    kubernetes: tuple[int, int]
    namespace: str
    service_account: str
    api_server: str


@dataclass(frozen=True)
class Cluster:
    """A VaultCluster: identity, spec, and the names of what belongs to it."""

    namespace: str
    name: str
    uid: str
    spec: VaultClusterSpec

    @property
    def headless(self) -> str:
        """The Service that gives each server a name."""
        return f"{self.name}-internal"

    @property
    def ca_secret(self) -> str:
        """Holds the CA certificate alone, for clients."""
        return f"{self.name}-ca"

    @property
    def ca_key_secret(self) -> str:
        """Holds the CA with its key, for the operator."""
        return f"{self.name}-ca-key"

    @property
    def tls_secret(self) -> str:
        """Holds the servers' certificate and key."""
        return self.spec.tls.secret_name or f"{self.name}-tls"

    @property
    def keys_secret(self) -> str:
        """Holds the key shares."""
        return self.spec.seal.keys_secret or f"{self.name}-unseal-keys"

    @property
    def seal_key_secret(self) -> str:
        """Holds the key of a static seal."""
        return self.spec.seal.static_key_secret or f"{self.name}-seal-key"

    @property
    def host(self) -> str:
        """The name by which clients reach the servers; also what their certificate is checked for."""
        return f"{self.name}.{self.namespace}.svc"

    @property
    def scheme(self) -> str:
        """The URL scheme of the listener."""
        return "https" if self.spec.tls.enabled else "http"

    @property
    def address(self) -> str:
        """The URL for clients in the Kubernetes cluster."""
        return f"{self.scheme}://{self.host}:{API_PORT}"

    @property
    def selector(self) -> dict[str, str]:
        """The labels of the server pods."""
        return {
            "app.kubernetes.io/name": "strongroom",
            "app.kubernetes.io/instance": self.name,
            CLUSTER_LABEL: self.name,
        }

    @property
    def labels(self) -> dict[str, str]:
        """The labels of everything that belongs to the cluster."""
        return {**self.selector, "app.kubernetes.io/managed-by": MANAGER}


def server_names(cluster: Cluster) -> frozenset[str]:
    """Return every name and address that the servers' certificate is for."""
    services = (cluster.name, f"{cluster.name}-active", f"{cluster.name}-standby")
    suffixes = ("", f".{cluster.namespace}", f".{cluster.namespace}.svc", f".{cluster.namespace}.svc.cluster.local")
    pods = [f"{cluster.name}-{number}.{cluster.headless}" for number in range(cluster.spec.replicas)]
    names = [host + suffix for host in (*services, *pods) for suffix in suffixes]
    return frozenset([*names, "localhost", "127.0.0.1", *cluster.spec.tls.extra_names])


def owned(cluster: Cluster, api_version: str, kind: str, name: str, **parts: Any) -> Body:
    """Return an object in the cluster's namespace that lives as long as the VaultCluster."""
    reference = {
        "apiVersion": API_VERSION,
        "kind": "VaultCluster",
        "name": cluster.name,
        "uid": cluster.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return unowned(cluster, api_version, kind, name, references=[reference], **parts)


def unowned(
    cluster: Cluster, api_version: str, kind: str, name: str, references: list[Body] | None = None, **parts: Any
) -> Body:
    """Return an object in the cluster's namespace that outlives the VaultCluster."""
    metadata: Body = {"name": name, "namespace": cluster.namespace, "labels": cluster.labels}
    if references:
        metadata["ownerReferences"] = references
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **parts}


def services(cluster: Cluster) -> list[Body]:
    """Return the Services: all that answer, the active one, the standby ones, and the headless one for names."""
    standby = {**cluster.selector, HA_STATE: "standby"}
    active = {**cluster.selector, HA_STATE: "active"}
    main = _service(cluster, cluster.name, cluster.selector, type=cluster.spec.service.type)
    if cluster.spec.service.annotations:
        main["metadata"]["annotations"] = dict(cluster.spec.service.annotations)
    return [
        main,
        _service(cluster, f"{cluster.name}-active", active),
        _service(cluster, f"{cluster.name}-standby", standby),
        # The servers need each other's names before they are ready, and the operator reaches sealed ones.
        _service(cluster, cluster.headless, cluster.selector, clusterIP="None", publishNotReadyAddresses=True),
    ]


def _service(cluster: Cluster, name: str, selector: Mapping[str, str], **more: Any) -> Body:
    ports = [
        {"name": cluster.scheme, "port": API_PORT, "targetPort": "api", "protocol": "TCP"},
        {"name": "cluster", "port": CLUSTER_PORT, "targetPort": "cluster", "protocol": "TCP"},
    ]
    return owned(cluster, "v1", "Service", name, spec={"selector": dict(selector), "ports": ports, **more})


def service_account(cluster: Cluster) -> Body:
    """Return the service account of the servers, by which they ask for TokenReviews."""
    return owned(cluster, "v1", "ServiceAccount", cluster.name)


def token_review_binding(cluster: Cluster) -> Body:
    """Let the servers check service-account tokens. Of the whole Kubernetes cluster, so nobody's child."""
    subject = {"kind": "ServiceAccount", "name": cluster.name, "namespace": cluster.namespace}
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": binding_name(cluster.namespace, cluster.name), "labels": cluster.labels},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:auth-delegator"},
        "subjects": [subject],
    }


def binding_name(namespace: str, name: str) -> str:
    """Name the ClusterRoleBinding; no namespace holds a colon, so no two clusters share one."""
    return f"strongroom:{namespace}:{name}:token-review"


def disruption_budget(cluster: Cluster, kubernetes: tuple[int, int]) -> Body:
    """Return the budget: a majority stays. A single server may be moved, or its node could never be drained."""
    version = "policy/v1" if kubernetes >= (1, 21) else "policy/v1beta1"
    allowed = max(1, (cluster.spec.replicas - 1) // 2)
    spec = {"maxUnavailable": allowed, "selector": {"matchLabels": cluster.selector}}
    return owned(cluster, version, "PodDisruptionBudget", cluster.name, spec=spec)


def network_policy(cluster: Cluster, operator_namespace: str) -> Body | None:
    """Return who may connect: clients to the API, only the servers themselves to the cluster port."""
    settings = cluster.spec.network_policy
    if not settings.enabled:
        return None
    peers = list(settings.peers or ())
    api: Body = {"ports": [{"port": API_PORT, "protocol": "TCP"}]}
    if peers:
        operator = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": operator_namespace}}}
        api["from"] = [operator, *peers]
    own = {
        "ports": [{"port": CLUSTER_PORT, "protocol": "TCP"}],
        "from": [{"podSelector": {"matchLabels": cluster.selector}}],
    }
    spec = {"podSelector": {"matchLabels": cluster.selector}, "policyTypes": ["Ingress"], "ingress": [api, own]}
    return owned(cluster, "networking.k8s.io/v1", "NetworkPolicy", cluster.name, spec=spec)


def ca_copy(cluster: Cluster, namespace: str, certificate: str) -> Body:
    """Return the CA certificate for another namespace."""
    copy = unowned(cluster, "v1", "ConfigMap", cluster.ca_secret, data={"ca.crt": certificate})
    copy["metadata"]["namespace"] = namespace
    copy["metadata"]["annotations"] = {COPY_OF: f"{cluster.namespace}/{cluster.name}"}
    return copy
