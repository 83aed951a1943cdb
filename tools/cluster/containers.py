"""containerd with folders of its own, and how to end the containers that a killed run left behind."""

import json
import shutil
from pathlib import Path

from tools.cluster import network, processes
from tools.cluster.layout import CLUSTER, CONFIG, CONTAINERD, CONTAINERD_SOCKET, PAUSE_IMAGE
from tools.cluster.steps import StepFailed, run, wait_until

_CTR = ("ctr", "--address", str(CONTAINERD_SOCKET), "--namespace", "k8s.io")
_CNI = CONFIG / "cni"

_SETTINGS = f"""\
version = 2
root = "{CONTAINERD / "root"}"
state = "{CONTAINERD / "state"}"
[grpc]
  address = "{CONTAINERD_SOCKET}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{CONTAINERD / "opt"}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{_CNI}"
"""


def start() -> None:
    """Start containerd and wait for its answer."""
    _CNI.mkdir(parents=True)
    (_CNI / "pods.conflist").write_text(json.dumps(network.plugins()))
    (CONFIG / "containerd.toml").write_text(_SETTINGS)
    processes.start("containerd", ["containerd", "--config", CONFIG / "containerd.toml"])
    wait_until("An answer of containerd", _answers, 20, processes.log_of("containerd"))


def load(archive: Path) -> None:
    """Hand an image archive (OCI or Docker layout, a tar file) to containerd."""
    run([*_CTR, "images", "import", "--no-unpack", archive])


def images() -> set[str]:
    """List the names of the images that pods can use."""
    return set(run([*_CTR, "images", "ls", "--quiet"]).split())


def end_left_overs() -> None:
    """End every container and shim of this cluster; recognised by its socket and by containerd's own records."""
    processes.end(_shims() + _container_processes(), grace=2)


def delete_files() -> None:
    """Unmount and remove everything below the cluster's folder."""
    for point in sorted(_mount_points(), key=len, reverse=True):
        run(["umount", "--lazy", point])
    if left := _mount_points():
        raise StepFailed(f"These mounts will not go, so that {CLUSTER} cannot be deleted: {left}")
    if CLUSTER.exists():
        shutil.rmtree(CLUSTER)


def _answers() -> bool:
    processes.check_running("containerd")
    return bool(run([*_CTR, "version"]))


def _shims() -> list[int]:
    socket = str(CONTAINERD_SOCKET).encode()
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if words[0].endswith(b"containerd-shim-runc-v2") and socket in words:
            found.append(int(file.parent.name))
    return found


def _container_processes() -> list[int]:
    """Find containers' first processes; the control group must name the container, for the pid may be a stranger's."""
    found = []
    for file in (CONTAINERD / "state").glob("io.containerd.runtime.v2.task/k8s.io/*/init.pid"):
        pid = file.read_text().strip()
        try:
            groups = Path(f"/proc/{pid}/cgroup").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if file.parent.name in groups:
            found.append(int(pid))
    return found


def _mount_points() -> list[str]:
    inside = f"{CLUSTER}/"
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [point for line in lines if (point := line.split()[4]).startswith(inside)]
