"""Durations as Vault reads and prints them: seconds as a number, or Go's "1h30m" with days added.

Vault's API takes ``90``, ``"90"``, ``"1m30s"`` and ``"2d"`` alike (its parseutil.ParseDurationSecond). Days come
whole and alone: ``"1d12h"`` and ``"1.5d"`` are refused.
Python's own number parsing is laxer (``int(" 1_0 ")`` is 10), so the texts are matched here first.
"""

import re
from functools import lru_cache

_UNITS = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3,  # both signs for micro, as Go has them
    "s": 1.0, "m": 60.0, "h": 3600.0,
}  # fmt: skip
_NUMBER = re.compile(r"[+-]?\d+(d?)\Z", re.ASCII)
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_WHOLE = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+\Z", re.ASCII)
_LIMIT = 2**63 / 1e9  # Go keeps a duration as nanoseconds in 64 bits


def parse_duration(raw: object) -> float:
    """Return ``raw`` in seconds: an int or float, ``"90"``, ``"1m30s"``, ``"1.5h"``, ``"2d"``; ``""`` is 0.

    Raises ValueError for anything else, and for what does not fit into Go's 64-bit nanoseconds.
    """
    if isinstance(raw, str):
        seconds = _read(raw) if len(raw) <= 100 else _LIMIT
    elif isinstance(raw, int | float) and not isinstance(raw, bool):
        seconds = raw
    else:
        raise ValueError('expected a duration such as 90, "90s" or "1h30m"')
    if not -_LIMIT < seconds < _LIMIT:
        raise ValueError("duration is too long")
    return seconds


@lru_cache(maxsize=256)  # the same few come again and again
def _read(text: str) -> float:
    if not text:
        return 0
    if number := _NUMBER.match(text):
        return int(text.removesuffix("d")) * (86400 if number[1] else 1)
    if not _WHOLE.match(text):
        raise ValueError('expected a duration such as 90, "90s" or "1h30m"')
    total = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    return -total if text.startswith("-") else total


def go_duration(seconds: float) -> str:
    """Print whole seconds as Go's time.Duration does: 3600 is "1h0m0s", 0 is "0s"."""
    sign, left = ("-", -int(seconds)) if seconds < 0 else ("", int(seconds))
    hours, minutes, rest = left // 3600, left // 60 % 60, left % 60
    if hours:
        return f"{sign}{hours}h{minutes}m{rest}s"
    return f"{sign}{minutes}m{rest}s" if minutes else f"{sign}{rest}s"


def short_duration(seconds: float) -> str:
    """Print whole seconds as Vault's command line does: 3600 is "1h", 5400 is "1h30m", 0 is "0s"."""
    text = go_duration(seconds)
    text = text.removesuffix("0s") if text.endswith("m0s") else text
    return text.removesuffix("0m") if text.endswith("h0m") else text
