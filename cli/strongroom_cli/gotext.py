"""Values and tables as Go programs print them: what scripts around Vault's command line parse."""

from collections.abc import Iterable, Sequence
from typing import Any

from strongroom_common.durations import short_duration


def text(value: Any) -> str:
    """Print ``value`` as Go's ``%v``: ``<nil>``, ``true``, ``[a b]``, ``map[k:v]`` with sorted keys."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{text(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list | tuple):
        return "[" + " ".join(text(item) for item in value) + "]"
    return str(value)


def quoted(values: Iterable[str]) -> str:
    """Print strings as Go's ``%q`` of a list: ``["a" "b"]``."""
    from json.encoder import encode_basestring

    return "[" + " ".join(encode_basestring(value) for value in values or ()) + "]"


def duration(seconds: int) -> str:
    """Print a lifetime: ``768h``, or ``∞`` for one without end."""
    return short_duration(seconds) if seconds else "∞"


def timestamp(moment: str) -> str:
    """Print an RFC 3339 time as Go prints a time.Time in UTC."""
    return moment.replace("T", " ", 1).removesuffix("Z") + " +0000 UTC" if moment.endswith("Z") else moment


def looks_like_duration(key: str) -> bool:
    """Tell whether a field of this name holds seconds."""
    return key in ("lease_max", "ttl_max") or key.rpartition("_")[2] in ("ttl", "period", "duration")


def field(key: str, value: Any) -> str:
    """Print a secret's field for a table: seconds as a duration where the name says so."""
    if looks_like_duration(key) and isinstance(value, int) and not isinstance(value, bool):
        return short_duration(value)
    return text(value)


def table(rows: Sequence[Sequence[str]], *, rule: bool = True) -> str:
    """Lay ``rows`` out in columns, four spaces between, empty cells as ``n/a``; the first row is a header."""
    lines = [[cell.strip() or "n/a" for cell in row] for row in rows]
    if rule and lines:
        lines.insert(1, ["-" * len(cell) for cell in lines[0]])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("    ".join(_padded(line, widths)) for line in lines)


def _padded(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [cell.ljust(width) for cell, width in zip(cells[:-1], widths, strict=False)] + [cells[-1]]


def banner(title: str, width: int) -> str:
    """Print ``title`` between equals signs, about ``width`` wide (in bytes, as the peer counts)."""
    signs = width - len(title) - 2
    signs = 4 if signs <= 0 else signs + signs % 2
    return f"{'=' * (signs // 2)} {title} {'=' * (signs // 2)}"


def wrapped(words: str, width: int = 78, indent: str = "") -> str:
    """Break ``words`` at blanks so that no line is longer than ``width``, keeping their own newlines."""
    room = width - len(indent)
    lines = [line for paragraph in words.split("\n") for line in _evenly(paragraph.split(), room)]
    return "\n".join((indent + line).rstrip() for line in lines)


def _evenly(words: Sequence[str], room: int) -> list[str]:
    """Break into lines whose ends are as even as can be (least squares of what is left over; the last is free)."""
    count = len(words)
    best: list[tuple[float, int]] = [(0.0, count)] * (count + 1)
    for first in range(count - 1, -1, -1):
        length, choices = -1, []
        for after in range(first + 1, count + 1):
            length += len(words[after - 1]) + 1
            over = 1e5 * (length - room) if length > room else 0.0  # a word that is too long stands alone
            if over and after > first + 1:
                break
            spare = 0 if after == count else max(room - length, 0) ** 2
            choices.append((over + spare + best[after][0], after))
        best[first] = min(choices)
    lines, start = [], 0
    while start < count:
        end = best[start][1]
        lines.append(" ".join(words[start:end]))
        start = end
    return lines or [""]
