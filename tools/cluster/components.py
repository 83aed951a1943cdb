"""The programs of the control plane and the node: how each is started, in the order of this file."""

import json
from pathlib import Path

from tools.cluster.certificates import certificate, key, kubeconfig
from tools.cluster.layout import (
    BIN,
    CLUSTER,
    CONFIG,
    CONTAINERD_SOCKET,
    DNS_SERVICE_ADDRESS,
    DOMAIN,
    KUBELET,
    NODE,
    NODE_ADDRESS,
    PKI,
    PODS,
    SERVICES,
)

_ISSUER = f"https://kubernetes.default.svc.{DOMAIN}"


def etcd() -> list[str | Path]:
    """Keep the API server's objects; losing it with the machine is fine here, so it need not wait for the disk."""
    return ["etcd", "--data-dir", CLUSTER / "etcd", "--unsafe-no-fsync", "--log-level", "warn", "--logger", "zap"]


def api_server() -> list[str | Path]:
    """Serve the Kubernetes API at the node's address."""
    return _words(
        "kube-apiserver",
        advertise_address=NODE_ADDRESS,
        allow_privileged="true",
        authorization_mode="Node,RBAC",
        client_ca_file=certificate("ca"),
        enable_admission_plugins="NodeRestriction",
        etcd_servers="http://127.0.0.1:2379",
        kubelet_certificate_authority=certificate("ca"),
        kubelet_client_certificate=certificate("apiserver-kubelet"),
        kubelet_client_key=key("apiserver-kubelet"),
        kubelet_preferred_address_types="InternalIP",
        service_account_issuer=_ISSUER,
        service_account_key_file=PKI / "service-accounts.pub",
        service_account_signing_key_file=key("service-accounts"),
        service_cluster_ip_range=SERVICES,
        tls_cert_file=certificate("apiserver"),
        tls_private_key_file=key("apiserver"),
    )


def controller_manager() -> list[str | Path]:
    """Run the controllers; they die if the API server's own roles are not there yet."""
    return _words(
        "kube-controller-manager",
        bind_address="127.0.0.1",
        cluster_cidr=PODS,
        cluster_signing_cert_file=certificate("ca"),
        cluster_signing_key_file=key("ca"),
        kubeconfig=kubeconfig("controller-manager"),
        leader_elect="false",
        root_ca_file=certificate("ca"),
        service_account_private_key_file=key("service-accounts"),
        use_service_account_credentials="true",
    )


def scheduler() -> list[str | Path]:
    """Give pods to the node."""
    return _words("kube-scheduler", bind_address="127.0.0.1", kubeconfig=kubeconfig("scheduler"), leader_elect="false")


def kubelet() -> list[str | Path]:
    """Run the node's agent, whose configuration is written first."""
    (CONFIG / "kubelet.json").write_text(json.dumps(_kubelet_settings()))
    (CONFIG / "resolv.conf").write_text(f"nameserver {DNS_SERVICE_ADDRESS}\n")
    return _words(
        "kubelet",
        cert_dir=KUBELET / "pki",
        config=CONFIG / "kubelet.json",
        container_runtime="remote",
        container_runtime_endpoint=f"unix://{CONTAINERD_SOCKET}",
        hostname_override=NODE,
        kubeconfig=kubeconfig("kubelet"),
        node_ip=NODE_ADDRESS,
        root_dir=KUBELET,
        volume_plugin_dir=KUBELET / "plugins-exec",
    )


def proxy() -> list[str | Path]:
    """Turn Services into iptables rules of the cluster's network namespace."""
    return _words(
        "kube-proxy",
        cluster_cidr=PODS,
        conntrack_max_per_core="0",
        healthz_bind_address="127.0.0.1",
        hostname_override=NODE,
        kubeconfig=kubeconfig("proxy"),
        oom_score_adj="0",
        proxy_mode="iptables",
    )


def _words(program: str, **flags: str | Path) -> list[str | Path]:
    return [BIN / program, *(f"--{name.replace('_', '-')}={value}" for name, value in flags.items())]


def _kubelet_settings() -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(certificate("ca"))},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "clusterDNS": [DNS_SERVICE_ADDRESS],
        "clusterDomain": DOMAIN,
        "enforceNodeAllocatable": [],
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "failSwapOn": False,
        "healthzBindAddress": "127.0.0.1",
        "imageGCHighThresholdPercent": 100,
        "nodeStatusUpdateFrequency": "1s",
        "oomScoreAdj": 0,
        "resolvConf": str(CONFIG / "resolv.conf"),
        "serializeImagePulls": False,
        "tlsCertFile": str(certificate("kubelet-serving")),
        "tlsPrivateKeyFile": str(key("kubelet-serving")),
    }
