"""What the injector counts, in Prometheus's text format.

Format: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
"""Upper bounds of the request histogram, in seconds."""


@dataclass
class Family:
    """A counter or gauge with labels; a value that was never set is not shown."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...] = ()
    values: dict[tuple[str, ...], float] = field(default_factory=dict)

    def add(self, *labels: str) -> None:
        """Count one more."""
        self.values[labels] = self.values.get(labels, 0) + 1

    def set(self, value: float, *labels: str) -> None:
        """Say what the value is."""
        self.values[labels] = value

    def replace(self, values: Mapping[str, float]) -> None:
        """Say what all values of a gauge with one label are."""
        self.values = {(label,): value for label, value in values.items()}

    def lines(self) -> Iterator[str]:
        """Yield the lines of the text format."""
        yield from _head(self.name, self.kind, self.help)
        for labels, value in sorted(self.values.items()):
            yield f"{self.name}{_labels(zip(self.labels, labels, strict=True))} {_number(value)}"


@dataclass
class Histogram:
    """How long something took, in seconds."""

    name: str
    help: str
    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    total: float = 0.0

    def observe(self, seconds: float) -> None:
        """Count one more that took so long."""
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.total += seconds

    def lines(self) -> Iterator[str]:
        """Yield the lines of the text format."""
        yield from _head(self.name, "histogram", self.help)
        seen = 0
        for bound, count in zip((*map(_number, BUCKETS), "+Inf"), self.counts, strict=True):
            seen += count
            yield f'{self.name}_bucket{{le="{bound}"}} {seen}'
        yield f"{self.name}_sum {_number(self.total)}"
        yield f"{self.name}_count {seen}"


class Metrics:
    """Everything that is counted."""

    def __init__(self) -> None:
        p = "strongroom_injector_"
        self.requests = Histogram(p + "request_duration_seconds", "How long an admission took.")
        self.injections = Family(p + "injections_total", "counter", "Pods injected.", ("namespace", "injection_type"))
        self.refusals = Family(p + "failed_injections_total", "counter", "Pods refused.", ("namespace", "reason"))
        self.not_injected = Family(
            p + "pods_not_injected", "gauge", "Pods that run without the agent they ask for.", ("namespace",)
        )
        self.expiry = Family(
            p + "certificate_expiry_timestamp_seconds", "gauge", "When the certificate ends.", ("certificate",)
        )
        self.ready = Family(p + "ready", "gauge", "1 if the API server can call this replica.")

    def render(self) -> str:
        """Return the page."""
        families = (self.requests, self.injections, self.refusals, self.not_injected, self.expiry, self.ready)
        return "\n".join(line for family in families for line in family.lines()) + "\n"


def _head(name: str, kind: str, about: str) -> tuple[str, str]:
    return f"# HELP {name} {about}", f"# TYPE {name} {kind}"


def _labels(pairs: Iterator[tuple[str, str]]) -> str:
    shown = ",".join(f'{name}="{_escape(value)}"' for name, value in pairs)
    return f"{{{shown}}}" if shown else ""


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
