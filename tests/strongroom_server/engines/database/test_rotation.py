from datetime import UTC, datetime

import pytest

from strongroom_common.fields import Seconds
from strongroom_server.engines.database import rotation
from strongroom_server.engines.database.schemas import StaticRole
from strongroom_server.sdk.errors import InvalidRequest


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("role", "rotated", "now", "due"),
    [
        pytest.param({"rotation_period": 60}, "2026-01-01 00:00", "2026-01-01 00:00", "2026-01-01 00:01",
                     id="a_period"),
        pytest.param({"rotation_schedule": "0 3 * * SAT"}, "2026-01-01 00:00", "2026-01-01 00:00", "2026-01-03 03:00",
                     id="a_schedule"),
        pytest.param({"rotation_schedule": "0 3 * * *"}, "2026-01-01 00:00", "2026-01-05 00:00", "2026-01-01 03:00",
                     id="without_a_window_a_missed_time_is_made_up_for"),
        pytest.param({"rotation_schedule": "0 3 * * *", "rotation_window": 3600}, "2026-01-01 00:00",
                     "2026-01-05 03:30", "2026-01-05 03:00", id="within_the_window_it_is_made_up_for"),
        pytest.param({"rotation_schedule": "0 3 * * *", "rotation_window": 3600}, "2026-01-01 00:00",
                     "2026-01-05 05:00", "2026-01-06 03:00", id="after_the_window_it_is_left_out"),
    ],
)  # fmt: skip
def test_when_a_password_is_due(role: dict[str, object], rotated: str, now: str, due: str) -> None:
    assert rotation.due(StaticRole(**role), at(rotated), at(now)) == at(due)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("role", "message"),
    [
        pytest.param(StaticRole(), "one of rotation_schedule or rotation_period", id="neither"),
        pytest.param(StaticRole(rotation_period=Seconds(4)), "5 seconds or more", id="too_often"),
        pytest.param(StaticRole(rotation_schedule="@daily"), "could not parse", id="no_fields"),
        pytest.param(StaticRole(rotation_schedule="0 0 * * * *"), "could not parse", id="six_fields"),
        pytest.param(StaticRole(rotation_schedule="99 * * * *"), "could not parse", id="no_such_minute"),
        pytest.param(StaticRole(rotation_schedule="0 0 30 2 *"), "could not parse", id="no_such_day"),
        pytest.param(StaticRole(rotation_schedule="0 0 * * *", rotation_window=Seconds(60)), "3600 seconds or more",
                     id="too_short_a_window"),
        pytest.param(StaticRole(rotation_period=Seconds(60), rotation_window=Seconds(3600)), "rotation_window",
                     id="a_window_of_a_period"),
        pytest.param(StaticRole(rotation_period=Seconds(60), rotation_schedule="0 0 * * *"), "mutually exclusive",
                     id="both"),
    ],
)  # fmt: skip
def test_times_that_cannot_be_are_refused(role: StaticRole, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        rotation.check(role, frozenset({"rotation_period", "rotation_schedule"}))
