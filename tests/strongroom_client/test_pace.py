import pytest

from strongroom_client import Client, SettingsError, Unreachable, from_environ
from strongroom_client.pace import Pace, Rate


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        pytest.param("10", Rate(10.0, 10), id="a_rate_is_its_own_burst"),
        pytest.param("10.5:3", Rate(10.5, 3), id="a_rate_and_a_burst"),
        pytest.param("0", None, id="nought_is_any"),
        pytest.param("-1", None, id="less_is_any"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_the_environment_says_how_fast(text: str, rate: Rate | None) -> None:
    assert from_environ({"VAULT_RATE_LIMIT": text}).rate == rate


@pytest.mark.parametrize("text", ["x", "10:", ":5", "10:x", "10:1.5", "nan", "inf"])
def test_what_is_no_rate_is_told(text: str) -> None:
    with pytest.raises(SettingsError, match="BAO_RATE_LIMIT: expected RATE or RATE:BURST"):
        from_environ({"BAO_RATE_LIMIT": text})


@pytest.mark.parametrize(
    ("rate", "pauses"),
    [
        pytest.param(Rate(2.0, 1), [0, 0.5, 0.5, 0.5], id="one_by_one"),
        pytest.param(Rate(2.0, 3), [0, 0, 0, 0.5], id="a_burst_first"),
        pytest.param(Rate(0.5, 0), [0, 2.0, 2.0, 2.0], id="no_burst_is_one"),
    ],
)
def test_requests_wait_for_their_turn(rate: Rate, pauses: list[float]) -> None:
    time, slept = [100.0], [0.0]

    def sleep(seconds: float) -> None:
        slept[0] = seconds
        time[0] += seconds

    pace, found = Pace(rate, sleep, lambda: time[0]), []
    for _ in pauses:
        slept[0] = 0.0
        pace.wait()
        found.append(slept[0])
    assert found == pytest.approx(pauses)
    time[0] += 1000
    slept[0] = 0.0
    pace.wait()
    assert slept == [0.0]


def test_a_client_keeps_the_pace() -> None:
    slept: list[float] = []
    environ = {"VAULT_ADDR": "http://127.0.0.1:1", "VAULT_RATE_LIMIT": "0.001:1", "VAULT_MAX_RETRIES": "1"}
    with Client(from_environ(environ), sleep=slept.append) as client, pytest.raises(Unreachable):
        client.read("sys/health")
    assert len([pause for pause in slept if pause > 100]) == 1
