"""The servers of a VaultCluster: the server file and the StatefulSet, as pure functions of the spec."""

import hashlib
import json
from typing import Any

from strongroom_operator.crds import GROUP
from strongroom_operator.overlay import overlay
from strongroom_operator.resources import API_PORT, CLUSTER_PORT, FOLDER, Body, Cluster, Surroundings, owned

CONTAINER = "strongroom"
USER, USER_GROUP = 100, 1000
_CONFIG, _TLS, _SEAL, _DATA = f"{FOLDER}/config", f"{FOLDER}/tls", f"{FOLDER}/seal", f"{FOLDER}/data"


def server_file(cluster: Cluster) -> dict[str, Any]:
    """Return the server file (HCL's JSON form) with the user's ``config`` merged over it."""
    spec = cluster.spec
    listener: dict[str, Any] = {"address": f"0.0.0.0:{API_PORT}", "cluster_address": f"0.0.0.0:{CLUSTER_PORT}"}
    if spec.tls.enabled:
        listener |= {"tls_cert_file": f"{_TLS}/tls.crt", "tls_key_file": f"{_TLS}/tls.key"}
    else:
        listener["tls_disable"] = True
    made: dict[str, Any] = {
        "api_addr": cluster.address,
        "cluster_addr": f"https://{cluster.host}:{CLUSTER_PORT}",
        "disable_mlock": True,
        "log_format": "json",
        "listener": {"tcp": listener},
        "storage": {spec.storage.type: overlay({"path": _DATA}, spec.storage.config)},
    }
    if spec.seal.type == "static":
        made["seal"] = {"static": {"current_key_id": "operator", "current_key": f"file://{_SEAL}/key"}}
    for one in ("storage", "seal"):  # a server has one of each
        if one in spec.config:
            made.pop(one, None)
    return dict(overlay(made, spec.config))


def config_map(cluster: Cluster) -> Body:
    """Return the ConfigMap with the server file."""
    text = json.dumps(server_file(cluster), indent=2, sort_keys=True) + "\n"
    return owned(cluster, "v1", "ConfigMap", f"{cluster.name}-config", data={"server.hcl": text})


def stateful_set(cluster: Cluster, around: Surroundings, certificate: str = "") -> Body:
    """Return the StatefulSet. A new server file or ``certificate`` (its serial number) replaces the pods."""
    pod = _pod(cluster, around, certificate)
    spec = {
        "serviceName": cluster.headless,
        "replicas": cluster.spec.replicas,
        "podManagementPolicy": "Parallel",
        "updateStrategy": {"type": "RollingUpdate"},
        "selector": {"matchLabels": cluster.selector},
        "template": overlay(pod, cluster.spec.pod_template),
        "volumeClaimTemplates": [_claim(cluster)],
    }
    return owned(cluster, "apps/v1", "StatefulSet", cluster.name, spec=spec)


def _pod(cluster: Cluster, around: Surroundings, certificate: str) -> Body:
    digest = hashlib.sha256(json.dumps(server_file(cluster), sort_keys=True).encode()).hexdigest()[:16]
    annotations = {f"{GROUP}/config": digest, **({f"{GROUP}/certificate": certificate} if certificate else {})}
    spec: Body = {
        "serviceAccountName": cluster.name,
        "terminationGracePeriodSeconds": 15,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER_GROUP,
            "fsGroup": USER_GROUP,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(cluster, around)],
        "volumes": [volume for volume, _ in _volumes(cluster) if volume],
    }
    if cluster.spec.image_pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in cluster.spec.image_pull_secrets]
    return {"metadata": {"labels": cluster.labels, "annotations": annotations}, "spec": spec}


def _container(cluster: Cluster, around: Surroundings) -> Body:
    return {
        "name": CONTAINER,
        "image": cluster.spec.image or around.image,
        "imagePullPolicy": cluster.spec.image_pull_policy,
        "args": ["server", f"-config={_CONFIG}/server.hcl"],
        "ports": [{"name": "api", "containerPort": API_PORT}, {"name": "cluster", "containerPort": CLUSTER_PORT}],
        "resources": dict(cluster.spec.resources),
        # Ready is who serves; alive is who answers at all, sealed or not: a sealed server must not be restarted.
        "readinessProbe": _probe(cluster, "standbyok=true&perfstandbyok=true", period=2),
        "livenessProbe": _probe(
            cluster, "standbyok=true&perfstandbyok=true&sealedcode=200&uninitcode=200", period=10, delay=10
        ),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [mount for _, mount in _volumes(cluster)],
    }


def _probe(cluster: Cluster, query: str, period: int, delay: int = 0) -> Body:
    request = {"path": f"/v1/sys/health?{query}", "port": "api", "scheme": cluster.scheme.upper()}
    probe = {"httpGet": request, "periodSeconds": period, "timeoutSeconds": 5, "failureThreshold": 3}
    return {**probe, **({"initialDelaySeconds": delay} if delay else {})}


def _volumes(cluster: Cluster) -> list[tuple[Body, Body]]:
    """Return each volume with its mount; the claim's volume is the StatefulSet's own."""
    found: list[tuple[Body, Body]] = [
        ({}, {"name": "data", "mountPath": _DATA}),
        _volume("config", _CONFIG, configMap={"name": f"{cluster.name}-config"}),
        _volume("tmp", "/tmp", emptyDir={}),  # noqa: S108 a folder of the pod's own
    ]
    if cluster.spec.tls.enabled:
        found.append(_volume("tls", _TLS, secret={"secretName": cluster.tls_secret, "defaultMode": 0o440}))
    if cluster.spec.seal.type == "static":
        found.append(_volume("seal", _SEAL, secret={"secretName": cluster.seal_key_secret, "defaultMode": 0o440}))
    return found


def _volume(name: str, path: str, **source: Any) -> tuple[Body, Body]:
    mount = {"name": name, "mountPath": path, **({"readOnly": True} if "emptyDir" not in source else {})}
    return {"name": name, **source}, mount


def _claim(cluster: Cluster) -> Body:
    storage = cluster.spec.storage
    claim: Body = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": storage.size}},
        **({"storageClassName": storage.storage_class} if storage.storage_class is not None else {}),
    }
    return {"metadata": {"name": "data", "labels": cluster.selector}, "spec": claim}
