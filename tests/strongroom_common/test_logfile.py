"""Log files: where they are, when a new one is begun, which old ones are kept."""

import logging
import stat
from pathlib import Path

import pytest

from strongroom_common import logs
from strongroom_common.logfile import LogFile, RotatingFile


def record(text: str, when: float) -> logging.LogRecord:
    made = logging.LogRecord("part", logging.INFO, "", 0, text, None, None)
    made.created = when
    return made


def write(handler: RotatingFile, *records: tuple[str, float]) -> None:
    for text, when in records:
        handler.emit(record(text, when))
    handler.close()


def texts(folder: Path) -> list[list[str]]:
    """Return the lines of each file, the present one last."""
    files = sorted(folder.iterdir(), key=lambda path: (path.stem == "program", path.name))
    return [path.read_text().splitlines() for path in files]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        pytest.param({}, [["a", "b", "c", "d"]], id="one_file_without_rules"),
        pytest.param({"size": 4}, [["a", "b"], ["c", "d"]], id="a_new_one_when_the_old_is_too_long"),
        pytest.param({"size": 1}, [["a"], ["b"], ["c"], ["d"]], id="a_record_longer_than_allowed_has_a_file_alone"),
        pytest.param({"seconds": 10}, [["a", "b"], ["c", "d"]], id="a_new_one_when_the_old_is_too_old"),
        pytest.param({"size": 1, "keep": 2}, [["b"], ["c"], ["d"]], id="so_many_finished_ones_are_kept"),
        pytest.param({"size": 1, "keep": -1}, [["d"]], id="none_is_kept"),
    ],
)
def test_rotation(rules: dict[str, int], expected: list[list[str]], tmp_path: Path) -> None:
    handler = LogFile(f"{tmp_path}/", **rules).handler("program")
    write(handler, ("a", 1000.0), ("b", 1005.0), ("c", 1010.0), ("d", 1011.0))
    assert texts(tmp_path) == expected


def test_a_path_without_a_slash_is_the_file_and_only_the_group_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "server.log"
    write(LogFile(str(path)).handler("program"), ("a", 1.0))
    assert path.read_text() == "a\n"
    assert stat.S_IMODE(path.stat().st_mode) & 0o137 == 0


def test_a_file_that_was_moved_away_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    handler = LogFile(str(path)).handler("program")
    handler.emit(record("before", 1.0))
    path.rename(tmp_path / "old")
    handler.emit(record("still", 2.0))
    handler.reopen()
    write(handler, ("after", 3.0))
    assert ((tmp_path / "old").read_text(), path.read_text()) == ("before\nstill\n", "after\n")


def test_a_log_goes_to_both_places_from_its_level_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "server.log"
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    handler = LogFile(str(path)).handler("program")
    try:
        logs.configure("warn", "json", file=handler)
        logging.getLogger("part").info("quiet")
        logging.getLogger("part").warning("loud")
        logs.set_level("info")
        logging.getLogger("part").info("heard")
    finally:
        root.handlers[:], root.level = before, level
        handler.close()
    assert path.read_text() == capsys.readouterr().err
    assert [word in path.read_text() for word in ("quiet", "loud", "heard")] == [False, True, True]
