import stat

import pytest

from strongroom_common import tokenfile


def test_what_was_stored_is_loaded(tmp_path):
    environ = {"HOME": str(tmp_path)}
    assert tokenfile.load(environ) == ""
    tokenfile.store(environ, "hvs.x")
    assert tokenfile.load(environ) == "hvs.x"
    assert stat.S_IMODE((tmp_path / ".vault-token").stat().st_mode) == 0o600
    tokenfile.erase(environ)
    tokenfile.erase(environ)
    assert tokenfile.load(environ) == ""


def test_storing_again_replaces_a_file_that_others_could_read(tmp_path):
    old = tmp_path / ".vault-token"
    old.write_text("old")
    old.chmod(0o644)
    tokenfile.store({"HOME": str(tmp_path)}, "new")
    assert (old.read_text(), stat.S_IMODE(old.stat().st_mode)) == ("new", 0o600)
    assert list(tmp_path.iterdir()) == [old]


def test_blanks_around_the_token_do_not_count(tmp_path):
    (tmp_path / ".vault-token").write_text("hvs.x\n")
    assert tokenfile.load({"HOME": str(tmp_path)}) == "hvs.x"


def test_a_path_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(tokenfile.TokenFileError, match="token file /none/"):
        tokenfile.store({"HOME": "/none"}, "x")


def test_a_helper_program_takes_over(tmp_path):
    helper = tmp_path / "helper"
    helper.write_text(
        "#!/bin/sh\ncase $1 in get) cat kept;; store) cat >kept;; erase) rm kept;; esac\n".replace(
            "kept", f"{tmp_path}/kept"
        )
    )
    helper.chmod(0o700)
    (tmp_path / ".vault").write_text(f'token_helper = "{helper}"\n')
    environ = {"HOME": str(tmp_path)}
    tokenfile.store(environ, "hvs.x")
    assert tokenfile.load(environ) == "hvs.x"
    assert not (tmp_path / ".vault-token").exists()
    tokenfile.erase(environ)
    with pytest.raises(tokenfile.TokenFileError, match="helper"):
        tokenfile.load(environ)
