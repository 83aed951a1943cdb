"""What happens to one pod: injected, left alone or refused, as a pure function of the pod and the cluster."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from strongroom_injector import lint
from strongroom_injector.errors import Denied
from strongroom_injector.patch import diff
from strongroom_injector.pod import Kind, inject
from strongroom_injector.settings import already_injected, read, used_prefix, wants_injection
from strongroom_injector.volumes import Json

NEVER = ("kube-system", "kube-public", "kube-node-lease")


@dataclass(frozen=True)
class Surroundings:
    """What holds for every pod: the defaults (parsed, by setting), the CA to trust, the cluster, where we run."""

    defaults: Mapping[str, Any] = field(default_factory=dict)
    ca_pem: str = ""
    native_sidecars: bool = True
    own_namespace: str = ""


@dataclass(frozen=True)
class Verdict:
    """The patch (empty: leave the pod alone), how the agent runs in it, and what to tell the user."""

    patch: list[Json] = field(default_factory=list)
    kind: Kind | None = None
    warnings: list[str] = field(default_factory=list)


def decide(pod: Json, namespace: str, around: Surroundings) -> Verdict:
    """Return what to do with a pod that is created in ``namespace``; raises Denied for annotations that are wrong."""
    annotations: Mapping[str, str] = pod.get("metadata", {}).get("annotations") or {}
    prefix = used_prefix(annotations)
    if prefix is None or pod.get("status", {}).get("phase", "Pending") not in ("", "Pending"):
        return Verdict()
    if already_injected(annotations):
        return Verdict(warnings=lint.skipped(annotations))
    if excluded(namespace, around.own_namespace):
        return Verdict(warnings=[f"{prefix}agent-inject is ignored: pods in namespace {namespace} are never injected"])
    if not wants_injection(annotations):
        return Verdict()
    reading = read(annotations, prefix, around.defaults)
    injected = inject(pod, reading, native=around.native_sidecars, ca_pem=around.ca_pem)
    told = lint.warnings(pod, reading, native=around.native_sidecars)
    return Verdict(diff(pod, injected.pod), injected.kind, told)


def advise(manifest: Json, namespace: str, around: Surroundings) -> list[str]:
    """Return what to tell the author of a Deployment, Job or the like: its pods are created later, out of sight."""
    spec = manifest.get("spec") or {}
    if "jobTemplate" in spec:
        spec = spec["jobTemplate"].get("spec") or {}
    template = spec.get("template") or {}
    meta = dict(template.get("metadata") or {})
    if manifest.get("kind") in ("Job", "CronJob"):
        meta["ownerReferences"] = [{"kind": "Job"}]
    said = lint.misplaced(manifest, meta.get("annotations") or {})
    try:
        verdict = decide({"metadata": meta, "spec": template.get("spec") or {}}, namespace, around)
    except Denied as denied:
        return [*said, f"its pods will be refused: {denied}"]
    return said + verdict.warnings


def excluded(namespace: str, own_namespace: str) -> bool:
    """Say whether pods of this namespace are never injected: the cluster must be able to start without us."""
    return namespace in NEVER or namespace == own_namespace
