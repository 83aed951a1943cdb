import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom_common.durations import go_duration, parse_duration, short_duration


@pytest.mark.parametrize(
    ("raw", "seconds"),
    [
        pytest.param(90, 90, id="a_number"),
        pytest.param(1.5, 1.5, id="a_fraction"),
        pytest.param("", 0, id="nothing"),
        pytest.param("90", 90, id="digits"),
        pytest.param("-90", -90, id="negative_digits"),
        pytest.param("1m30s", 90, id="two_units"),
        pytest.param("1m1m", 120, id="a_unit_twice"),
        pytest.param("-1h", -3600, id="negative_units"),
        pytest.param("+1h", 3600, id="a_plus"),
        pytest.param("1.5h", 5400, id="a_part_of_a_unit"),
        pytest.param(".5h", 1800, id="no_digit_before_the_point"),
        pytest.param("5.h", 18000, id="no_digit_after_the_point"),
        pytest.param("2d", 172800, id="days"),
        pytest.param("250ms", 0.25, id="milliseconds"),
        pytest.param("1500us", 0.0015, id="microseconds"),
        pytest.param("2µs", 2e-6, id="the_micro_sign"),
        pytest.param("2μs", 2e-6, id="the_letter_mu"),
        pytest.param("3ns", 3e-9, id="nanoseconds"),
    ],
)
def test_a_duration_is_read(raw, seconds):
    assert parse_duration(raw) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize(
    "raw",
    [" 90", "90 ", "1_0", "1.5", "1h1", "h", "1 h", "1H", "1d1h", "1.5d", "1h1d", "d", "1w", "--1", "1e3", "٣",
     "1h-30m", "9223372037", "106752d", "9" * 5000, 2**63, 1e300, True, None, [], {}],
)  # fmt: skip
def test_anything_else_is_no_duration(raw):
    with pytest.raises(ValueError, match="duration"):
        parse_duration(raw)


@pytest.mark.parametrize(
    ("seconds", "go", "short"),
    [
        (0, "0s", "0s"), (1, "1s", "1s"), (59.9, "59s", "59s"), (60, "1m0s", "1m"), (90, "1m30s", "1m30s"),
        (3600, "1h0m0s", "1h"), (3601, "1h0m1s", "1h0m1s"), (5400, "1h30m0s", "1h30m"), (2764800, "768h0m0s", "768h"),
        (-90, "-1m30s", "-1m30s"), (600, "10m0s", "10m"), (36000, "10h0m0s", "10h"),
    ],
)  # fmt: skip
def test_a_duration_is_printed(seconds, go, short):
    assert (go_duration(seconds), short_duration(seconds)) == (go, short)


@given(st.integers(-(10**9), 10**9))
def test_what_is_printed_reads_back(seconds):
    assert parse_duration(go_duration(seconds)) == seconds
    assert parse_duration(short_duration(seconds)) == seconds


@given(st.text() | st.text(st.sampled_from("0123456789.-+dhmsunµ ")))
def test_any_text_is_read_or_refused(text):
    try:
        parse_duration(text)
    except ValueError as error:
        assert "duration" in str(error)  # noqa: PT017 - whether it raises is chance here
