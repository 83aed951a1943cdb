"""Images without Docker: buildah builds them, from a base that debootstrap makes once a machine."""

import shutil
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools.cluster.kubernetes import mirror
from tools.cluster.layout import BASE_IMAGE, CACHE, PAUSE_IMAGE, PYTHON_IMAGE, STORAGE
from tools.cluster.steps import run, step

_BUILDAH = ("buildah", "--root", str(STORAGE / "storage"), "--runroot", str(STORAGE / "run"))
_PROJECT = Path(__file__).parents[2]
_QUICK = ("--compression-format", "zstd", "--compression-level", "1")
_LOG = CACHE / "images.log"
_BASE_PACKAGES = "python3,ca-certificates"  # Debian 12: Python 3.11
_NOT_NEEDED = (  # documentation, translations and apt's downloads: a third of the base
    "usr/share/doc", "usr/share/info", "usr/share/locale", "usr/share/man", "var/cache/apt", "var/lib/apt/lists",
)  # fmt: skip

_PAUSE = """\
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* First process of a pod: holds its namespaces, collects the dead, leaves when told. */
static void leave(int signal) { _exit(signal == 0); }
static void reap(int signal) { while (waitpid(-1, 0, WNOHANG) > 0) {} (void)signal; }

int main(void) {
    signal(SIGTERM, leave);
    signal(SIGINT, leave);
    signal(SIGCHLD, reap);
    for (;;) pause();
}
"""


def provide_pause() -> None:
    """Make sure that the archive of the pause image exists."""
    if pause_archive().exists():
        return
    with step("pause image"), tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder, "pause.c"), Path(folder, "pause")
        source.write_text(_PAUSE)
        run(["gcc", "-Os", "-static", "-s", "-o", program, source])
        container = run([*_BUILDAH, "from", "scratch"]).strip()
        run([*_BUILDAH, "copy", container, program, "/pause"])
        run([*_BUILDAH, "config", "--entrypoint", '["/pause"]', "--user", "65535:65535", container])
        run([*_BUILDAH, "commit", "--rm", container, PAUSE_IMAGE], log=_LOG)
        save([PAUSE_IMAGE], pause_archive())


def pause_archive() -> Path:
    """Name the tar file of the pause image."""
    return STORAGE / "pause.tar"


def provide_base() -> None:
    """Make sure that buildah has the base image: a minimal Debian with Python."""
    if base_archive().exists():
        return
    with step("base image"), tempfile.TemporaryDirectory(dir=CACHE) as folder:
        run(["debootstrap", "--variant=minbase", f"--include={_BASE_PACKAGES}", "bookworm", folder, mirror()], log=_LOG)
        for name in _NOT_NEEDED:
            shutil.rmtree(Path(folder, name))
        container = run([*_BUILDAH, "from", "scratch"]).strip()
        run([*_BUILDAH, "copy", container, folder, "/"], log=_LOG)
        run([*_BUILDAH, "config", "--cmd", "python3", container])
        run([*_BUILDAH, "commit", "--rm", container, BASE_IMAGE], log=_LOG)
        # Unlike an OCI archive, this kind makes containerd complete a short name as it would one in a pod.
        partial = base_archive().with_suffix(".partial")
        run([*_BUILDAH, "push", BASE_IMAGE, f"docker-archive:{partial}:{PYTHON_IMAGE}"], log=_LOG)
        partial.replace(base_archive())


def base_archive() -> Path:
    """Name the tar file of the base image."""
    return STORAGE / "base.tar"


def build(target: str, name: str) -> None:
    """Build one target of the project's Dockerfile; layers that did not change are kept."""
    run(
        [
            *_BUILDAH, "build", "--isolation", "chroot", "--pull-never", "--layers", "--timestamp", "0",
            "--build-arg", f"BASE={BASE_IMAGE}", "--target", target, "--tag", name, _PROJECT,
        ],
        log=_LOG,
    )  # fmt: skip


def save(names: Sequence[str], archive: Path) -> None:
    """Write images into one archive in which they share their layers (OCI image layout)."""
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        for name in names:
            run([*_BUILDAH, "push", *_QUICK, name, f"oci:{folder}:{name}"], log=_LOG)
        partial = archive.with_suffix(".partial")
        with tarfile.open(partial, "w") as tar:
            tar.add(folder, arcname=".")
        partial.replace(archive)
