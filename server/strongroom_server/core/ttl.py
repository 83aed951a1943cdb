"""How long a token or lease may live: the documented arithmetic, as one pure function.

Source: Vault's pages "Tokens" (explicit max TTL, periodic tokens) and "Lease, renew and revoke".
"""

import msgspec

from strongroom_common.durations import short_duration


class Limits(msgspec.Struct, frozen=True):
    """Seconds; 0 means "not given". ``default`` and ``maximum`` are the mount's (or the server's) own."""

    default: int
    maximum: int
    ttl: int = 0
    max_ttl: int = 0
    explicit_max: int = 0
    period: int = 0


def grant(limits: Limits, *, asked: int, now: float, issued: float) -> tuple[int, list[str]]:
    """Return the seconds from ``now`` that are granted, and warnings about what was cut.

    ``asked`` is the client's wish (an increment on renewal). A period wins over everything but an explicit maximum:
    no maximum ends its renewals, yet none of them grants more than that. Maxima count from ``issued``. The result is 0
    where nothing is left.
    """
    warnings: list[str] = []
    what = "period" if limits.period else "TTL"
    maximum = min(limits.max_ttl or limits.maximum, limits.maximum or limits.max_ttl)
    if limits.period:
        seconds = limits.period
        longest = min((limit for limit in (maximum, limits.explicit_max) if limit), default=seconds)
        if seconds > longest:
            seconds = longest
            warnings.append(_capped(limits.period, longest, what))
    else:
        wish = asked or limits.ttl or limits.default
        left = round(issued + maximum - now) if maximum else wish
        if wish > left:
            warnings.append(_capped(wish, left, what))
        seconds = min(wish, left)
    if limits.explicit_max:
        left = round(issued + limits.explicit_max - now)
        if seconds > left:
            warnings.append(_capped(seconds, left, what))
        seconds = min(seconds, left)
    return max(seconds, 0), warnings


def _capped(wish: int, limit: int, what: str) -> str:
    return (
        f'{what} of "{short_duration(wish)}" exceeded the effective max_ttl of "{short_duration(limit)}"; '
        f"{what} value is capped accordingly"
    )
