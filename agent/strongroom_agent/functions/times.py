"""Times in Go's layouts, where the reference time "Mon Jan 2 15:04:05 MST 2006" shows the form."""

import re
from datetime import UTC, datetime

RFC3339 = "2006-01-02T15:04:05Z07:00"
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
           "November", "December")  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_PART = re.compile(
    r"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|2006|002|__2|_2(?!006)|01|02|03|04|05|06|15|PM|pm"
    r"|[-Z]07:00:00|[-Z]070000|[-Z]07:00|[-Z]0700|[-Z]07|[.,](?:0+|9+)(?!\d)|[1-5]"
)


def utc(moment: float) -> datetime:
    """Return an epoch time in UTC."""
    return datetime.fromtimestamp(moment, UTC)


def form(moment: datetime, layout: str) -> str:
    """Return ``moment`` in a Go layout."""
    return _PART.sub(lambda match: _part(moment, match.group()), layout)


def _part(moment: datetime, part: str) -> str:
    if part[0] in "-Z" and part[1:2] == "0":
        return _zone(moment, part)
    if part[0] in ".,":
        return _fraction(moment, part)
    hour = moment.hour % 12 or 12
    day_of_year = moment.timetuple().tm_yday
    values = {
        "January": _MONTHS[moment.month - 1], "Jan": _MONTHS[moment.month - 1][:3], "01": f"{moment.month:02}",
        "1": moment.month, "Monday": _DAYS[moment.weekday()], "Mon": _DAYS[moment.weekday()][:3],
        "2006": f"{moment.year:04}", "06": f"{moment.year % 100:02}", "02": f"{moment.day:02}", "2": moment.day,
        "_2": f"{moment.day:2}", "002": f"{day_of_year:03}", "__2": f"{day_of_year:3}", "15": f"{moment.hour:02}",
        "03": f"{hour:02}", "3": hour, "04": f"{moment.minute:02}", "4": moment.minute, "05": f"{moment.second:02}",
        "5": moment.second, "PM": "PM" if moment.hour >= 12 else "AM", "pm": "pm" if moment.hour >= 12 else "am",
        "MST": moment.tzname() or "UTC",
    }  # fmt: skip
    return str(values[part])


def _zone(moment: datetime, part: str) -> str:
    offset = moment.utcoffset()
    seconds = int(offset.total_seconds()) if offset else 0
    if part[0] == "Z" and not seconds:
        return "Z"
    sign, seconds = ("-", -seconds) if seconds < 0 else ("+", seconds)
    fields = [f"{seconds // 3600:02}", f"{seconds // 60 % 60:02}", f"{seconds % 60:02}"]
    colon = ":" if ":" in part else ""
    return sign + colon.join(fields[: len(part.replace(":", "")) // 2])


def _fraction(moment: datetime, part: str) -> str:
    digits = f"{moment.microsecond:06}".ljust(9, "0")[: len(part) - 1]
    if "9" in part:
        digits = digits.rstrip("0")
        return part[0] + digits if digits else ""
    return part[0] + digits
