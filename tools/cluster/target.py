"""Which cluster the demonstration and the tests use: that of KUBECONFIG, else kind's, else the local one."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tools.cluster import containers, images, local
from tools.cluster.clients import client, provide_clients
from tools.cluster.layout import API_SERVER, CACHE, KUBECONFIG
from tools.cluster.steps import StepFailed, run, say, step

PROJECT = Path(__file__).parents[2]

_KIND = "strongroom"  # the name in kind-config.yaml


class NoCluster(StepFailed):
    """No cluster can be had here; the message says why."""


@dataclass(frozen=True)
class Target:
    """A running cluster: how to talk to it, and how images get there."""

    name: str
    kubeconfig: Path
    build: Callable[[str, str], None]
    """Build one target of the Dockerfile under a name."""
    load: Callable[[Sequence[str]], None]
    """Bring built images, by name, to where the cluster's pods find them."""

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        """Run kubectl and return what it prints.

        Raises StepFailed with kubectl's own message.
        """
        return run([client("kubectl"), *words], stdin=stdin, env=self.env())

    def helm(self, *words: str) -> str:
        """Run Helm and return what it prints; raises StepFailed."""
        return run([client("helm"), *words], env=self.env())

    def env(self) -> Mapping[str, str]:
        """Give the environment for programs that talk to the cluster."""
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig)}


def provide() -> Target:
    """Find or start a cluster.

    Raises NoCluster where there is none and none can be started; StepFailed if starting one fails.
    """
    match _kind_of_cluster():
        case "given":
            provide_clients()
            given = os.environ["KUBECONFIG"]
            say(f"Cluster: the one of KUBECONFIG ({given})")
            return Target("given", Path(given), _docker_build, _docker_push)
        case "kind":
            return _kind()
        case _:
            _claim()
            local.up()
            return Target("local", KUBECONFIG, images.build, _load_locally)


def prepare() -> None:
    """Make in advance, with signs of life, what the local cluster needs, if it is that one that will be used."""
    try:
        if _kind_of_cluster() == "local":
            local.prepare()
    except NoCluster as reason:
        say(f"No cluster: {reason}")


def _kind_of_cluster() -> Literal["given", "kind", "local"]:
    given = os.environ.get("KUBECONFIG")
    if given and not _is_local(Path(given)):
        return "given"
    if not given and _docker_answers():
        return "kind"
    if os.geteuid():
        raise NoCluster("KUBECONFIG is not set, Docker does not answer, and the local cluster needs root")
    return "local"


def _claim() -> None:
    """Wait until no other program of this machine uses the local cluster; the claim ends with the program."""
    CACHE.mkdir(parents=True, exist_ok=True)
    file = os.open(CACHE / "claim", os.O_WRONLY | os.O_CREAT)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("Another run uses the local cluster; waiting for its end …")
        fcntl.flock(file, fcntl.LOCK_EX)


def _is_local(kubeconfig: Path) -> bool:
    return kubeconfig == KUBECONFIG or (kubeconfig.exists() and API_SERVER in kubeconfig.read_text())


def _docker_answers() -> bool:
    docker = shutil.which("docker")
    return bool(docker) and subprocess.run([str(docker), "info"], capture_output=True, check=False).returncode == 0


def _kind() -> Target:
    if not shutil.which("kind"):
        raise NoCluster("Docker answers but kind is not installed (or set KUBECONFIG to a cluster of yours)")
    provide_clients()
    kubeconfig = CACHE / "kind.kubeconfig"
    with step("kind cluster"):
        if _KIND not in run(["kind", "get", "clusters"]).split():
            run(["kind", "create", "cluster", "--config", PROJECT / "kind-config.yaml", "--kubeconfig", kubeconfig])
        run(["kind", "export", "kubeconfig", "--name", _KIND, "--kubeconfig", kubeconfig])
    return Target("kind", kubeconfig, _docker_build, _kind_load)


def _docker_build(target: str, name: str) -> None:
    run(["docker", "build", "--quiet", "--target", target, "--tag", name, PROJECT], log=CACHE / "images.log")


def _kind_load(names: Sequence[str]) -> None:
    run(["kind", "load", "docker-image", "--name", _KIND, *names])


def _docker_push(names: Sequence[str]) -> None:
    if not os.environ.get("STRONGROOM_IMAGES"):
        raise StepFailed(
            "The images have to reach your cluster: set STRONGROOM_IMAGES to a registry and folder "
            "that you may push to and that the cluster may pull from."
        )
    for name in names:
        run(["docker", "push", "--quiet", name])


def _load_locally(names: Sequence[str]) -> None:
    there = containers.images()
    missing = [name for name in names if name not in there]
    if missing:
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            archive = Path(folder, "images.tar")
            images.save(missing, archive)
            containers.load(archive)
