"""A pid file never names a stranger."""

import os
from pathlib import Path

import pytest

from tools.cluster import processes


@pytest.mark.parametrize(
    ("content", "runs"),
    [
        pytest.param("{pid} {started}", True, id="the_process_that_was_started"),
        pytest.param("{pid} 1", False, id="another_process_with_the_same_pid"),
        pytest.param("4194999 1", False, id="a_process_that_is_gone"),
        pytest.param("", False, id="an_empty_file"),
    ],
)
def test_a_pid_file_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, runs: bool) -> None:
    started = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
    monkeypatch.setattr(processes, "RUN", tmp_path)
    (tmp_path / "one.pid").write_text(content.format(pid=os.getpid(), started=started))
    assert processes.is_running("one") is runs
