"""Reconciles one VaultCluster: apply what its spec says, look at the servers, take the next step of their life.

Nothing here decides (``checks``, ``state``, ``tls`` do) and nothing knows kopf: a tick takes a ``Cluster`` and
returns an ``Outcome``. Between ticks only tokens and times are remembered, so a restarted operator loses nothing.
"""

import base64
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from strongroom_client import ClientError, Unavailable, Unreachable
from strongroom_common.clock import Clock
from strongroom_operator import certificates, checks, resources, state, workload
from strongroom_operator.certificates import Certificates
from strongroom_operator.checks import Verdict
from strongroom_operator.errors import GiveUp, Retry, Stopped
from strongroom_operator.kube import BINDING, CONFIG_MAP, POD, SECRET, STATEFUL_SET, Kube, KubeError
from strongroom_operator.resources import COPY_OF, HA_STATE, Body, Cluster, Surroundings
from strongroom_operator.state import Member, Seen
from strongroom_operator.steps import Steps
from strongroom_operator.tick import REFRESH, Connect, Memory, Outcome, Tick
from strongroom_operator.vault import Server, health

_STEPS_A_TICK = 4
_LABEL_MANAGER = "strongroom-operator-ha"


class Clusters:
    """Looks after VaultClusters. ``steps`` takes the steps of the servers' life, ``connect`` reaches them."""

    def __init__(self, kube: Kube, connect: Connect, around: Surroundings, steps: Steps, clock: Clock) -> None:
        self._kube, self._connect, self._around, self._steps, self._clock = kube, connect, around, steps, clock
        self._memories: dict[str, Memory] = {}

    async def tick(self, cluster: Cluster, generation: int) -> Outcome:
        """Bring a cluster one look nearer to its spec. Never raises for what the outside world does."""
        tick = self._begin(cluster, generation)
        problem = checks.first(checks.VAULT_CLUSTER, cluster.spec)
        waiting, seen = None, Seen(cluster.spec.replicas)
        try:
            # A spec that is refused changes nothing, but what runs is looked after all the same.
            if not problem:
                await self._apply_if_due(tick)
            await self._trust(tick)
        except (Stopped, KubeError) as error:
            problem, waiting = _sorted(error)
        try:
            seen = await self._look(tick)
            seen = await self._look_after(tick, seen)
        except (Stopped, KubeError, ClientError) as error:
            later, waiting = _sorted(error)
            problem = problem or later
        tick.outcome.conditions = state.conditions(seen, problem, waiting)
        tick.outcome.status = _status(cluster, seen, generation)
        return tick.outcome

    def _begin(self, cluster: Cluster, generation: int) -> Tick:
        return Tick(cluster, generation, self._memories.setdefault(cluster.uid, Memory()), self._connect)

    async def session(self, cluster: Cluster) -> Server:
        """Return the active server with the operator logged in; raises Retry while there is none."""
        tick = self._begin(cluster, 0)
        await self._trust(tick)
        active = (await self._look(tick)).active
        if active is None:
            raise Retry("ClusterNotReady", f"VaultCluster {cluster.namespace}/{cluster.name} has no active server")
        server = tick.server(active)
        if not await self._steps.log_in(tick, server):
            raise Retry("ClusterNotReady", f"VaultCluster {cluster.namespace}/{cluster.name} is not set up yet")
        return server

    def log_out(self, cluster: Cluster) -> None:
        """Forget the operator's token, because the server no longer takes it."""
        self._begin(cluster, 0).memory.token = ""

    async def forget(self, cluster: Cluster) -> None:
        """Remove what a deleted VaultCluster leaves outside its namespace; raises KubeError."""
        self._memories.pop(cluster.uid, None)
        await self._kube.delete(BINDING, "", resources.binding_name(cluster.namespace, cluster.name))
        for namespace in cluster.spec.tls.ca_namespaces:
            copy = await self._kube.get(CONFIG_MAP, namespace, cluster.ca_secret)
            origin = ((copy or {}).get("metadata", {}).get("annotations") or {}).get(COPY_OF)
            if origin == f"{cluster.namespace}/{cluster.name}":
                await self._kube.delete(CONFIG_MAP, namespace, cluster.ca_secret)

    async def _apply_if_due(self, tick: Tick) -> None:
        generation, moment = tick.memory.applied
        now = self._clock.now()
        if generation == tick.generation and now - moment < REFRESH:
            return
        cluster = tick.cluster
        if cluster.spec.seal.type == "static":
            await self._keep_seal_key(cluster)
        found = await certificates.keep(self._kube, cluster, now)
        for change in found.changes:
            tick.tell("CertificateIssued", change)
        for body in self._objects(cluster, found):
            await self._kube.apply(body)
        tick.memory.certificates = replace(found, changes=())
        tick.memory.applied = (tick.generation, now)

    def _objects(self, cluster: Cluster, found: Certificates) -> list[Body]:
        policy = resources.network_policy(cluster, self._around.namespace)
        return [
            resources.service_account(cluster),
            resources.token_review_binding(cluster),
            *resources.services(cluster),
            *([policy] if policy else []),
            resources.disruption_budget(cluster, self._around.kubernetes),
            *(
                resources.ca_copy(cluster, name, found.bundle)
                for name in cluster.spec.tls.ca_namespaces
                if found.bundle
            ),
            workload.config_map(cluster),
            workload.stateful_set(cluster, self._around, found.serial),
        ]

    async def _keep_seal_key(self, cluster: Cluster) -> None:
        if await self._kube.get(SECRET, cluster.namespace, cluster.seal_key_secret):
            return
        text = base64.b64encode(secrets.token_bytes(32))  # the seal reads base64; the Secret encodes it once more
        data = {"key": base64.b64encode(text).decode()}
        await self._kube.apply(
            resources.unowned(cluster, "v1", "Secret", cluster.seal_key_secret, type="Opaque", data=data)
        )

    async def _trust(self, tick: Tick) -> None:
        """Know the CA of the servers, even where nothing could be applied since the operator started."""
        cluster, memory = tick.cluster, tick.memory
        if cluster.spec.tls.enabled and not memory.certificates.bundle:
            found = certificates.entries(await self._kube.get(SECRET, cluster.namespace, cluster.ca_secret))
            memory.certificates = Certificates(found.get("ca.crt", b"").decode())

    async def _look(self, tick: Tick) -> Seen:
        cluster = tick.cluster
        pods = await self._kube.list(POD, cluster.namespace, cluster.selector)
        members = [await self._ask(tick, pod) for pod in sorted(pods, key=lambda pod: str(pod["metadata"]["name"]))]
        found = await self._kube.get(STATEFUL_SET, cluster.namespace, cluster.name)
        is_set_up = tick.memory.set_up[0] >= 0
        return Seen(cluster.spec.replicas, tuple(members), is_set_up, _is_rolling_out(found))

    async def _ask(self, tick: Tick, pod: Mapping[str, Any]) -> Member:
        member = state.member(pod)
        if not member.address:
            return member
        try:
            return replace(member, health=await health(tick.server(member)))
        except ClientError:
            return member

    async def _look_after(self, tick: Tick, seen: Seen) -> Seen:
        """Take steps until none is left; returns what was seen last."""
        for _ in range(_STEPS_A_TICK):
            step = state.next_step(seen)
            if step is None:
                break
            await self._steps.take(step, tick, seen)
            seen = await self._look(tick)
        await self._label(tick, seen)
        if seen.active and seen.is_set_up:
            await self._steps.repair_if_due(tick, seen.active)
        return seen

    async def _label(self, tick: Tick, seen: Seen) -> None:
        """Keep the label by which the Services tell active from standby; a server does not know Kubernetes."""
        pods = await self._kube.list(POD, tick.cluster.namespace, tick.cluster.selector)
        labelled = {pod["metadata"]["name"]: pod["metadata"].get("labels", {}).get(HA_STATE) for pod in pods}
        for member in seen.members:
            if member.pod in labelled and labelled[member.pod] != member.ha_state:
                metadata = {"name": member.pod, "namespace": tick.cluster.namespace}
                body = {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "metadata": {**metadata, "labels": {HA_STATE: member.ha_state}},
                }
                await self._kube.apply(body, _LABEL_MANAGER)


