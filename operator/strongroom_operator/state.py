"""What was seen of a VaultCluster, what to do next, and what to say about it. Pure.

``next_step`` is a list of questions in the order of a server's life; ``conditions`` tells the same story to people.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from strongroom_operator.checks import Verdict
from strongroom_operator.conditions import Condition
from strongroom_operator.vault import Health
from strongroom_operator.workload import CONTAINER

Step = Literal["initialise", "unseal", "set up"]
_FAILING = (
    "CrashLoopBackOff", "CreateContainerConfigError", "ErrImageNeverPull", "ErrImagePull", "ImagePullBackOff",
    "InvalidImageName", "RunContainerError",
)  # fmt: skip


@dataclass(frozen=True)
class Member:
    """One server pod: ``address`` is its IP or "", ``waits`` why it does not run, ``health`` what it answered.

    ``is_ready`` is Kubernetes' own view: only then do the Services send clients there.
    """

    pod: str
    address: str = ""
    waits: Verdict | None = None
    health: Health | None = None
    is_ready: bool = True

    @property
    def is_active(self) -> bool:
        """Whether it serves writes."""
        return self.health is not None and not self.health.sealed and not self.health.standby

    @property
    def is_sealed(self) -> bool:
        """Whether it holds data that it cannot read yet."""
        return self.health is not None and self.health.initialized and self.health.sealed

    @property
    def ha_state(self) -> str:
        """What its label says, for the Services to select by."""
        if self.health is None or self.health.sealed:
            return "sealed"
        return "standby" if self.health.standby else "active"


@dataclass(frozen=True)
class Seen:
    """A VaultCluster at one moment."""

    replicas: int
    members: tuple[Member, ...] = ()
    is_set_up: bool = False
    rolling_out: bool = False

    @property
    def answers(self) -> list[Health]:
        """What the servers that answered said."""
        return [member.health for member in self.members if member.health]

    @property
    def initialized(self) -> bool:
        """Whether any server is initialised."""
        return any(health.initialized for health in self.answers)

    @property
    def active(self) -> Member | None:
        """The server that serves writes."""
        return next((member for member in self.members if member.is_active), None)

    @property
    def sealed(self) -> list[Member]:
        """The servers that wait for keys."""
        return [member for member in self.members if member.is_sealed]


def member(pod: Mapping[str, Any], health: Health | None = None) -> Member:
    """Read a pod."""
    status = pod.get("status") or {}
    leaving = "deletionTimestamp" in pod["metadata"]
    address = "" if leaving else status.get("podIP") or ""
    waits = Verdict("Terminating", "is being replaced") if leaving else _waits(status)
    ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in status.get("conditions") or ())
    return Member(pod["metadata"]["name"], address, waits, health, ready)


def _waits(status: Mapping[str, Any]) -> Verdict | None:
    for container in status.get("containerStatuses") or ():
        waiting = (container.get("state") or {}).get("waiting")
        if container.get("name") == CONTAINER and waiting:
            return Verdict(waiting.get("reason", "Waiting"), waiting.get("message", "the container waits"))
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return Verdict(condition.get("reason", "Unschedulable"), condition.get("message", "no node takes it"))
    return None


def next_step(seen: Seen) -> Step | None:
    """Return what to do next, or None where there is nothing to do but to wait."""
    if not seen.answers:
        return None
    if not seen.initialized:
        return "initialise" if len(seen.answers) == seen.replicas else None
    if seen.sealed:
        return "unseal"
    if seen.active and not seen.is_set_up:
        return "set up"
    return None


def conditions(seen: Seen, problem: Verdict | None, waiting: Verdict | None = None) -> list[Condition]:
    """Tell what was seen; ``problem`` is what stopped the operator, ``waiting`` what may pass by itself."""
    available = _available(seen)
    if waiting and available.status != "True":
        available = Condition("Available", "False", waiting.reason, waiting.message)
    failing = problem or next((m.waits for m in seen.members if m.waits and m.waits.reason in _FAILING), None)
    waits = available.status != "True" or seen.rolling_out
    progress = Condition(
        "Progressing", "True" if waits and not failing else "False", *_progress(seen, failing, available)
    )
    if failing:
        degraded = Condition("Degraded", "True", failing.reason, failing.message)
    else:
        degraded = Condition("Degraded", "False", "AsExpected", "nothing is wrong")
    return [_initialized(seen), _unsealed(seen), available, progress, degraded]


def _initialized(seen: Seen) -> Condition:
    if not seen.answers:
        return Condition("Initialized", "Unknown", "NoAnswer", _no_answer(seen))
    if seen.initialized:
        return Condition("Initialized", "True", "Initialized", "the data is initialised")
    return Condition("Initialized", "False", "NotInitialized", "the servers hold no data yet")


def _unsealed(seen: Seen) -> Condition:
    if not seen.answers:
        return Condition("Unsealed", "Unknown", "NoAnswer", _no_answer(seen))
    sealed = [m.pod for m in seen.members if m.health and m.health.sealed]
    if sealed:
        return Condition("Unsealed", "False", "Sealed", f"sealed: {', '.join(sealed)}")
    return Condition("Unsealed", "True", "Unsealed", f"{len(seen.answers)} of {seen.replicas} unsealed")


def _available(seen: Seen) -> Condition:
    if not seen.answers:
        return Condition("Available", "False", "NoAnswer", _no_answer(seen))
    if not seen.initialized:
        return Condition("Available", "False", "NotInitialized", "the servers hold no data yet")
    if not seen.active:
        reason = "Sealed" if seen.sealed else "NoActiveServer"
        return Condition("Available", "False", reason, "no server serves requests")
    if not seen.is_set_up:
        return Condition("Available", "False", "NotSetUp", "auth, audit and engines are not set up yet")
    if not seen.active.is_ready:
        return Condition(
            "Available", "False", "NotReady", f"{seen.active.pod} serves, but its readiness probe is not done"
        )
    return Condition("Available", "True", "Serving", f"{seen.active.pod} serves requests")


def _progress(seen: Seen, failing: Verdict | None, available: Condition) -> tuple[str, str]:
    if failing:
        return "Stopped", failing.message
    if available.status != "True":
        return available.reason, available.message
    return ("RollingOut", "pods are being replaced") if seen.rolling_out else ("Settled", "nothing is left to do")


def _no_answer(seen: Seen) -> str:
    waits = [f"{m.pod}: {m.waits.reason}: {m.waits.message}" for m in seen.members if m.waits]
    return "; ".join(waits) or ("no pod yet" if not seen.members else "no server answers")
