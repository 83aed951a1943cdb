import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from strongroom_agent import files


def _mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_replaced_in_one_step(tmp_path):
    path = tmp_path / "deep" / "er" / "f"
    assert files.write(str(path), b"a") is True
    with path.open() as old:
        assert files.write(str(path), b"b") is True
        assert old.read() == "a"  # whoever has the old file open keeps it whole
    assert path.read_bytes() == b"b"
    assert [each.name for each in path.parent.iterdir()] == ["f"]


def test_a_file_may_have_two_writers(tmp_path):
    path, many = tmp_path / "f", [bytes([letter]) * 5000 for letter in b"abcd"] * 20
    with ThreadPoolExecutor(4) as writers:
        list(writers.map(lambda data: files.write(str(path), data), many))
    assert path.read_bytes() in many
    assert [each.name for each in tmp_path.iterdir()] == ["f"]


def test_the_same_content_is_not_written_again(tmp_path):
    path = tmp_path / "f"
    files.write(str(path), b"a")
    before = path.stat()
    assert files.write(str(path), b"a") is False
    assert path.stat().st_ino == before.st_ino


@pytest.mark.parametrize(
    ("given", "old", "expected"),
    [
        pytest.param(None, None, 0o644, id="new_files_can_be_read"),
        pytest.param(None, 0o600, 0o600, id="a_files_own_mode_is_kept"),
        pytest.param(0o640, 0o600, 0o640, id="a_given_mode_wins"),
    ],
)
def test_modes(tmp_path, given, old, expected):
    path = tmp_path / "f"
    if old is not None:
        path.write_bytes(b"x")
        path.chmod(old)
    umask = os.umask(0o077)
    try:
        files.write(str(path), b"y", mode=given)
    finally:
        os.umask(umask)
    assert _mode(path) == expected


def test_a_changed_mode_alone_is_no_changed_content(tmp_path):
    path = tmp_path / "f"
    files.write(str(path), b"a", mode=0o644)
    assert files.write(str(path), b"a", mode=0o600) is False
    assert _mode(path) == 0o600


def test_a_backup_keeps_the_old_content_and_mode(tmp_path):
    path = tmp_path / "f"
    files.write(str(path), b"a", mode=0o600, backup=True)
    assert not (tmp_path / "f.bak").exists()
    files.write(str(path), b"b", backup=True)
    assert (tmp_path / "f.bak").read_bytes() == b"a"
    assert _mode(tmp_path / "f.bak") == 0o600


def test_folders_are_not_made_when_that_was_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        files.write(str(tmp_path / "no" / "f"), b"a", folders=False)


def test_a_failed_write_leaves_nothing(tmp_path):
    (tmp_path / "f").mkdir()
    with pytest.raises(OSError, match="f"):
        files.write(str(tmp_path / "f"), b"a")
    assert [each.name for each in tmp_path.iterdir()] == ["f"]


def test_an_unknown_owner_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="no-such-user"):
        files.write(str(tmp_path / "f"), b"a", user="no-such-user")
