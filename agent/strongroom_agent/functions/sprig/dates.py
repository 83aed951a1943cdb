"""Sprig's functions on times."""
# ruff: noqa: N802 - named as Go's methods are

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from strongroom_agent.functions import times
from strongroom_agent.functions.sprig.convert import real
from strongroom_agent.template import Function
from strongroom_agent.template.values import Int64, Struct
from strongroom_common.durations import go_duration, parse_duration


class Time(Struct):
    """A point in time; only what templates commonly ask of Go's time.Time."""

    go_type = "time.Time"
    go_pointer = False
    go_methods = frozenset({"Format", "Unix", "Year", "UTC"})

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def go_string(self) -> str:
        """Print as Go's ``String`` method."""
        return times.form(self.moment, "2006-01-02 15:04:05.999999999 -0700 MST")

    def go_Format(self) -> Function:
        return Function(lambda layout: times.form(self.moment, layout), "string")

    def go_Unix(self) -> Function:
        return Function(lambda: Int64(self.moment.timestamp()))

    def go_Year(self) -> Function:
        return Function(lambda: self.moment.year)

    def go_UTC(self) -> Function:
        return Function(lambda: Time(self.moment.astimezone(UTC)))


def functions(now: Callable[[], float]) -> dict[str, Function]:
    """Return the functions by name."""

    def moment(value: Any) -> datetime:
        if isinstance(value, Time):
            return value.moment
        return times.utc(real(value) if isinstance(value, int) else now())

    def in_zone(layout: str, value: Any, zone: str) -> str:
        return times.form(moment(value).astimezone(ZoneInfo(zone)), layout)

    def modified(change: str, value: Any) -> Time:
        return Time(moment(value) + timedelta(seconds=parse_duration(change)))

    return {
        "ago": Function(lambda value: go_duration(now() - moment(value).timestamp()), "any"),
        "date": Function(lambda layout, value: times.form(moment(value), layout), "string any"),
        "dateInZone": Function(in_zone, "string any string"),
        "dateModify": Function(modified, "string any"),
        "duration": Function(lambda seconds: go_duration(real(seconds)), "any"),
        "htmlDate": Function(lambda value: times.form(moment(value), "2006-01-02"), "any"),
        "htmlDateInZone": Function(lambda value, zone: in_zone("2006-01-02", value, zone), "any string"),
        "now": Function(lambda: Time(times.utc(now()))),
        "unixEpoch": Function(lambda value: str(int(moment(value).timestamp())), "any"),
    }
