"""How long a grant is, and what is said about what was cut."""

from typing import Any

import pytest

from strongroom_server.core.ttl import Limits, grant
from tests.strongroom_server.live import Live

DAY = 86400


@pytest.mark.parametrize(
    ("limits", "asked", "age", "seconds", "cut_to"),
    [
        pytest.param({"period": 600, "max_ttl": 1200}, 0, 5000, 600, None, id="a_period_goes_on_after_the_maximum"),
        pytest.param({"period": 3600, "max_ttl": 1200}, 0, 0, 1200, "20m", id="a_period_is_cut_to_the_roles_maximum"),
        pytest.param({"period": 3600, "max_ttl": 1200}, 0, 5000, 1200, "20m", id="and_so_is_each_renewal"),
        pytest.param({"period": 2 * DAY}, 0, 0, DAY, "24h", id="a_period_is_cut_to_the_mounts_maximum"),
        pytest.param({"period": 600, "explicit_max": 900}, 0, 0, 600, None, id="an_explicit_maximum_lets_a_period_be"),
        pytest.param({"period": 600, "explicit_max": 900}, 0, 600, 300, "5m", id="until_it_is_near"),
        pytest.param({"period": 9 * DAY, "explicit_max": 900}, 0, 0, 900, "15m", id="one_warning_for_two_maxima"),
        pytest.param({"ttl": 600, "max_ttl": 1200}, 0, 900, 300, "5m", id="a_maximum_counts_from_the_start"),
        pytest.param({"ttl": 600, "max_ttl": 9 * DAY}, 3 * DAY, 0, DAY, "24h", id="the_mounts_maximum_is_above_all"),
    ],
)
def test_what_is_granted(limits: dict[str, Any], asked: int, age: int, seconds: int, cut_to: str | None) -> None:
    granted, warnings = grant(Limits(3600, DAY, **limits), asked=asked, now=1000 + age, issued=1000)
    assert granted == seconds
    assert [warning.partition("max_ttl of ")[2].split(";")[0] for warning in warnings] == (
        [] if cut_to is None else [f'"{cut_to}"']
    )


async def test_a_root_token_with_an_explicit_maximum_lives_as_long_without_a_warning(live: Live) -> None:
    made = await live.post("auth/token/create", {"explicit_max_ttl": "20m"})
    assert (made.auth["policies"], made.auth["lease_duration"]) == (["root"], 1200)
    assert made.body["warnings"] is None


@pytest.mark.parametrize(
    ("ttl", "seconds"),
    [
        pytest.param("500ms", 1, id="half_a_second"),
        pytest.param("1ns", 1, id="next_to_nothing"),
        pytest.param("0s", 768 * 3600, id="none"),
        pytest.param("", 768 * 3600, id="an_empty_one"),
        pytest.param(None, 768 * 3600, id="a_null"),
    ],
)
async def test_less_than_a_second_is_not_the_default(live: Live, ttl: str | None, seconds: int) -> None:
    made = await live.post("auth/token/create", {"policies": ["default"], "ttl": ttl})
    assert made.auth["lease_duration"] == seconds
