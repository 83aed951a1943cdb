"""What a tick of the reconciling loop works with: what is remembered between ticks, what this one did."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from strongroom_operator.certificates import Certificates
from strongroom_operator.conditions import Condition
from strongroom_operator.resources import API_PORT, Cluster
from strongroom_operator.state import Member
from strongroom_operator.vault import Server

REFRESH = 30.0
"""Seconds between two looks at everything that does not change by itself."""

Connect = Callable[[str, str, str], Server]
"""Makes a ``Server`` from a URL, the CA to trust (PEM) and the name that its certificate has to have."""


@dataclass(frozen=True)
class Event:
    """Something that people want to know of: ``type`` is Normal or Warning."""

    type: str
    reason: str
    message: str


@dataclass
class Outcome:
    """What a tick saw and did."""

    conditions: list[Condition] = field(default_factory=list)
    status: dict[str, Any] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)


@dataclass
class Memory:
    """What is remembered of a cluster between ticks; losing it costs a login and a round of reading."""

    applied: tuple[int, float] = (-1, 0.0)
    certificates: Certificates = field(default_factory=Certificates)
    token: str = ""
    token_ends: float = 0.0
    set_up: tuple[int, float] = (-1, 0.0)
    root_used: float = 0.0


@dataclass
class Tick:
    """One tick's working space."""

    cluster: Cluster
    generation: int
    memory: Memory
    connect: Connect
    outcome: Outcome = field(default_factory=Outcome)

    def server(self, member: Member) -> Server:
        """Return the server in a pod."""
        cluster = self.cluster
        host = f"[{member.address}]" if ":" in member.address else member.address
        return self.connect(f"{cluster.scheme}://{host}:{API_PORT}", self.memory.certificates.bundle, cluster.host)

    def tell(self, reason: str, message: str, kind: str = "Normal") -> None:
        """Add an event."""
        self.outcome.events.append(Event(kind, reason, message))
