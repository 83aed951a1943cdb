"""Counters, gauges and timings in memory, printed for Prometheus or as JSON.

Names are Vault's ("vault.core.handle_request"); timings are kept as count, sum, minimum and maximum, the way Vault's
own dashboards read them. Adding to one costs a dictionary look-up.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

Labels = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Summary:
    """One series of observed values."""

    count: int = 0
    total: float = 0.0
    least: float = float("inf")
    most: float = 0.0

    def observe(self, value: float) -> None:
        """Add a value."""
        self.count += 1
        self.total += value
        self.least = min(self.least, value)
        self.most = max(self.most, value)


@dataclass(slots=True)
class Metrics:
    """All series of one server, by name and labels."""

    counters: dict[tuple[str, Labels], float] = field(default_factory=dict)
    gauges: dict[tuple[str, Labels], float] = field(default_factory=dict)
    summaries: dict[tuple[str, Labels], Summary] = field(default_factory=dict)

    def count(self, name: str, labels: Labels = (), by: float = 1) -> None:
        """Raise a counter."""
        key = (name, labels)
        self.counters[key] = self.counters.get(key, 0) + by

    def gauge(self, name: str, value: float, labels: Labels = ()) -> None:
        """Set a gauge."""
        self.gauges[name, labels] = value

    def observe(self, name: str, value: float, labels: Labels = ()) -> None:
        """Add to a timing, in milliseconds as Vault's are."""
        summary = self.summaries.get((name, labels))
        if summary is None:
            summary = self.summaries[name, labels] = Summary()
        summary.observe(value)

    def prometheus(self) -> str:
        """Return the text exposition format, version 0.0.4."""
        lines: list[str] = []
        for kind, series in (("counter", self.counters), ("gauge", self.gauges)):
            for name in sorted({name for name, _ in series}):
                flat = flatten(name)
                lines.append(f"# TYPE {flat} {kind}")
                lines += [f"{flat}{_braces(labels)} {v:g}" for (n, labels), v in sorted(series.items()) if n == name]
        for name in sorted({name for name, _ in self.summaries}):
            flat = flatten(name)
            lines.append(f"# TYPE {flat} summary")
            for (n, labels), summary in sorted(self.summaries.items(), key=lambda item: item[0]):
                if n == name:
                    lines.append(f"{flat}_sum{_braces(labels)} {summary.total:g}")
                    lines.append(f"{flat}_count{_braces(labels)} {summary.count}")
        return "\n".join(lines) + "\n"

    def json(self) -> dict[str, object]:
        """Return the JSON form of sys/metrics."""
        return {
            "Timestamp": "",
            "Counters": [_row(*key, Count=v, Sum=v, Min=0, Max=v, Mean=1, Rate=v) for key, v in self.counters.items()],
            "Gauges": [_row(*key, Value=value) for key, value in self.gauges.items()],
            "Points": [],
            "Samples": [
                _row(*key, Count=s.count, Sum=s.total, Min=s.least, Max=s.most, Mean=s.total / s.count)
                for key, s in self.summaries.items()
            ],
        }


def flatten(name: str) -> str:
    """Return a metric's name as Prometheus takes it."""
    return name.replace(".", "_").replace("-", "_")


def _braces(labels: Labels) -> str:
    if not labels:
        return ""
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)
    return f"{{{pairs}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _row(name: str, labels: Labels, **values: float) -> Mapping[str, object]:
    return {"Name": name, "Labels": dict(labels), **values}
