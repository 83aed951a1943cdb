"""The command line of the server: what Go's flags take, and a reason for what there is not."""

import pytest

from strongroom_server import flags


@pytest.mark.parametrize(
    ("words", "on"),
    [
        pytest.param(["-dev"], True, id="a_switch"),
        pytest.param(["--dev=true"], True, id="with_its_value"),
        pytest.param(["-dev=0"], False, id="off"),
        pytest.param(["-dev-tls=T"], True, id="tls_means_dev"),
        pytest.param(["-config=x"], False, id="unsaid"),
    ],
)
def test_switches_take_a_value(words: list[str], on: bool) -> None:
    assert flags.parse(words, {}).dev is on


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        pytest.param(["-dev=maybe"], 1, "expected true or false", id="no_truth"),
        pytest.param(["-recovery"], 1, "there is no recovery mode", id="recovery"),
        pytest.param(["-dev-ha"], 1, "serves one node", id="several_nodes"),
        pytest.param(["-nonsense"], 1, "unrecognized arguments: -nonsense", id="unknown"),
        pytest.param(["-help"], 0, "-dev-no-store-token", id="help"),
        pytest.param(["--help"], 0, "-dev-no-store-token", id="help_with_two"),
        pytest.param(["-h"], 0, "-dev-no-store-token", id="help_in_short"),
    ],
)
def test_what_ends_at_once(words: list[str], code: int, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        flags.parse(words, {})
    told = capsys.readouterr()
    assert (ended.value.code, says in told.out + told.err) == (code, True)
