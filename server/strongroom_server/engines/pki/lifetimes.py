"""From when until when a certificate is valid. Pure: seconds since the epoch in and out."""

from datetime import UTC, datetime
from typing import Literal, NamedTuple

from strongroom_common.durations import go_duration
from strongroom_server.engines.pki.role import Role
from strongroom_server.lib.timestamps import timestamp
from strongroom_server.lib.x509 import zulu
from strongroom_server.sdk.errors import InvalidRequest

Behavior = Literal["err", "truncate", "permit"]
_BOTH = "Either ttl or not_after should be provided. Both should not be provided in the same request."


class Wish(NamedTuple):
    """What the request asks for; empty is nothing."""

    ttl: int = 0
    not_after: str = ""
    not_before: str = ""


class Frame(NamedTuple):
    """What surrounds a wish: the mount's TTLs, the issuer's end and what happens beyond it."""

    now: float
    default_ttl: int
    max_ttl: int
    issuer_end: float = 0
    behavior: Behavior = "permit"


class Lifetime(NamedTuple):
    """The answer, with what the client should know of it."""

    start: float
    end: float
    warnings: tuple[str, ...] = ()


def lifetime(wish: Wish, role: Role, frame: Frame) -> Lifetime:
    """Return when a certificate starts and ends; raises InvalidRequest for what cannot be."""
    if wish.ttl and (wish.not_after or role.not_after):
        raise InvalidRequest(_BOTH)
    ttl, warnings = _ttl(wish, role, frame)
    end = frame.now + ttl
    if role.not_after:
        end = parse_time(role.not_after)
    elif wish.not_after:
        end, more = _asked_end(wish, role, frame, ttl)
        warnings += more
    end = _within_issuer(end, frame)
    start = _start(wish, role, frame)
    if start >= end:
        raise InvalidRequest(f"The certificate's Not Before ({timestamp(start)}) is later than the certificate's "
                             f"Not After ({_zulu(end)})")  # fmt: skip
    return Lifetime(start, end, tuple(warnings))


def _ttl(wish: Wish, role: Role, frame: Frame) -> tuple[int, list[str]]:
    longest = role.max_ttl or frame.max_ttl
    ttl = wish.ttl or role.ttl or min(frame.default_ttl, longest)
    if ttl <= longest:
        return ttl, []
    return longest, [f'TTL "{go_duration(ttl)}" is longer than permitted maxTTL "{go_duration(longest)}", so maxTTL '
                     "is being used"]  # fmt: skip


def _asked_end(wish: Wish, role: Role, frame: Frame, ttl: int) -> tuple[float, list[str]]:
    """Return the asked end within the role's bound.

    Security 1: the role's max_ttl is a promise that a date does not break (hashicorp/vault #29928).
    """
    bound, end = role.not_after_bound or "permit", parse_time(wish.not_after)
    if bound == "forbid":
        raise InvalidRequest("not_after_bound is set to forbid. not_after cannot be provided.")
    if bound == "ttl-limited" and end > frame.now + ttl:
        raise InvalidRequest(
            f"not_after_bound is set to ttl-limited. Cannot satisfy request as that would result in notAfter of "
            f"{_zulu(end)} that is beyond the TTL of {go_duration(ttl)}"
        )
    if bound not in {"permit", "ttl-limited"} and end > parse_time(bound):
        raise InvalidRequest(
            f"not_after_bound is set to {bound}. Cannot satisfy request as that would result in notAfter of "
            f"{_zulu(end)} that is beyond the maximum timestamp of {_zulu(parse_time(bound))}"
        )
    if role.max_ttl and end > frame.now + role.max_ttl:
        return frame.now + role.max_ttl, [
            f'not_after "{wish.not_after}" is beyond the permitted maxTTL "{go_duration(role.max_ttl)}", so maxTTL is '
            "being used"
        ]
    return end, []


def _within_issuer(end: float, frame: Frame) -> float:
    if not frame.issuer_end or end <= frame.issuer_end or frame.behavior == "permit":
        return end
    if frame.behavior == "truncate" and frame.issuer_end > frame.now:  # nothing is issued for the past (Vault #30621)
        return frame.issuer_end
    raise InvalidRequest(
        f"cannot satisfy request, as TTL would result in notAfter of {timestamp(end)} that is beyond the expiration "
        f"of the CA certificate at {_zulu(frame.issuer_end)}"
    )


def _start(wish: Wish, role: Role, frame: Frame) -> float:
    earliest = frame.now - role.not_before_duration
    if role.not_before:
        return parse_time(role.not_before)
    if not wish.not_before:
        return earliest
    start = parse_time(wish.not_before)
    if role.not_before_bound == "forbid":
        raise InvalidRequest("not_before_bound is set to forbid. not_before cannot be provided.")
    if role.not_before_bound == "duration" and start < earliest:
        raise InvalidRequest(
            "not_before_bound is set to duration. Cannot satisfy request as it would result in notBefore of "
            f"{_zulu(start)} that is older than the allowed not_before_duration of "
            f"{go_duration(role.not_before_duration)}"
        )
    return start


def parse_time(text: str) -> float:
    """Return an RFC 3339 moment as epoch seconds; raises InvalidRequest."""
    wrong = InvalidRequest(f'parsing time "{text}": expected RFC 3339, such as "2030-01-02T15:04:05Z"')
    try:
        when = datetime.fromisoformat(text)
        seconds = when.timestamp()
    except (ValueError, OverflowError):
        raise wrong from None
    if "T" not in text or when.tzinfo is None:
        raise wrong
    return seconds


def _zulu(seconds: float) -> str:
    return zulu(datetime.fromtimestamp(seconds, UTC))
