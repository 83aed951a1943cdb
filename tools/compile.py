"""`python -m tools.compile`: compile the kernel of transit's batches (docs/adr/0009-compiled-kernel.md).

Where that cannot be done one line says so, and batches are served by Python alone: the same answers, later.
"""

import os
import shlex
import shutil
import sys
import sysconfig
from pathlib import Path

from tools.cluster.packages import install_missing
from tools.cluster.steps import StepFailed, run, say
from tools.cluster.target import PROJECT

_SOURCE = PROJECT / "server" / "strongroom_server" / "engines" / "transit" / "kernel.c"
_TARGET = _SOURCE.with_name("_kernel.abi3.so")
_FLAGS = (
    "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden",
    "-fstack-protector-strong", "-D_FORTIFY_SOURCE=2", "-Wl,-z,relro,-z,now",
)  # fmt: skip
_PACKAGES = ("gcc", "libc6-dev", "libssl-dev")
_HEADERS = ("python3-dev",) if sys.base_prefix == "/usr" else ()  # another Python brings its own


def compile_kernel(target: Path, *more: str) -> None:
    """Write the extension, with more flags than the usual ones; raises OSError or StepFailed."""
    made = target.with_suffix(".new")  # never half a file where a server may be about to load it
    compiler = shlex.split(os.environ.get("CC", "cc"))
    include = f"-I{sysconfig.get_path('include')}"
    run([*compiler, *_FLAGS, *more, include, _SOURCE, "-lcrypto", "-o", made])
    made.replace(target)


def _job() -> None:
    _TARGET.unlink(missing_ok=True)  # rather none than one of an older source
    try:
        compile_kernel(_TARGET)
    except (OSError, StepFailed):
        if not shutil.which("apt-get"):
            raise
        install_missing(_PACKAGES + _HEADERS)
        compile_kernel(_TARGET)


if __name__ == "__main__":
    try:
        _job()
    except (OSError, StepFailed) as error:
        reason = " ".join(str(error).split())[:300]
        say(f"Transit serves batches by Python alone, as its kernel was not compiled: {reason}")
