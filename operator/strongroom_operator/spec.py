"""What may be written in the two custom resources, and what their status tells, as dataclasses.

The definitions in ``crds/`` are generated from this file, and what ``kubectl explain`` shows are its help texts.
"""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from strongroom_common.fields import Names, Object, Pairs, Seconds
from strongroom_operator.schema import More

DEFAULT_AUDIENCE = "strongroom"
CAPABILITIES = ("create", "read", "update", "patch", "delete", "list", "scan", "sudo", "deny")

_QUANTITY = More(pattern=r"^\d+(\.\d+)?([EPTGMk]i?|m)?$")
_DNS_LABEL = More(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", maxLength=63)


@dataclass(frozen=True)
class Storage:
    """Where the server keeps its data."""

    type: Annotated[
        Literal["sqlite", "raft", "postgresql"],
        "Kind of storage. Only sqlite is run by this version; the others are refused with a condition.",
    ] = "sqlite"
    size: Annotated[str, "Size of the claim of each server.", _QUANTITY] = "10Gi"
    storage_class: Annotated[str | None, "StorageClass of the claim; absent: the cluster's default."] = None
    config: Annotated[Object, "More settings of the storage stanza, as in the server file."] = field(
        default_factory=lambda: Object({})
    )


@dataclass(frozen=True)
class Seal:
    """How the server's root key is protected."""

    type: Annotated[
        Literal["shamir", "static"],
        "shamir: the operator keeps the key shares and unseals with them. "
        "static: the server unseals itself with a key from a Secret.",
    ] = "shamir"
    shares: Annotated[int, "Number of key shares made at initialisation.", More(minimum=1, maximum=255)] = 5
    threshold: Annotated[int, "Shares needed to unseal.", More(minimum=1, maximum=255)] = 3
    keys_secret: Annotated[
        str,
        "Secret in which the operator keeps the shares. It outlives the VaultCluster: without it the data is lost. "
        "Default: <name>-unseal-keys.",
    ] = ""
    static_key_secret: Annotated[
        str, "static only: Secret whose entry `key` holds the 32-byte key. Default: <name>-seal-key, made when absent."
    ] = ""


@dataclass(frozen=True)
class Tls:
    """TLS of the server's listener."""

    enabled: Annotated[bool, "Serve HTTPS."] = True
    secret_name: Annotated[
        str, "A Secret of your own with tls.crt, tls.key and ca.crt. Default: the operator issues from a CA of its own."
    ] = ""
    extra_names: Annotated[Names, "More DNS names and IP addresses for the certificate that the operator issues."] = (
        Names(())
    )
    ca_namespaces: Annotated[
        Names, "Namespaces that get a copy of the CA certificate, as ConfigMap <name>-ca with the entry ca.crt."
    ] = Names(())


@dataclass(frozen=True)
class Service:
    """The Services in front of the servers."""

    type: Annotated[Literal["ClusterIP", "NodePort", "LoadBalancer"], "Type of the Service <name>."] = "ClusterIP"
    annotations: Annotated[Pairs, "Annotations of the Service <name>."] = field(default_factory=lambda: Pairs({}))


@dataclass(frozen=True)
class NetworkPolicy:
    """Who may open connections to the servers."""

    enabled: Annotated[bool, "Write a NetworkPolicy."] = True
    peers: Annotated[
        Any,
        "NetworkPolicyPeers that may reach the API, beside the operator. Default: everyone in the cluster.",
        More(type="array", items={"type": "object", "x-kubernetes-preserve-unknown-fields": True}),
    ] = ()


@dataclass(frozen=True)
class SecretEngine:
    """A secrets engine mounted when the cluster is bootstrapped, and mounted again if it goes missing."""

    path: Annotated[str, "Where it is mounted, without slashes at the ends."]
    type: Annotated[str, "Type of the engine."] = "kv"
    options: Annotated[Pairs, "Options of the mount, such as version for kv."] = field(
        default_factory=lambda: Pairs({})
    )
    description: Annotated[str, "A note for people."] = ""


@dataclass(frozen=True)
class AuditDevice:
    """An audit device; the server answers nothing that it cannot record."""

    path: Annotated[str, "Name of the device."] = "file"
    type: Annotated[str, "Type of the device."] = "file"
    options: Annotated[Pairs, "Options of the device. file_path may be stdout, which the pod's log then shows."] = (
        field(default_factory=lambda: Pairs({"file_path": "stdout"}))
    )


@dataclass(frozen=True)
class KubernetesAuth:
    """The auth method by which pods log in."""

    path: Annotated[str, "Where it is mounted, below auth/."] = "kubernetes"
    config: Annotated[Object, "More settings of auth/<path>/config."] = field(default_factory=lambda: Object({}))


@dataclass(frozen=True)
class Injector:
    """What the agent injector takes from this cluster."""

    default: Annotated[
        bool, "Make this the server of pods that name none. The oldest VaultCluster that asks for it gets it."
    ] = True
    settings: Annotated[Pairs, "More defaults for pods, by the name of the injector's flag, such as memory-limit."] = (
        field(default_factory=lambda: Pairs({}))
    )


@dataclass(frozen=True)
class VaultClusterSpec:
    """A secrets server that the operator runs, initialises and unseals."""

    replicas: Annotated[int, "Number of servers; sqlite storage has one.", More(minimum=1, maximum=9)] = 1
    image: Annotated[str, "Image of the server. Default: the one that the operator was installed with."] = ""
    image_pull_policy: Annotated[Literal["Always", "IfNotPresent", "Never"], "When to pull it."] = "IfNotPresent"
    image_pull_secrets: Annotated[Names, "Names of Secrets to pull it with."] = Names(())
    storage: Annotated[Storage, "Where the data is kept."] = Storage()
    seal: Annotated[Seal, "How the root key is protected."] = Seal()
    tls: Annotated[Tls, "TLS of the listener."] = Tls()
    service: Annotated[Service, "The Service <name>, by which clients reach the servers."] = Service()
    network_policy: Annotated[NetworkPolicy, "Who may reach the servers."] = NetworkPolicy()
    resources: Annotated[Object, "Resource requests and limits of the server's container."] = field(
        default_factory=lambda: Object({"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}})
    )
    config: Annotated[
        Object,
        "Settings of the server file, merged over what the operator writes (ui, default_lease_ttl, telemetry …); "
        "a storage or seal replaces the operator's.",
    ] = field(default_factory=lambda: Object({}))
    secret_engines: Annotated[tuple[SecretEngine, ...], "Engines to mount. Default: KV version 2 at secret."] = (
        SecretEngine("secret", "kv", Pairs({"version": "2"}), "Key/value secrets with versions"),
    )
    audit_devices: Annotated[tuple[AuditDevice, ...], "Audit devices to enable. Default: to the pod's log."] = (
        AuditDevice(),
    )
    kubernetes_auth: Annotated[KubernetesAuth, "The auth method by which pods log in."] = KubernetesAuth()
    policy_namespaces: Annotated[
        Names,
        "Namespaces whose SecretPolicies count here; a name may end in `*`. "
        "Who may write a SecretPolicy there may read secrets here.",
    ] = Names(("*",))
    injector: Annotated[Injector, "What the injector takes from this cluster."] = Injector()
    pod_template: Annotated[
        Object, "Merged over the servers' pod template: maps by key, lists of named items by name, null removes."
    ] = field(default_factory=lambda: Object({}))


@dataclass(frozen=True)
class ClusterRef:
    """Names a VaultCluster."""

    name: Annotated[str, "Its name."]
    namespace: Annotated[str, "Its namespace. Default: that of the SecretPolicy."] = ""


@dataclass(frozen=True)
class ServiceAccounts:
    """Service accounts: every one of `names` in every one of `namespaces`."""

    names: Annotated[Names, "Names of service accounts; `*` for all, or a pattern with `*`.", More(minItems=1)]
    namespaces: Annotated[Names, "Namespaces, or patterns. Default: that of the SecretPolicy."] = Names(())


@dataclass(frozen=True)
class PathRule:
    """Grants capabilities on a path of the API."""

    path: Annotated[str, "Path as in a policy: `+` is one segment, a `*` at the end any rest.", More(minLength=1)]
    capabilities: Annotated[
        Names, "What may be done.", More(minItems=1, items={"type": "string", "enum": list(CAPABILITIES)})
    ]


@dataclass(frozen=True)
class SecretRule:
    """Grants access to a secret in a KV engine, whichever its version."""

    path: Annotated[str, "Mount and name, such as `secret/app`; `secret/app/*` for all below.", More(minLength=1)]
    access: Annotated[Literal["read", "write"], "write is all of read, and create, update, delete."] = "read"


@dataclass(frozen=True)
class Token:
    """The tokens that a login gives."""

    ttl: Annotated[Seconds, "Life of a token before it has to be renewed."] = Seconds(3600)
    max_ttl: Annotated[Seconds, "Longest life of a token, renewed or not; 0 is the server's own limit."] = Seconds(0)
    period: Annotated[Seconds, "If set, a token may be renewed for ever, for this long each time."] = Seconds(0)
    policies: Annotated[Names, "More policies for the token, which exist in the server already."] = Names(())
    num_uses: Annotated[int, "How often a token may be used; 0 is any number.", More(minimum=0)] = 0
    bound_cidrs: Annotated[Names, "Networks from which the token may be used."] = Names(())


@dataclass(frozen=True)
class SecretPolicySpec:
    """Which service accounts may do what: becomes a policy and a role of the kubernetes auth method."""

    service_accounts: Annotated[ServiceAccounts, "Who may log in."]
    cluster_ref: Annotated[ClusterRef | None, "The VaultCluster. Default: the only one there is."] = None
    role: Annotated[
        str,
        "Name of the role. Default: the name of the SecretPolicy. "
        "The oldest SecretPolicy that asks for a name gets it.",
        _DNS_LABEL,
    ] = ""
    secrets: Annotated[tuple[SecretRule, ...], "Secrets of KV engines."] = ()
    paths: Annotated[tuple[PathRule, ...], "Paths of the API with capabilities."] = ()
    rules: Annotated[str, "More rules, in the policy language (HCL)."] = ""
    audience: Annotated[
        str,
        "Audience that a service-account token must have. The injector's tokens have the default; "
        "empty: that of the API server.",
    ] = DEFAULT_AUDIENCE
    token: Annotated[Token, "The tokens that a login gives."] = Token()


@dataclass(frozen=True)
class Condition:
    """One aspect of the resource's state."""

    type: Annotated[str, "Which aspect."]
    status: Annotated[Literal["True", "False", "Unknown"], "Whether it holds."]
    reason: Annotated[str, "Why, in one word for programs."]
    message: Annotated[str, "Why, in words for people."] = ""
    last_transition_time: Annotated[str, "When the status changed last.", More(format="date-time")] = ""
    observed_generation: Annotated[int, "Generation of the resource that this is about."] = 0


@dataclass(frozen=True)
class VaultClusterStatus:
    """What the operator saw last."""

    conditions: Annotated[tuple[Condition, ...], "Initialized, Unsealed, Available, Progressing, Degraded."] = ()
    observed_generation: Annotated[int, "Generation that was applied last."] = 0
    address: Annotated[str, "Address for clients in the cluster."] = ""
    version: Annotated[str, "Version that the server reports."] = ""
    initialized: Annotated[bool, "Whether the server is initialised."] = False
    sealed: Annotated[bool, "Whether any server is sealed."] = False
    ready_replicas: Annotated[int, "Servers that are unsealed and answer."] = 0
    active_pod: Annotated[str, "The pod that serves writes."] = ""
    ca_secret: Annotated[str, "Secret with the CA certificate (ca.crt)."] = ""
    keys_secret: Annotated[str, "Secret with the key shares."] = ""
    bootstrapped: Annotated[bool, "Whether the operator set the server up and dropped its root token."] = False


@dataclass(frozen=True)
class SecretPolicyStatus:
    """What the operator saw last."""

    conditions: Annotated[tuple[Condition, ...], "Ready."] = ()
    observed_generation: Annotated[int, "Generation that was applied last."] = 0
    cluster: Annotated[str, "The VaultCluster, as namespace/name."] = ""
    policy: Annotated[str, "Name of the policy in the server."] = ""
    role: Annotated[str, "Name of the role in the server."] = ""
