"""A VaultCluster with a real server behind it: Kubernetes in memory, one pod, a clock that is moved by hand."""

import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from strongroom_client import Unreachable
from strongroom_common.clock import FakeClock
from strongroom_common.fields import Object
from strongroom_operator import keys, tls
from strongroom_operator.certificates import entries
from strongroom_operator.clusters import Clusters
from strongroom_operator.keys import Keys
from strongroom_operator.kube import POD, SECRET
from strongroom_operator.resources import Cluster, Surroundings
from strongroom_operator.spec import KubernetesAuth, VaultClusterSpec
from strongroom_operator.steps import Steps
from strongroom_operator.tick import Outcome
from strongroom_operator.vault import HttpServer, Server
from strongroom_operator.workload import server_file
from tests.strongroom_operator.memory import MemoryKube
from tests.strongroom_operator.servers import free_port, running, service_account_token, token_reviews

OPERATOR = service_account_token("strongroom", "operator")
CA = tls.issue_ca("test", time.time()).certificate.decode()
OUTSIDE = KubernetesAuth(config=Object({"disable_local_ca_jwt": True, "kubernetes_ca_cert": CA}))  # no pod: no CA there


@dataclass
class World:
    """``server`` is the running process; while it is None the pod does not answer."""

    folder: Path
    kind: str
    cluster: Cluster
    around: Surroundings
    kube: MemoryKube = field(default_factory=MemoryKube)
    clock: FakeClock = field(default_factory=lambda: FakeClock(time.time()))
    server: HttpServer | None = None
    port: int = field(default_factory=free_port)
    generation: int = 1
    token: str = OPERATOR

    def __post_init__(self) -> None:
        self.clusters = self.operator()

    def operator(self) -> Clusters:
        """Start the operator anew: it remembers nothing."""
        steps = Steps(self.kube, self.around, lambda: self.token, self.clock)
        self.clusters = Clusters(self.kube, self.connect, self.around, steps, self.clock)
        return self.clusters

    def connect(self, address: str, ca: str, host: str) -> Server:
        if self.server is None:
            raise Unreachable("GET", address, "refused")
        self.server.token = ""
        return self.server

    async def tick(self, seconds: float = 3) -> Outcome:
        self.clock.time += seconds
        return await self.clusters.tick(self.cluster, self.generation)

    async def ticks_until(self, kind: str, limit: int = 1200) -> Outcome:
        """Tick until a condition is true; the server takes its own time to become active."""
        import asyncio

        for _ in range(limit):
            outcome = await self.tick()
            if any(condition.type == kind and condition.status == "True" for condition in outcome.conditions):
                return outcome
            await asyncio.sleep(0.05)
        raise AssertionError(f"never {kind}: {outcome.conditions}")

    async def stored_keys(self) -> Keys:
        found = keys.from_secret(await self.kube.get(SECRET, self.cluster.namespace, self.cluster.keys_secret))
        assert found is not None
        return found

    async def _seal(self) -> dict[str, Any]:
        """Mount the Secret of a static seal as the pod would."""
        if self.cluster.spec.seal.type != "static":
            return {}
        found = await self.kube.get(SECRET, self.cluster.namespace, self.cluster.seal_key_secret)
        file = self.folder / "seal-key"
        file.write_bytes(entries(found)["key"])
        stanza = server_file(self.cluster)["seal"]["static"]
        return {"seal": {"static": {**stanza, "current_key": f"file://{file}"}}}

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[HttpServer]:
        """Run the pod's server on the data in ``folder``."""
        async with running(self.kind, self.folder, self.port, **await self._seal()) as server:
            self.server = server
            yield server
        self.server = None


@contextlib.asynccontextmanager
async def world(kind: str, folder: Path, **spec: Any) -> AsyncIterator[World]:
    """Set the stage: the pod is there, its server runs as soon as ``serving`` is entered."""
    async with token_reviews({OPERATOR: "strongroom:operator"}) as api_server:
        cluster = Cluster("team", "vault", "uid-1", VaultClusterSpec(kubernetes_auth=OUTSIDE, **spec))
        around = Surroundings("server:1", (1, 29), "strongroom", "operator", api_server)
        made = World(folder, kind, cluster, around)
        metadata = {"name": "vault-0", "namespace": "team", "labels": cluster.labels}
        made.kube.objects[POD.path("team", "vault-0")] = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": metadata,
            "status": {"podIP": "127.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]},
        }
        yield made
