"""Kopf's handlers: they translate only. Body to spec, a tick of the loop, outcome to status and Events.

Each kind has a timer that ticks every few seconds and a finalizer. The loops keep their own pace, so a change of a
spec or a sealed server is met within one tick, and what is fine is left in peace.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import kopf

from strongroom_common.clock import Clock
from strongroom_common.fields import FieldError
from strongroom_operator import conditions, policies, schema
from strongroom_operator.clusters import Clusters
from strongroom_operator.conditions import Condition
from strongroom_operator.crds import API_VERSION, GROUP, SECRET_POLICY, VAULT_CLUSTER, VERSION
from strongroom_operator.errors import Retry
from strongroom_operator.injector import Injector
from strongroom_operator.kube import Kind, Kube, KubeError
from strongroom_operator.policies import Case
from strongroom_operator.resources import Cluster
from strongroom_operator.secretpolicies import Held, SecretPolicies
from strongroom_operator.spec import SecretPolicySpec, VaultClusterSpec
from strongroom_operator.tick import Event, Outcome

log = logging.getLogger(__name__)
_CLUSTERS = Kind(API_VERSION, VAULT_CLUSTER.plural)
_POLICIES = Kind(API_VERSION, SECRET_POLICY.plural)
INTERVAL = 2.0  # seconds between ticks
ORPHAN = f"{GROUP}/orphan"
"""Annotation that lets a SecretPolicy go without taking back what it granted."""

Bodies = Iterable[Mapping[str, Any]]


@dataclass(frozen=True)
class Loops:
    """What the handlers translate for."""

    clusters: Clusters
    policies: SecretPolicies
    injector: Injector


def register(registry: kopf.OperatorRegistry, loops: Loops, kube: Kube, clock: Clock) -> None:
    """Add all handlers to ``registry``."""
    _register_clusters(registry, loops, Reporter(kube, clock, _CLUSTERS))
    _register_policies(registry, loops, Reporter(kube, clock, _POLICIES))


def _register_clusters(registry: kopf.OperatorRegistry, loops: Loops, reporter: "Reporter") -> None:
    where = (GROUP, VERSION, VAULT_CLUSTER.plural)

    @kopf.index(*where, registry=registry, id="vault_clusters")
    def vault_clusters(body: kopf.Body, **_: Any) -> dict[str, Mapping[str, Any]]:
        return {"all": body}

    @kopf.timer(*where, registry=registry, id="keep", interval=INTERVAL)
    async def keep_cluster(body: kopf.Body, **more: Any) -> None:
        try:
            cluster = read_cluster(body)
        except FieldError as error:
            await reporter.report(body, _refusal("Degraded", "True", error))
            return
        outcome = await loops.clusters.tick(cluster, body["metadata"]["generation"])
        outcome.events += await loops.injector.offer(cluster, read_clusters(more["vault_clusters"].get("all", ())))
        await reporter.report(body, outcome)

    @kopf.on.delete(*where, registry=registry, id="forget")
    async def forget_cluster(body: kopf.Body, **_: Any) -> None:
        try:
            await loops.clusters.forget(_named(body))
            await loops.injector.withdraw(body["metadata"]["namespace"], body["metadata"]["name"])
        except KubeError as error:
            raise kopf.TemporaryError(str(error), delay=5) from error


def _register_policies(registry: kopf.OperatorRegistry, loops: Loops, reporter: "Reporter") -> None:
    where = (GROUP, VERSION, SECRET_POLICY.plural)

    @kopf.index(*where, registry=registry, id="secret_policies")
    def secret_policies(body: kopf.Body, **_: Any) -> dict[str, Mapping[str, Any]]:
        return {"all": body}

    @kopf.timer(*where, registry=registry, id="keep", interval=INTERVAL)
    async def keep_policy(body: kopf.Body, **more: Any) -> None:
        known = read_clusters(more["vault_clusters"].get("all", ()))
        try:
            case = read_case(body, known, more["secret_policies"].get("all", ()))
        except FieldError as error:
            await reporter.report(body, _refusal("Ready", "False", error))
            return
        outcome = await loops.policies.tick(case, read_held(body, known))
        if outcome:
            await reporter.report(body, outcome)

    @kopf.on.delete(*where, registry=registry, id="forget")
    async def forget_policy(body: kopf.Body, **more: Any) -> None:
        if body["metadata"].get("annotations", {}).get(ORPHAN) == "true":
            return
        try:
            held = read_held(body, read_clusters(more["vault_clusters"].get("all", ())))
            await loops.policies.forget(body["metadata"]["uid"], held)
        except Retry as error:
            message = f"{error.verdict.message} (annotate it with {ORPHAN}=true to let it go as it is)"
            kopf.warn(body, reason=error.verdict.reason, message=message)
            raise kopf.TemporaryError(str(error), delay=5) from error


def read_cluster(body: Mapping[str, Any]) -> Cluster:
    """Read a VaultCluster; raises FieldError."""
    metadata = body["metadata"]
    spec = schema.read(VaultClusterSpec, body.get("spec") or {})
    return Cluster(metadata["namespace"], metadata["name"], metadata["uid"], spec)


def _named(body: Mapping[str, Any]) -> Cluster:
    """Read a VaultCluster that goes, be its spec readable or not."""
    try:
        return read_cluster(body)
    except FieldError:
        metadata = body["metadata"]
        return Cluster(metadata["namespace"], metadata["name"], metadata["uid"], VaultClusterSpec())


def read_clusters(bodies: Bodies) -> list[Cluster]:
    """Read the VaultClusters that can be read and stay, the oldest first."""
    found = []
    for body in sorted(bodies, key=lambda body: str(body["metadata"].get("creationTimestamp", ""))):
        if "deletionTimestamp" not in body["metadata"]:
            try:
                found.append(read_cluster(body))
            except FieldError:
                continue
    return found


def read_case(body: Mapping[str, Any], clusters: list[Cluster], all_policies: Bodies) -> Case:
    """Read a SecretPolicy and judge it beside the others; raises FieldError."""
    case = _read_case(body, clusters)
    others = []
    for other in all_policies:
        if other["metadata"]["uid"] != case.uid and "deletionTimestamp" not in other["metadata"]:
            try:
                others.append(_read_case(other, clusters))
            except FieldError:
                continue
    holder = policies.rival(case, others)
    names = tuple(f"{cluster.namespace}/{cluster.name}" for cluster in clusters)
    return Case(**{**vars(case), "rival": holder, "clusters": names})


def _read_case(body: Mapping[str, Any], clusters: list[Cluster]) -> Case:
    metadata = body["metadata"]
    spec = schema.read(SecretPolicySpec, body.get("spec") or {})
    cluster = policies.choose(clusters, spec.cluster_ref, metadata["namespace"])
    return Case(
        namespace=metadata["namespace"],
        name=metadata["name"],
        spec=spec,
        cluster=cluster,
        uid=metadata["uid"],
        generation=metadata.get("generation", 0),
        created=metadata.get("creationTimestamp", ""),
    )


def read_held(body: Mapping[str, Any], clusters: list[Cluster]) -> Held:
    """Read what a SecretPolicy has in a server: from its status, and from its spec where no status was written yet."""
    metadata, spec, status = body["metadata"], body.get("spec") or {}, body.get("status") or {}
    policy = policies.policy_name(metadata["namespace"], metadata["name"])
    named = next((c for c in clusters if f"{c.namespace}/{c.name}" == status.get("cluster")), None)
    if not status.get("cluster"):
        try:
            named = _read_case(body, clusters).cluster
        except FieldError:
            named = None
    return Held(named, policy, status.get("role") or spec.get("role") or metadata["name"])


def _refusal(kind: str, status: conditions.Truth, error: FieldError) -> Outcome:
    condition = Condition(kind, status, "BadSpec", str(error))
    return Outcome([condition], events=[])


class Reporter:
    """Writes what is new into the status, and tells it as Events.

    Not by kopf's own patch: a patch that the API server refuses ends a kopf timer for good.
    """

    def __init__(self, kube: Kube, clock: Clock, kind: Kind) -> None:
        self._kube, self._clock, self._kind = kube, clock, kind

    async def report(self, body: kopf.Body, outcome: Outcome) -> None:
        """Report one tick. What could not be written is written by the next."""
        status, metadata = body.get("status") or {}, body["metadata"]
        known = status.get("conditions") or []
        merged = conditions.merge(known, outcome.conditions, generation=metadata["generation"], now=self._clock.now())
        # What is empty is left out: null removes it.
        wanted = {name: None if value == "" else value for name, value in outcome.status.items()}
        patch = {name: value for name, value in {"conditions": merged, **wanted}.items() if status.get(name) != value}
        events = list(outcome.events)
        try:
            if patch:
                await self._kube.patch_status(self._kind, metadata["namespace"], metadata["name"], patch)
            events += _of_conditions(conditions.changes(known, outcome.conditions))
        except KubeError as error:
            log.warning("status of %s %s: %s", self._kind.plural, metadata["name"], error)
        for event in events:
            about = {"kind": body["kind"], "namespace": metadata["namespace"], "name": metadata["name"]}
            log.info("%s: %s", event.reason, event.message, extra={"fields": about})
            kopf.event(body, type=event.type, reason=event.reason, message=event.message)


def _of_conditions(changed: Iterable[Condition]) -> Iterable[Event]:
    """Tell as Events what people act on: what is wrong, and when it serves."""
    for condition in changed:
        if (condition.type, condition.status) in (("Degraded", "True"), ("Ready", "False")):
            yield Event("Warning", condition.reason, condition.message)
        elif (condition.type, condition.status) in (("Available", "True"), ("Ready", "True")):
            yield Event("Normal", condition.type, condition.message)
