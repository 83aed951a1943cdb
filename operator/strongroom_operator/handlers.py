"""Kopf's handlers: they translate only. Body to spec, a tick of the loop, outcome to status and Events.

Each kind has a timer that ticks every few seconds and a finalizer. The loops keep their own pace, so a change of a
spec or a sealed server is met within one tick, and what is fine is left in peace.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import kopf

from strongroom_common.clock import Clock
from strongroom_common.fields import FieldError
from strongroom_operator import conditions, policies, schema
from strongroom_operator.clusters import Clusters
from strongroom_operator.conditions import Condition
from strongroom_operator.crds import GROUP, SECRET_POLICY, VAULT_CLUSTER, VERSION
from strongroom_operator.errors import Retry
from strongroom_operator.injector import Injector
from strongroom_operator.kube import KubeError
from strongroom_operator.policies import Case
from strongroom_operator.resources import Cluster
from strongroom_operator.secretpolicies import Held, SecretPolicies
from strongroom_operator.spec import SecretPolicySpec, VaultClusterSpec
from strongroom_operator.tick import Event, Outcome

INTERVAL = 3.0  # seconds between ticks
ORPHAN = f"{GROUP}/orphan"
"""Annotation that lets a SecretPolicy go without taking back what it granted."""

Bodies = Iterable[Mapping[str, Any]]


def register(
    registry: kopf.OperatorRegistry, clusters: Clusters, granted: SecretPolicies, injector: Injector, clock: Clock
) -> None:
    """Add all handlers to ``registry``."""
    _register_clusters(registry, clusters, injector, clock)
    _register_policies(registry, granted, clock)


def _register_clusters(registry: kopf.OperatorRegistry, clusters: Clusters, injector: Injector, clock: Clock) -> None:
    where = (GROUP, VERSION, VAULT_CLUSTER.plural)

    @kopf.index(*where, registry=registry)
    def vault_clusters(body: kopf.Body, **_: Any) -> dict[str, Mapping[str, Any]]:
        return {"all": body}

    @kopf.timer(*where, registry=registry, interval=INTERVAL)
    async def keep_cluster(body: kopf.Body, patch: kopf.Patch, **more: Any) -> None:
        try:
            cluster = read_cluster(body)
        except FieldError as error:
            _report(body, patch, clock, _refusal("Degraded", "True", error))
            return
        outcome = await clusters.tick(cluster, body["metadata"]["generation"])
        outcome.events += await injector.offer(cluster, read_clusters(more["vault_clusters"].get("all", ())))
        _report(body, patch, clock, outcome)

    @kopf.on.delete(*where, registry=registry)
    async def forget_cluster(body: kopf.Body, **_: Any) -> None:
        namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
        try:
            await clusters.forget(_named(body))
            await injector.withdraw(namespace, name)
        except KubeError as error:
            raise kopf.TemporaryError(str(error), delay=5) from error


def _register_policies(registry: kopf.OperatorRegistry, granted: SecretPolicies, clock: Clock) -> None:
    where = (GROUP, VERSION, SECRET_POLICY.plural)

    @kopf.index(*where, registry=registry)
    def secret_policies(body: kopf.Body, **_: Any) -> dict[str, Mapping[str, Any]]:
        return {"all": body}

    @kopf.timer(*where, registry=registry, interval=INTERVAL)
    async def keep_policy(body: kopf.Body, patch: kopf.Patch, **more: Any) -> None:
        known = read_clusters(more["vault_clusters"].get("all", ()))
        try:
            case = read_case(body, known, more["secret_policies"].get("all", ()))
        except FieldError as error:
            _report(body, patch, clock, _refusal("Ready", "False", error))
            return
        outcome = await granted.tick(case, read_held(body, known))
        if outcome:
            _report(body, patch, clock, outcome)

    @kopf.on.delete(*where, registry=registry)
    async def forget_policy(body: kopf.Body, **more: Any) -> None:
        if body["metadata"].get("annotations", {}).get(ORPHAN) == "true":
            return
        try:
            await granted.forget(
                body["metadata"]["uid"], read_held(body, read_clusters(more["vault_clusters"].get("all", ())))
            )
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


def _report(body: kopf.Body, patch: kopf.Patch, clock: Clock, outcome: Outcome) -> None:
    """Write what is new into the status, and tell it as Events."""
    before = body.get("status") or {}
    known = before.get("conditions") or []
    generation = body["metadata"]["generation"]
    merged = conditions.merge(known, outcome.conditions, generation=generation, now=clock.now())
    if merged != known:
        patch.status["conditions"] = merged
    for name, value in outcome.status.items():
        if before.get(name) != value:
            patch.status[name] = value
    for event in [*outcome.events, *_of_conditions(conditions.changes(known, outcome.conditions))]:
        kopf.event(body, type=event.type, reason=event.reason, message=event.message)


def _of_conditions(changed: Iterable[Condition]) -> Iterable[Event]:
    """Tell as Events what people act on: what is wrong, and when it serves."""
    for condition in changed:
        if (condition.type, condition.status) in (("Degraded", "True"), ("Ready", "False")):
            yield Event("Warning", condition.reason, condition.message)
        elif (condition.type, condition.status) in (("Available", "True"), ("Ready", "True")):
            yield Event("Normal", condition.type, condition.message)
