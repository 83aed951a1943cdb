from typing import Any

import pytest

from strongroom_common.fields import Seconds, parse
from strongroom_server.engines.pki.lifetimes import Frame, Wish, lifetime, parse_time
from strongroom_server.engines.pki.role import Role
from strongroom_server.sdk.errors import InvalidRequest

NOW = 1_700_000_000.0
HOUR = 3600
FRAME = Frame(NOW, 768 * HOUR, 8760 * HOUR)


def end(wish: Wish, frame: Frame = FRAME, **fields: Any) -> float:
    return lifetime(wish, parse(Role, fields).value, frame).end - NOW


@pytest.mark.parametrize(("wish", "fields", "expected"), [
    pytest.param(Wish(), {}, 768 * HOUR, id="the_mount_s_default"),
    pytest.param(Wish(), {"ttl": "2h"}, 2 * HOUR, id="the_role_s"),
    pytest.param(Wish(ttl=HOUR), {"ttl": "2h"}, HOUR, id="what_is_asked_for"),
    pytest.param(Wish(ttl=9 * HOUR), {"max_ttl": "3h"}, 3 * HOUR, id="not_more_than_the_role_s_longest"),
    pytest.param(Wish(), {"max_ttl": "3h"}, 3 * HOUR, id="nor_by_default"),
    pytest.param(Wish(ttl=9999 * HOUR), {}, 8760 * HOUR, id="nor_more_than_the_mount_s"),
    pytest.param(Wish(), {"not_after": "2023-11-15T00:00:00Z"}, 6400, id="the_role_s_date"),
    pytest.param(Wish(not_after="2023-11-15T01:00:00+01:00"), {}, 6400, id="a_date_of_another_zone"),
    pytest.param(Wish(not_after="2024-11-15T00:00:00Z"), {"max_ttl": "1h"}, HOUR, id="a_date_does_not_break_max_ttl"),
])  # fmt: skip
def test_a_certificate_ends(wish: Wish, fields: dict[str, Any], expected: float) -> None:
    assert end(wish, **fields) == expected


@pytest.mark.parametrize(("wish", "fields", "message"), [
    pytest.param(Wish(HOUR, "2024-01-01T00:00:00Z"), {}, "Either ttl or not_after", id="ttl_and_date"),
    pytest.param(Wish(HOUR), {"not_after": "2024-01-01T00:00:00Z"}, "Either ttl or not_after", id="ttl_and_role_date"),
    pytest.param(Wish(not_after="soon"), {}, "parsing time", id="no_date"),
    pytest.param(Wish(not_after="2024-01-01"), {}, "parsing time", id="a_day_alone"),
    pytest.param(Wish(not_after="2020-01-01T00:00:00Z"), {}, "is later than", id="a_date_that_is_over"),
    pytest.param(Wish(not_after="2024-01-01T00:00:00Z"), {"not_after_bound": "forbid"}, "to forbid", id="forbidden"),
    pytest.param(Wish(not_after="2024-01-01T00:00:00Z"), {"not_after_bound": "ttl-limited", "ttl": "1h"},
                 "beyond the TTL of 1h0m0s", id="beyond_the_ttl"),
    pytest.param(Wish(not_after="2024-01-01T00:00:00Z"), {"not_after_bound": "2023-12-01T00:00:00Z"},
                 "beyond the maximum timestamp", id="beyond_the_bound"),
    pytest.param(Wish(not_before="2023-01-01T00:00:00Z"), {"not_before_bound": "duration"}, "older than", id="early"),
    pytest.param(Wish(not_before="2023-01-01T00:00:00Z"), {"not_before_bound": "forbid"}, "set to forbid",
                 id="start_forbidden"),
])  # fmt: skip
def test_what_cannot_be_is_refused(wish: Wish, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        end(wish, **fields)


def test_beyond_the_issuer_s_end_it_depends() -> None:
    near = FRAME._replace(issuer_end=NOW + 2 * HOUR, behavior="err")
    assert end(Wish(HOUR), near) == HOUR
    assert end(Wish(5 * HOUR), near._replace(behavior="truncate")) == 2 * HOUR
    assert end(Wish(5 * HOUR), near._replace(behavior="permit")) == 5 * HOUR
    with pytest.raises(InvalidRequest, match="TTL would result in notAfter of 2023-11-15T03"):
        end(Wish(5 * HOUR), near)
    with pytest.raises(InvalidRequest, match="beyond the expiration of the CA certificate"):
        end(Wish(HOUR), near._replace(issuer_end=NOW - 1, behavior="truncate"))


def test_a_certificate_starts_a_little_earlier() -> None:
    role = Role(not_before_duration=Seconds(30))
    assert lifetime(Wish(), role, FRAME).start == NOW - 30
    assert lifetime(Wish(not_before="2023-11-14T00:00:00Z"), role, FRAME).start == parse_time("2023-11-14T00:00:00Z")
