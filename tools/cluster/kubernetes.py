"""The programs of Kubernetes, built once a machine from Debian's source package with Debian's Go."""

import os
import shutil
from pathlib import Path

from tools.cluster import packages
from tools.cluster.layout import BIN, CACHE, KUBERNETES
from tools.cluster.steps import StepFailed, run, say, step

SERVERS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")

_BUILD = CACHE / "build"
_LOG = CACHE / "kubernetes-build.log"
_SUITE = "bookworm"  # the last Debian that carries the source
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_REFLECT2 = "github.com/modern-go/reflect2"


def provide_servers() -> None:
    """Make sure that the five programs are in the cache folder."""
    if all((BIN / name).exists() for name in SERVERS):
        return
    packages.install_missing(packages.KUBERNETES_BUILD)
    shutil.rmtree(_BUILD, ignore_errors=True)
    _BUILD.mkdir(parents=True)
    _LOG.unlink(missing_ok=True)
    with step("source of Kubernetes"):
        source = _fetch_source()
    say("  Kubernetes is built once a machine; on two cores this takes about eight minutes.")
    with step(f"Kubernetes {KUBERNETES}"):
        _make(source)
    shutil.rmtree(_BUILD)


def _fetch_source() -> Path:
    """Download and unpack the source package, from the mirror that the machine's apt already uses."""
    for name in ("sources", "lists/partial"):
        (_BUILD / name).mkdir(parents=True)
    keyring = f"[signed-by={_KEYRING}] " if _KEYRING.exists() else ""
    (_BUILD / "sources" / "source.list").write_text(f"deb-src {keyring}{mirror()} {_SUITE} main\n")
    apt = [
        "apt-get", "-q",
        "-o", "Dir::Etc::sourcelist=/dev/null",
        "-o", f"Dir::Etc::sourceparts={_BUILD / 'sources'}",
        "-o", f"Dir::State::lists={_BUILD / 'lists'}",
        "-o", "APT::Sandbox::User=root",
    ]  # fmt: skip
    run([*apt, "update"], log=_LOG, cwd=_BUILD)
    run([*apt, "source", "--download-only", f"kubernetes/{_SUITE}"], log=_LOG, cwd=_BUILD)
    run(
        ["dpkg-source", "--skip-patches", "-x", next(_BUILD.glob("kubernetes_*.dsc")), _BUILD / "source"],
        log=_LOG,
        cwd=_BUILD,
    )
    return _BUILD / "source"


def mirror() -> str:
    """Find the Debian mirror of the machine's own apt configuration, for the source package and the base image."""
    targets = run(["apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)", "Created-By: Packages"])
    for line in targets.splitlines():
        codename, _, uri = line.partition(" ")
        if codename == _SUITE:
            return uri
    raise StepFailed(
        f"apt on this machine knows no Debian {_SUITE}, which the local cluster is made from. "
        "Use Docker (kind is then used), or set KUBECONFIG to a cluster of yours."
    )


def _make(source: Path) -> None:
    # The vendored reflect2 does not fit Go 1.18 and newer: the API server would die at the first custom resource.
    vendored = source / "vendor" / _REFLECT2
    shutil.rmtree(vendored)
    shutil.copytree(f"/usr/share/gocode/src/{_REFLECT2}", vendored)
    major, minor, _ = KUBERNETES.split(".")
    env = {
        **os.environ,
        "PATH": f"/usr/lib/go-1.19/bin:{os.environ['PATH']}",
        "GOCACHE": str(_BUILD / "gocache"),
        "GOFLAGS": "",
        "GO111MODULE": "off",
        "KUBE_GIT_VERSION": f"v{KUBERNETES}",
        "KUBE_GIT_COMMIT": "debian",
        "KUBE_GIT_TREE_STATE": "clean",
        "KUBE_GIT_MAJOR": major,
        "KUBE_GIT_MINOR": minor,
    }
    what = " ".join(f"cmd/{name}" for name in SERVERS)
    run(["nice", "make", "all", f"WHAT={what}"], log=_LOG, env=env, cwd=source)
    BIN.mkdir(parents=True, exist_ok=True)
    for name in SERVERS:
        shutil.copy(source / "_output" / "bin" / name, BIN / f"{name}.new")
        (BIN / f"{name}.new").rename(BIN / name)
