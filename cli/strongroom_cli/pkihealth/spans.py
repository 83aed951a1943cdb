"""Long spans of time in few words."""

from strongroom_common.durations import go_duration

_UNITS = (("y", 365 * 86400), ("mo", 30 * 86400), ("w", 7 * 86400), ("d", 86400))


def span(seconds: float) -> str:
    """Print a span with the smallest unit first, as Vault's command does: 40 days are ``3d1w1mo``, 180 are ``6mo``."""
    text, left = "", int(seconds)
    for unit, size in _UNITS:
        if left > size:
            text, left = f"{left // size}{unit}{text}", left % size
    return f"{go_duration(left)}{text}" if left or not text else text
