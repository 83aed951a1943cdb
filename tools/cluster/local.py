"""Start and end the local cluster: the order of everything."""

import json
import os
import sys
import time
from functools import partial
from pathlib import Path

from tools.cluster import certificates, components, containers, images, network, packages, processes
from tools.cluster.api import Api
from tools.cluster.clients import client, provide_clients
from tools.cluster.kubernetes import provide_servers
from tools.cluster.layout import CONFIG, DNS_SERVICE_ADDRESS, KUBECONFIG, NODE, NODE_ADDRESS, STORAGE_CLASS
from tools.cluster.provisioner import PROVISIONER
from tools.cluster.steps import StepFailed, run, say, step, wait_until

_PROJECT = Path(__file__).parents[2]


def up() -> None:
    """Provide a ready node with DNS, storage and a kubeconfig; do nothing if that is there."""
    if is_up():
        say(f"The local cluster is up: export KUBECONFIG={KUBECONFIG}")
        return
    if os.geteuid():
        raise StepFailed("The local cluster needs root. Use Docker (kind is then used), or set KUBECONFIG.")
    prepare()
    started = time.monotonic()
    say("Starting the local cluster")
    with step("what an earlier run left"):
        clean()
    with step("network and certificates"):
        CONFIG.mkdir(parents=True)
        network.create()
        certificates.create()
    with step("containerd"):
        containers.start()
        for archive in (images.pause_archive(), images.base_archive()):
            containers.load(archive)
    _start_control_plane()
    _start_node()
    say(f"The local cluster is up after {time.monotonic() - started:.0f} s: export KUBECONFIG={KUBECONFIG}")


def prepare() -> None:
    """Provide what is made once a machine: Debian packages, programs, base images."""
    packages.install_missing(packages.CLUSTER)
    provide_clients()
    provide_servers()
    images.provide_pause()
    images.provide_base()


def down() -> None:
    """End every process of the cluster, remove its network and its files; what is kept is the cache."""
    with step("the local cluster ends"):
        clean()


def clean() -> None:
    """End and remove what a running, a stopped or a killed cluster left; harmless where there is none."""
    for name in sorted(processes.names(), key=_stop_order):
        processes.stop(name)
    containers.end_left_overs()
    network.delete()
    containers.delete_files()
    KUBECONFIG.unlink(missing_ok=True)


def is_up() -> bool:
    """Whether the API server answers and every process of the cluster runs."""
    started = processes.names()
    if not KUBECONFIG.exists() or not started or not all(map(processes.is_running, started)):
        return False
    try:
        return _node_is_ready(Api())
    except OSError:
        return False


def status() -> None:
    """Print what runs."""
    for name in processes.names():
        say(f"{name:24} {'runs' if processes.is_running(name) else 'ended, see ' + str(processes.log_of(name))}")
    say("The cluster is ready." if is_up() else "The cluster is not up.")


def _stop_order(name: str) -> int:
    """Sort the kubelet first, else it would start containers again; last those that others talk to."""
    order = {"kubelet": 0, "kube-apiserver": 2, "etcd": 3, "containerd": 4}
    return order.get(name, 1)


def _start_control_plane() -> None:
    with step("API server"):
        processes.start("etcd", components.etcd())
        processes.start("kube-apiserver", components.api_server())
        wait_until("The API server", partial(_api_is_ready, Api()), 60, processes.log_of("kube-apiserver"))
    with step("controllers, scheduler, node"):
        processes.start("kube-controller-manager", components.controller_manager())
        processes.start("kube-scheduler", components.scheduler())
        processes.start("kubelet", components.kubelet())
        processes.start("kube-proxy", components.proxy())


def _start_node() -> None:
    api = Api()
    with step("name server, storage"):
        _apply([*_name_service(), _storage_class()])
        for name in ("dns", "provisioner"):
            processes.start(name, [sys.executable, "-m", f"tools.cluster.{name}"], _PROJECT)
    with step("node ready"):
        wait_until("A ready node", partial(_node_is_ready, api), 90, processes.log_of("kubelet"))
        wait_until(
            "The default service account",
            lambda: api.call("GET", "/api/v1/namespaces/default/serviceaccounts/default"),
            60,
            processes.log_of("kube-controller-manager"),
        )


def _api_is_ready(api: Api) -> bool:
    for name in ("etcd", "kube-apiserver"):
        processes.check_running(name)
    return bool(api.call("GET", "/readyz"))


def _node_is_ready(api: Api) -> bool:
    conditions = api.call("GET", f"/api/v1/nodes/{NODE}")["status"]["conditions"]
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _apply(objects: list[dict[str, object]]) -> None:
    document = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    run([client("kubectl"), "--kubeconfig", KUBECONFIG, "apply", "--validate=false", "-f", "-"], stdin=document)


def _name_service() -> list[dict[str, object]]:
    meta = {"name": "kube-dns", "namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}}
    ports = [{"name": f"dns-{protocol.lower()}", "port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": meta,
            "spec": {"clusterIP": DNS_SERVICE_ADDRESS, "ports": ports},
        },
        {
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": meta,
            "subsets": [{"addresses": [{"ip": NODE_ADDRESS}], "ports": ports}],
        },
    ]


def _storage_class() -> dict[str, object]:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": STORAGE_CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": PROVISIONER,
    }
