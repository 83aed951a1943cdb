"""Status conditions as Kubernetes means them: one entry a type, its time the moment when the status last changed.

https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

Truth = Literal["True", "False", "Unknown"]
_LONGEST_MESSAGE = 1024


@dataclass(frozen=True)
class Condition:
    """What holds (``type``), whether it does, and why: ``reason`` in one word, ``message`` in a sentence."""

    type: str
    status: Truth
    reason: str
    message: str = ""


def merge(
    old: Iterable[Mapping[str, Any]], new: Sequence[Condition], *, generation: int, now: float
) -> list[dict[str, Any]]:
    """Return the conditions to store: those of ``new`` in order, then those of ``old`` that nobody touched."""
    before = {item.get("type"): item for item in old}
    moment = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    merged = [_stored(condition, before.get(condition.type), generation, moment) for condition in new]
    known = {condition.type for condition in new}
    return merged + [dict(item) for kind, item in before.items() if kind not in known]


def _stored(condition: Condition, before: Mapping[str, Any] | None, generation: int, moment: str) -> dict[str, Any]:
    same = before is not None and before.get("status") == condition.status
    return {
        "type": condition.type,
        "status": condition.status,
        "reason": condition.reason,
        "message": condition.message[:_LONGEST_MESSAGE],
        "lastTransitionTime": before["lastTransitionTime"] if before and same else moment,
        "observedGeneration": generation,
    }


def changes(old: Iterable[Mapping[str, Any]], new: Sequence[Condition]) -> list[Condition]:
    """Return the conditions whose status or reason is new: those worth an Event."""
    before = {item.get("type"): (item.get("status"), item.get("reason")) for item in old}
    return [condition for condition in new if before.get(condition.type) != (condition.status, condition.reason)]
