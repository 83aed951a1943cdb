"""When a static role's password is due to be changed: after a period, or by a cron schedule with a window. Pure.

Times are epoch seconds; schedules are in UTC, with five fields (crontab(5)).
"""

from datetime import UTC, datetime

from strongroom_server.engines.database.schemas import StaticRole
from strongroom_server.sdk.errors import InvalidRequest

SHORTEST_PERIOD = 5
SHORTEST_WINDOW = 3600


def check(role: StaticRole, sent: frozenset[str]) -> None:
    """Refuse what cannot be a time of rotation; ``sent`` are the fields that the client sent. Raises InvalidRequest."""
    if {"rotation_period", "rotation_schedule"} <= sent and role.rotation_period and role.rotation_schedule:
        raise InvalidRequest("mutually exclusive fields rotation_period and rotation_schedule were both specified; "
                             "only one of them can be provided")  # fmt: skip
    if role.rotation_schedule:
        _check_schedule(role)
        return
    if role.rotation_window:
        raise InvalidRequest("rotation_window is invalid with use of rotation_period")
    if not role.rotation_period:
        raise InvalidRequest("one of rotation_schedule or rotation_period must be provided to create a static account")
    if role.rotation_period < SHORTEST_PERIOD:
        raise InvalidRequest(f"rotation_period must be {SHORTEST_PERIOD} seconds or more")


def _check_schedule(role: StaticRole) -> None:
    from cronsim import CronSimError

    try:
        if len(role.rotation_schedule.split()) != 5:
            raise InvalidRequest("could not parse rotation_schedule: expected five fields of a cron schedule")
        _next(role.rotation_schedule, 0.0)
    except (CronSimError, StopIteration):
        raise InvalidRequest("could not parse rotation_schedule: expected a cron schedule") from None
    if 0 < role.rotation_window < SHORTEST_WINDOW:
        raise InvalidRequest(f"rotation_window must be {SHORTEST_WINDOW} seconds or more")


def due(role: StaticRole, rotated: float, now: float) -> float:
    """Return when the password must next be changed, after it was at ``rotated``.

    A scheduled time whose window has passed (the server was down) is left out.
    """
    if not role.rotation_schedule:
        return rotated + role.rotation_period
    moment = _next(role.rotation_schedule, rotated)
    if role.rotation_window and moment + role.rotation_window < now:
        return _next(role.rotation_schedule, now - role.rotation_window)
    return moment


def _next(schedule: str, after: float) -> float:
    from cronsim import CronSim

    moment: datetime = next(CronSim(schedule, datetime.fromtimestamp(after, UTC)))
    return moment.timestamp()
