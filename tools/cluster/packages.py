"""Debian packages: say which are missing, install those, nothing else."""

import os
import subprocess
from collections.abc import Iterable

from tools.cluster.steps import StepFailed, run, step

CLUSTER = (
    "buildah", "ca-certificates", "conntrack", "containerd", "containernetworking-plugins", "debootstrap",
    "etcd-server", "ethtool", "gcc", "iproute2", "iptables", "libc6-dev", "openssl", "runc", "socat",
)  # fmt: skip
KUBERNETES_BUILD = ("dpkg-dev", "golang-1.19-go", "golang-github-modern-go-reflect2-dev", "make", "rsync")


def install_missing(names: Iterable[str]) -> None:
    """Install those of `names` that the machine lacks.

    Raises StepFailed without root or where apt cannot provide them.
    """
    missing = [name for name in names if not _installed(name)]
    if not missing:
        return
    command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *missing]
    if os.geteuid():
        raise StepFailed(f"Packages are missing and only root can install them: {' '.join(command)}")
    with step(f"Debian packages: {' '.join(missing)}"):
        run(["apt-get", "update", "-q"])
        run(command, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})


def _installed(name: str) -> bool:
    query = ["dpkg-query", "-W", "-f", "${db:Status-Status}", name]
    return subprocess.run(query, capture_output=True, text=True, check=False).stdout == "installed"