def _sorted(error: Stopped | KubeError | ClientError) -> tuple[Verdict | None, Verdict | None]:
    """Return what an error means: a problem that somebody has to solve, or something to wait for."""
    if isinstance(error, Retry):
        return None, error.verdict
    if isinstance(error, GiveUp):
        return error.verdict, None
    if isinstance(error, KubeError):
        if error.may_pass:
            return None, Verdict("KubernetesBusy", str(error))
        hint = (
            ": let the operator manage this namespace (clusterNamespaces of the chart)" if error.status == 403 else ""
        )
        return Verdict("KubernetesRefused", f"{error}{hint}"), None
    if isinstance(error, Unreachable | Unavailable):
        return None, Verdict("NoAnswer", str(error))
    return Verdict("ServerRefused", str(error)), None


def _is_rolling_out(found: Mapping[str, Any] | None) -> bool:
    status = (found or {}).get("status") or {}
    if not found or status.get("observedGeneration", 0) < found["metadata"].get("generation", 0):
        return True
    wanted = found["spec"].get("replicas", 1)
    return bool(
        status.get("updatedReplicas", 0) < wanted or status.get("currentRevision") != status.get("updateRevision")
    )


def _status(cluster: Cluster, seen: Seen, generation: int) -> dict[str, Any]:
    active = seen.active
    return {
        "observedGeneration": generation,
        "address": cluster.address,
        "version": next((health.version for health in seen.answers), ""),
        "initialized": seen.initialized,
        "sealed": any(health.sealed for health in seen.answers) or not seen.answers,
        "readyReplicas": sum(1 for health in seen.answers if not health.sealed),
        "activePod": active.pod if active else "",
        "caSecret": cluster.ca_secret if cluster.spec.tls.enabled else "",
        "keysSecret": cluster.keys_secret,
        "bootstrapped": seen.is_set_up,
    }
