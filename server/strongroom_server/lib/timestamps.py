"""Moments as fixed-width text, so that what is stored is what is shown and the order of texts is that of time."""

from datetime import UTC, datetime

_YEAR_1, _YEAR_10000 = -62_135_596_800, 253_402_300_800


def is_moment(moment: float) -> bool:
    """Tell whether epoch seconds can be printed: years have four digits."""
    return _YEAR_1 <= moment < _YEAR_10000


def timestamp(moment: float) -> str:
    """Print epoch seconds as RFC 3339 in UTC with nine digits and a Z, as Vault's time stamps look."""
    seconds, nanoseconds = divmod(int(moment * 1_000_000_000), 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:19]}.{nanoseconds:09d}Z"
