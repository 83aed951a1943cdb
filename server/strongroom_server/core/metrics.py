"""Counters, gauges and timings in memory, printed for Prometheus or as JSON.

Names are Vault's ("vault.core.handle_request"); timings are in milliseconds, kept as count, sum, minimum, maximum and
the last few hundred values, from which quantiles are told when someone looks. Adding to one costs a dictionary
look-up, or nothing but the sums where the caller keeps the ``Summary``.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import sqrt

from strongroom_common.clock import Clock

Labels = tuple[tuple[str, str], ...]
_KEPT = 512
_QUANTILES = (0.5, 0.9, 0.99)


@dataclass(slots=True)
class Summary:
    """One series of observed values."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    least: float = float("inf")
    most: float = 0.0
    last: list[float] = field(default_factory=list)

    def observe(self, value: float) -> None:
        """Add a value."""
        if self.count < _KEPT:
            self.last.append(value)
        else:
            self.last[self.count % _KEPT] = value
        self.count += 1
        self.total += value
        self.squares += value * value
        if value < self.least:
            self.least = value
        if value > self.most:
            self.most = value

    def quantiles(self) -> list[tuple[float, float]]:
        """Return quantiles of the last values."""
        values = sorted(self.last)
        return [(q, values[min(int(q * len(values)), len(values) - 1)]) for q in _QUANTILES] if values else []

    def figures(self) -> dict[str, float]:
        """Return what the JSON form shows."""
        if not self.count:
            return dict.fromkeys(("Count", "Rate", "Sum", "Min", "Max", "Mean", "Stddev"), 0)
        mean = self.total / self.count
        deviation = sqrt(max(self.squares / self.count - mean * mean, 0.0))
        return {"Count": self.count, "Rate": self.total, "Sum": self.total, "Min": self.least, "Max": self.most,
                "Mean": mean, "Stddev": deviation}  # fmt: skip


@dataclass(slots=True)
class Metrics:
    """All series of one server, by name and labels. ``prefix`` stands for "vault" where the server file says so."""

    prefix: str = "vault"
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

    def drop_gauges(self, name: str) -> None:
        """Forget a gauge with all its labels, before it is told anew."""
        for key in [key for key in self.gauges if key[0] == name]:
            del self.gauges[key]

    def summary(self, name: str, labels: Labels = ()) -> Summary:
        """Return a timing, to be kept by those who add to it often."""
        found = self.summaries.get((name, labels))
        if found is None:
            found = self.summaries[name, labels] = Summary()
        return found

    def observe(self, name: str, value: float) -> None:
        """Add to a timing, in milliseconds as Vault's are."""
        self.summary(name).observe(value)

    @contextmanager
    def timed(self, name: str, clock: Clock) -> Iterator[None]:
        """Add the time that the block takes to a timing."""
        started = clock.now()
        try:
            yield
        finally:
            self.summary(name).observe((clock.now() - started) * 1000)

    def prometheus(self) -> str:
        """Return the text exposition format, version 0.0.4."""
        lines: list[str] = []
        for kind, series in (("counter", self.counters), ("gauge", self.gauges)):
            for name, labels, first in _sorted(series):
                flat = self._flat(name)
                lines += [f"# HELP {flat} {flat}", f"# TYPE {flat} {kind}"] if first else []
                lines.append(f"{flat}{_braces(labels)} {_number(series[name, labels])}")
        for name, labels, first in _sorted(self.summaries):
            flat, summary = self._flat(name), self.summaries[name, labels]
            lines += [f"# HELP {flat} {flat}", f"# TYPE {flat} summary"] if first else []
            lines += [f"{flat}{_braces((*labels, ('quantile', f'{q:g}')))} {v:g}" for q, v in summary.quantiles()]
            lines.append(f"{flat}_sum{_braces(labels)} {_number(summary.total)}")
            lines.append(f"{flat}_count{_braces(labels)} {summary.count}")
        return "\n".join(lines) + "\n"

    def json(self, now: float) -> dict[str, object]:
        """Return the JSON form of sys/metrics."""
        return {
            "Timestamp": datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%S +0000 UTC"),
            "Counters": [
                self._row(*key, {"Count": v, "Rate": v, "Sum": v, "Min": 1, "Max": 1, "Mean": 1, "Stddev": 0})
                for key, v in sorted(self.counters.items())
            ],
            "Gauges": [self._row(*key, {"Value": value}) for key, value in sorted(self.gauges.items())],
            "Points": [],
            "Samples": [self._row(*key, self.summaries[key].figures()) for key in sorted(self.summaries)],
        }

    def _row(self, name: str, labels: Labels, values: Mapping[str, float]) -> Mapping[str, object]:
        return {"Name": self._named(name), "Labels": dict(labels), **values}

    def _named(self, name: str) -> str:
        return name if self.prefix == "vault" else self.prefix + name.removeprefix("vault")

    def _flat(self, name: str) -> str:
        """Return a metric's name as Prometheus takes it."""
        return self._named(name).replace(".", "_").replace("-", "_").replace("/", "_")


def _sorted(series: Mapping[tuple[str, Labels], object]) -> Iterator[tuple[str, Labels, bool]]:
    """Yield names and labels in order; the last tells whether the name is new."""
    previous = ""
    for name, labels in sorted(series):
        yield name, labels, name != previous
        previous = name


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))


def _braces(labels: Labels) -> str:
    if not labels:
        return ""
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)
    return f"{{{pairs}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
