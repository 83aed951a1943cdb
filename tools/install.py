"""Strongroom on a cluster as a user would have it: installed with Helm, reached with the command line."""

import os
import tempfile
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tools.cluster.objects import Namespace
from tools.cluster.steps import StepFailed, run, step
from tools.cluster.target import PROJECT, Target

NAMESPACE = "strongroom"
AUDIENCE = "strongroom"  # of the service-account tokens that the server accepts

_CLI = PROJECT / ".venv" / "bin" / "strongroom"


def install(cluster: Target, images: Mapping[str, str], *settings: str) -> Namespace:
    """Install or upgrade the chart with these images (and more `--set` settings) and wait until it is ready."""
    namespace = Namespace(NAMESPACE, cluster)
    with step("helm upgrade --install"):
        try:
            cluster.helm(
                "upgrade", "--install", "strongroom", str(PROJECT / "charts" / "strongroom"),
                "--namespace", NAMESPACE, "--create-namespace", "--wait", "--timeout", "180s",
                *(word for setting in [*_image_settings(images), *settings] for word in ("--set", setting)),
            )  # fmt: skip
        except StepFailed as error:
            raise StepFailed(f"{error}\n{namespace.trouble('deployments', {})}") from error
    return namespace


def _image_settings(images: Mapping[str, str]) -> list[str]:
    settings = []
    for component, name in images.items():
        repository, _, tag = name.rpartition(":")
        settings += [f"{component}.image.repository={repository}", f"{component}.image.tag={tag}"]
    return settings


@dataclass(frozen=True)
class Server:
    """A server of a VaultCluster, reached through its Service, with a token."""

    address: str
    environment: Mapping[str, str]

    @classmethod
    @contextmanager
    def reach(cls, namespace: Namespace, name: str, account: str) -> Iterator[Self]:
        """Log in as a service account, whose SecretPolicy has its name."""
        authority = namespace.get(f"secret/{name}-ca")["data"]["ca.crt"]
        with namespace.forward(f"service/{name}", 8200) as port, tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "ca.crt")
            file.write_bytes(b64decode(authority))
            address = f"https://127.0.0.1:{port}"
            server = cls(address, {"STRONGROOM_ADDR": address, "STRONGROOM_CACERT": str(file)})
            jwt = namespace.kubectl("create", "token", account, f"--audience={AUDIENCE}").strip()
            token = server.cli("write", "-field=token", "auth/kubernetes/login", f"role={account}", "jwt=-", stdin=jwt)
            yield cls(address, {**server.environment, "STRONGROOM_TOKEN": token.strip()})

    def cli(self, *words: str, stdin: str | None = None) -> str:
        """Run the command line and return what it prints; raises StepFailed."""
        return run([_CLI, *words], stdin=stdin, env={**os.environ, **self.environment})
