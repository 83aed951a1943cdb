"""What a policy's ``control_group`` asks for: approvals by members of groups (OpenBao docs, "Control groups"). Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

AS_UPDATE = frozenset({"update", "renew", "revoke", "rollback"})
LASTS = 24 * 3600
"""Seconds that a request waits where its rule does not say."""


@dataclass(frozen=True, slots=True)
class Factor:
    """Approvals that a request needs, and of whom. ``capabilities`` are those that it is needed for; none is all.

    ``ttl`` is how many seconds an approval is good for; 0 is as long as the request waits.
    """

    name: str
    group_names: frozenset[str]
    group_ids: frozenset[str]
    approvals: int
    capabilities: frozenset[str] = frozenset()
    self_authorization: bool = False
    ttl: float = 0

    def controls(self, operation: str, *, sudo: bool) -> bool:
        """Say whether an operation, on a path that asks for sudo or not, needs it."""
        wanted = self.capabilities
        if not wanted or operation in wanted or (sudo and "sudo" in wanted):
            return True
        return "update" in wanted and operation in AS_UPDATE

    def is_of(self, groups: Mapping[str, str]) -> bool:
        """Say whether somebody in these groups, their names by id, may approve."""
        names = {name.lower() for name in groups.values()}
        return not names.isdisjoint(self.group_names) or not self.group_ids.isdisjoint(groups)


@dataclass(frozen=True, slots=True)
class ControlGroup:
    """Factors, all of which a request needs, and how many seconds it waits for them; 0 is ``LASTS``."""

    factors: tuple[Factor, ...]
    ttl: float = 0


@dataclass(frozen=True, slots=True)
class Approver:
    """Who has approved, when, and the groups that they are in now: names by id."""

    entity_id: str
    at: float
    groups: Mapping[str, str]


def met(factors: Iterable[Factor], approvers: Sequence[Approver], requester: str, now: float) -> bool:
    """Say whether all factors have the approvals they need.

    Security 1: one person is one approval, and nobody approves their own request unless the policy says so. Security 2:
    who has left the group since, or approved too long ago, does not count.
    """
    return all(len(_counted(factor, approvers, requester, now)) >= factor.approvals for factor in factors)


def _counted(factor: Factor, approvers: Sequence[Approver], requester: str, now: float) -> set[str]:
    return {
        approver.entity_id
        for approver in approvers
        if factor.is_of(approver.groups)
        and (factor.self_authorization or approver.entity_id != requester)
        and (not factor.ttl or now - approver.at <= factor.ttl)
    }
