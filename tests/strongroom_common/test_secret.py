import json
import pickle

import pytest

from strongroom_common.secret import Secret


def test_a_secret_shows_only_that_it_is_one():
    secret = Secret("hunter2")
    for text in (repr(secret), str(secret), f"{secret}", f"{[secret]}", "%s" % (secret,)):  # noqa: UP031
        assert "hunter2" not in text
    assert secret.reveal() == "hunter2"


def test_a_secret_is_not_written_by_accident():
    with pytest.raises(TypeError):
        json.dumps(Secret("hunter2"))
    assert not hasattr(Secret("x"), "__dict__")


def test_secrets_are_equal_by_value_and_never_equal_to_a_plain_one():
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert Secret(b"a") == Secret(b"a")
    assert Secret("é") == Secret("é")
    assert {Secret("a"), Secret("a")} == {Secret("a")}


def test_an_empty_secret_is_false():
    assert not Secret("")
    assert Secret("x")


def test_a_secret_survives_a_copy_between_processes():
    assert pickle.loads(pickle.dumps(Secret("x"))) == Secret("x")
