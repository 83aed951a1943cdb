"""The cluster's certificates and kubeconfig files. They live from `up` to `down`."""

import base64
import json
from pathlib import Path

from tools.cluster.layout import API_SERVER, API_SERVICE_ADDRESS, KUBECONFIG, NODE, NODE_ADDRESS, PKI
from tools.cluster.steps import run

# What each certificate says about its owner: Kubernetes reads the user from CN and the groups from O.
SUBJECTS = {
    "apiserver": "/CN=kube-apiserver",
    "apiserver-kubelet": "/O=system:masters/CN=kube-apiserver-kubelet-client",
    "kubelet-serving": f"/O=system:nodes/CN=system:node:{NODE}",
    "kubelet": f"/O=system:nodes/CN=system:node:{NODE}",
    "controller-manager": "/CN=system:kube-controller-manager",
    "scheduler": "/CN=system:kube-scheduler",
    "proxy": "/CN=system:kube-proxy",
    "admin": "/O=system:masters/CN=admin",
}
_SERVICE_NAMES = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
_NAMES = {
    "apiserver": [
        *(f"DNS:{name}" for name in _SERVICE_NAMES),
        *(f"IP:{address}" for address in ("127.0.0.1", NODE_ADDRESS, API_SERVICE_ADDRESS)),
    ],
    "kubelet-serving": [f"DNS:{NODE}", f"IP:{NODE_ADDRESS}"],
}
_USERS = ("kubelet", "controller-manager", "scheduler", "proxy", "admin")
_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def create() -> None:
    """Write the authority, every certificate, the service-account key and the kubeconfig files."""
    PKI.mkdir(parents=True, mode=0o700)
    _openssl("req", "-x509", *_NEW_KEY, "-subj", "/CN=strongroom-local", "-days", "3650", *_out("ca"))
    for name, subject in SUBJECTS.items():
        names = _NAMES.get(name)
        extra = ["-addext", f"subjectAltName={','.join(names)}"] if names else []
        _openssl(
            "req", "-x509", *_NEW_KEY, "-subj", subject, "-days", "3650", *extra,
            "-addext", "basicConstraints=critical,CA:FALSE",
            "-CA", certificate("ca"), "-CAkey", key("ca"), *_out(name),
        )  # fmt: skip
    _openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", key("service-accounts"))
    _openssl("pkey", "-in", key("service-accounts"), "-pubout", "-out", PKI / "service-accounts.pub")
    for user in _USERS:
        _write_private(kubeconfig(user), json.dumps(_config(user), indent=1))
    _write_private(KUBECONFIG, kubeconfig("admin").read_text())


def certificate(name: str) -> Path:
    """Name the PEM file of one certificate."""
    return PKI / f"{name}.crt"


def key(name: str) -> Path:
    """Name the PEM file of one private key."""
    return PKI / f"{name}.key"


def kubeconfig(user: str) -> Path:
    """Name the kubeconfig file with which one component (or the admin) reaches the API server."""
    return PKI / f"{user}.kubeconfig"


def _openssl(*words: str | Path) -> None:
    run(["openssl", *words])


def _out(name: str) -> tuple[str | Path, ...]:
    return "-keyout", key(name), "-out", certificate(name)


def _config(user: str) -> dict[str, object]:
    def encoded(path: Path) -> str:
        return base64.b64encode(path.read_bytes()).decode()

    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "strongroom-local",
        "clusters": [
            {
                "name": "strongroom-local",
                "cluster": {"server": API_SERVER, "certificate-authority-data": encoded(certificate("ca"))},
            }
        ],
        "users": [
            {
                "name": user,
                "user": {
                    "client-certificate-data": encoded(certificate(user)),
                    "client-key-data": encoded(key(user)),
                },
            }
        ],
        "contexts": [{"name": "strongroom-local", "context": {"cluster": "strongroom-local", "user": user}}],
    }


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)
