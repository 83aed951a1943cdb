"""Reconciles one SecretPolicy: keep its policy and role in the server, take them back when it goes.

``policies.py`` judges and translates; this talks to the server that ``Clusters`` gives.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from strongroom_client import BadRequest, ClientError, PermissionDenied
from strongroom_common.clock import Clock
from strongroom_operator import checks, policies
from strongroom_operator.bootstrap import ROLE, keep_policy, keep_role, remove
from strongroom_operator.checks import Verdict
from strongroom_operator.clusters import Clusters
from strongroom_operator.conditions import Condition
from strongroom_operator.errors import GiveUp, Retry, Stopped
from strongroom_operator.kube import KubeError
from strongroom_operator.policies import Case
from strongroom_operator.resources import Cluster
from strongroom_operator.tick import REFRESH, Event, Outcome
from strongroom_operator.vault import Server, find

_RETRY = 3.0  # seconds, while something may pass by itself
_DRIFT = REFRESH * 2 / 3
_WITHDRAWN = ("NamespaceNotAllowed", "RoleNameTaken")  # verdicts that take back what was granted before


@dataclass(frozen=True)
class Held:
    """What a SecretPolicy has in a server: its policy, its role, and the VaultCluster if that is still there."""

    cluster: Cluster | None = None
    policy: str = ""
    role: str = ""


@dataclass(frozen=True)
class Memory:
    """What a SecretPolicy was like at the last look, and when the next one is due though nothing changed."""

    generation: int
    verdict: Verdict | None
    is_fine: bool
    due: float


class SecretPolicies:
    """Looks after SecretPolicies in the servers of ``clusters``."""

    def __init__(self, clusters: Clusters, clock: Clock) -> None:
        self._clusters, self._clock = clusters, clock
        self._memories: dict[str, Memory] = {}

    async def tick(self, case: Case, held: Held) -> Outcome | None:
        """Bring the server in line; None where it is not time to look again."""
        verdict = checks.first(policies.CHECKS, case)
        if not self._is_due(case, verdict):
            return None
        outcome = Outcome(status={"observedGeneration": case.generation})
        pause = _DRIFT
        try:
            if held.cluster and (held.cluster != case.cluster or (verdict and verdict.reason in _WITHDRAWN)):
                await self._withdraw(held, held.cluster)
                outcome.status |= {"cluster": "", "policy": "", "role": ""}
            if verdict or case.cluster is None:
                raise GiveUp(*_parts(verdict))
            await self._keep(case, case.cluster, held, outcome)
            condition = Condition("Ready", "True", "Applied", f"role {case.role} with policy {case.policy}")
        except (Stopped, KubeError, ClientError) as error:
            found = _verdict(error)
            condition = Condition("Ready", "False", found.reason, found.message)
            pause = _DRIFT if isinstance(error, GiveUp | BadRequest) else _RETRY
        is_fine = condition.status == "True"
        self._memories[case.uid] = Memory(case.generation, verdict, is_fine, self._clock.now() + pause)
        outcome.conditions = [condition]
        return outcome

    def _is_due(self, case: Case, verdict: Verdict | None) -> bool:
        memory = self._memories.get(case.uid)
        if memory is None or (memory.generation, memory.verdict) != (case.generation, verdict):
            return True
        return self._clock.now() >= memory.due

    async def _keep(self, case: Case, cluster: Cluster, held: Held, outcome: Outcome) -> None:
        server = await self._clusters.session(cluster)
        auth = cluster.spec.kubernetes_auth.path.strip("/")
        try:
            if held.role and held.role != case.role:
                await _withdraw_role(server, auth, Held(policy=case.policy, role=held.role))
            await _refuse_foreign_role(server, auth, case)
            changes = await keep_policy(server, case.policy, policies.document(case))
            changes += await keep_role(server, auth, case.role, policies.role(case))
        except PermissionDenied:
            self._clusters.log_out(cluster)
            raise _logged_out() from None
        name = f"{cluster.namespace}/{cluster.name}"
        outcome.status |= {"cluster": name, "policy": case.policy, "role": case.role}
        if changes:
            memory = self._memories.get(case.uid)
            repaired = memory is not None and memory.is_fine and memory.generation == case.generation
            outcome.events.append(Event("Normal", "Repaired" if repaired else "Applied", "; ".join(changes)))

    async def forget(self, uid: str, held: Held) -> None:
        """Take back what was granted; raises Retry while the cluster is there but does not serve."""
        self._memories.pop(uid, None)
        if held.cluster is None:
            return
        try:
            await self._withdraw(held, held.cluster)
        except (ClientError, KubeError) as error:
            raise Retry("CannotWithdraw", str(error)) from error

    async def _withdraw(self, held: Held, cluster: Cluster) -> None:
        server = await self._clusters.session(cluster)
        try:
            await _withdraw_role(server, cluster.spec.kubernetes_auth.path.strip("/"), held)
            await remove(server, f"sys/policies/acl/{held.policy}")
        except PermissionDenied:
            self._clusters.log_out(cluster)
            raise _logged_out() from None


async def _refuse_foreign_role(server: Server, auth: str, case: Case) -> None:
    found: Mapping[str, Any] | None = await find(server, f"auth/{auth}/role/{case.role}")
    if case.role == ROLE or (found is not None and not policies.is_ours(found, case.policy)):
        raise GiveUp(
            "RoleNameTaken", f"the server has a role {case.role!r} that no SecretPolicy made: set another role"
        )


async def _withdraw_role(server: Server, auth: str, held: Held) -> None:
    """Delete a role, unless somebody else has made it theirs."""
    found: Mapping[str, Any] | None = await find(server, f"auth/{auth}/role/{held.role}")
    if found is not None and policies.is_ours(found, held.policy):
        await remove(server, f"auth/{auth}/role/{held.role}")


def _logged_out() -> Retry:
    return Retry("ClusterNotReady", "the server does not take the operator's token: logging in again")


def _parts(verdict: Verdict | None) -> tuple[str, str]:
    return (verdict.reason, verdict.message) if verdict else ("ClusterNotFound", "there is no VaultCluster")


def _verdict(error: Stopped | KubeError | ClientError) -> Verdict:
    if isinstance(error, Stopped):
        return error.verdict
    if isinstance(error, BadRequest):
        return Verdict("Refused", "; ".join(error.errors) or str(error))
    return Verdict("ClusterNotReady", str(error))
