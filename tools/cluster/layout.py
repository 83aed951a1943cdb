"""Where the local cluster keeps its files, and which names and addresses it uses. Everything else derives from here."""

import os
from pathlib import Path

KUBERNETES = "1.20.2"  # the newest version that Debian has as source

CACHE = Path(os.environ.get("STRONGROOM_CACHE") or Path.home() / ".cache" / "strongroom")
BIN = CACHE / "bin"  # programs fetched or built once a machine
STORAGE = CACHE / "images"  # buildah's storage: base image and build layers
KUBECONFIG = CACHE / "kubeconfig"

CLUSTER = CACHE / "cluster"  # lives from `up` to `down`
PKI = CLUSTER / "pki"
LOGS = CLUSTER / "logs"
RUN = CLUSTER / "run"
CONFIG = CLUSTER / "config"
VOLUMES = CLUSTER / "volumes"
KUBELET = CLUSTER / "kubelet"
CONTAINERD = CLUSTER / "containerd"
CONTAINERD_SOCKET = RUN / "containerd.sock"

NAMESPACE = "kube"  # of the network
NODE = "node1"
NODE_ADDRESS = "10.77.0.1"
HOST_ADDRESS = "10.77.0.2"
PODS = "10.88.0.0/16"
SERVICES = "10.96.0.0/16"
API_SERVICE_ADDRESS = "10.96.0.1"
DNS_SERVICE_ADDRESS = "10.96.0.10"
DOMAIN = "cluster.local"
API_SERVER = f"https://{NODE_ADDRESS}:6443"

BASE_IMAGE = "localhost/strongroom-base:latest"
PYTHON_IMAGE = "python:3.11-slim"  # what Dockerfile and examples start from; here the base image goes by that name too
PAUSE_IMAGE = "localhost/strongroom-pause:latest"
STORAGE_CLASS = "standard"
