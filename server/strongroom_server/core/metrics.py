"""Counters, gauges and timings in memory, printed for Prometheus or as JSON.

Names are Vault's ("vault.core.handle_request"); timings are in milliseconds, kept as count, sum, minimum, maximum and
the last few hundred values, from which quantiles are told when someone looks. Who adds to one often keeps the
``Summary``: that is no more than an append.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import sqrt
from typing import NamedTuple

from strongroom_common.clock import Clock

Labels = tuple[tuple[str, str], ...]
_KEPT = 256
_QUANTILES = (0.5, 0.9, 0.99)


class Sums(NamedTuple):
    """What is told of any number of values."""

    number: int = 0
    total: float = 0.0
    squares: float = 0.0
    least: float = float("inf")
    most: float = 0.0

    def plus(self, values: Sequence[float]) -> "Sums":
        """Return these and more values, of which there is one at least."""
        return Sums(
            self.number + len(values), self.total + sum(values), self.squares + sum(value * value for value in values),
            min(self.least, *values), max(self.most, *values),
        )  # fmt: skip


class Summary:
    """One series of observed values: the last few as they are, those before them summed up."""

    __slots__ = ("_before", "_last")

    def __init__(self) -> None:
        self._before = Sums()
        self._last: list[float] = []

    def observe(self, value: float) -> None:
        """Add a value."""
        self._last.append(value)
        if len(self._last) >= 2 * _KEPT:
            self._before = self._before.plus(self._last[:-_KEPT])
            del self._last[:-_KEPT]

    def sums(self) -> Sums:
        """Return the sums of all values."""
        return self._before.plus(self._last) if self._last else self._before

    def quantiles(self) -> list[tuple[float, float]]:
        """Return quantiles of the last values."""
        values = sorted(self._last)
        return [(q, values[min(int(q * len(values)), len(values) - 1)]) for q in _QUANTILES] if values else []

    def figures(self) -> dict[str, float]:
        """Return what the JSON form shows."""
        sums = self.sums()
        if not sums.number:
            return dict.fromkeys(("Count", "Rate", "Sum", "Min", "Max", "Mean", "Stddev"), 0)
        mean = sums.total / sums.number
        deviation = sqrt(max(sums.squares / sums.number - mean * mean, 0.0))
        return {"Count": sums.number, "Rate": sums.total, "Sum": sums.total, "Min": sums.least, "Max": sums.most,
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
        """Return a timing, in milliseconds as Vault's are."""
        found = self.summaries.get((name, labels))
        if found is None:
            found = self.summaries[name, labels] = Summary()
        return found

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
            sums = summary.sums()
            lines += [f"# HELP {flat} {flat}", f"# TYPE {flat} summary"] if first else []
            lines += [f"{flat}{_braces((*labels, ('quantile', f'{q:g}')))} {v:g}" for q, v in summary.quantiles()]
            lines.append(f"{flat}_sum{_braces(labels)} {_number(sums.total)}")
            lines.append(f"{flat}_count{_braces(labels)} {sums.number}")
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
