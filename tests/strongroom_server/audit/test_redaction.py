import dataclasses
import hashlib
import hmac
from typing import Any

import msgspec
import pytest

from strongroom_common.jsonx import Number
from strongroom_common.secret import Secret
from strongroom_server.audit.redaction import Redaction
from strongroom_server.sdk.errors import AuditError

SALT = b"salt of the device"
RULE = Redaction(SALT)


def hashed(text: str) -> str:
    return "hmac-sha256:" + hmac.new(SALT, text.encode(), hashlib.sha256).hexdigest()


@dataclasses.dataclass
class Plain:
    name: str
    number: int


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param({"s": "x"}, {"s": hashed("x")}, id="a_string"),
        pytest.param({"s": ""}, {"s": hashed("")}, id="an_empty_string"),
        pytest.param({"ü": "ü\n🔑"}, {"ü": hashed("ü\n🔑")}, id="names_stay"),
        pytest.param({"n": 42, "b": True, "z": None}, {"b": True, "n": 42, "z": None}, id="what_is_no_string_stays"),
        pytest.param({"n": Number("1.50")}, {"n": Number("1.50")}, id="an_exact_number_stays_a_number"),
        pytest.param({"n": 9007199254740993}, {"n": 9007199254740993}, id="a_large_integer_stays_exact"),
        pytest.param(
            {"a": ["x", 1, {"b": ["y"]}], "t": ("z",)},
            {"a": [hashed("x"), 1, {"b": [hashed("y")]}], "t": [hashed("z")]},
            id="any_depth",
        ),
        pytest.param({"r": msgspec.Raw(b'{"a":["x",1.50]}')}, {"r": {"a": [hashed("x"), "1.50"]}}, id="kept_json"),
        pytest.param({"s": Secret("x")}, {"s": hashed("x")}, id="a_secret"),
        pytest.param({"o": Plain("x", 1)}, {"o": {"name": hashed("x"), "number": 1}}, id="a_dataclass"),
        pytest.param({"b": b"PEM"}, {"b": hashed("PEM")}, id="a_raw_body"),
        pytest.param({"b": b"\xff"}, {"b": hashed("\ufffd")}, id="a_binary_body"),
        pytest.param({"s": "hmac-sha256:00"}, {"s": hashed("hmac-sha256:00")}, id="a_string_that_looks_hashed"),
        pytest.param({"s": "\ud800"}, {"s": RULE.hash("\ud800")}, id="half_a_character"),
        pytest.param({}, {}, id="nothing"),
        pytest.param(None, None, id="null"),
    ],
)
def test_strings_are_hashed_and_nothing_else(value: Any, shown: Any):
    assert RULE.data(value) == shown


def test_names_come_in_order():
    assert list(RULE.data({"b": 1, "a": {"d": 1, "c": 2}})) == ["a", "b"]
    assert list(RULE.data({"b": 1, "a": {"d": 1, "c": 2}})["a"]) == ["c", "d"]


@pytest.mark.parametrize(
    ("text", "clear"),
    [
        ("2026-11-25T17:52:05Z", True),
        ("2026-11-25T17:52:05.123456789Z", True),
        ("2026-11-25T17:52:05+02:00", True),
        ("2026-11-25", False),
        ("2026-11-25 17:52:05", False),
        ("2026-11-25t17:52:05z", False),
        ("2026-13-25T17:52:05Z", False),
        ("2026-11-25T24:52:05Z", False),
        ("2026-11-25T17:52:60Z", False),
        ("2026-11-25T17:52:05+0200", False),
        ("2026-11-25T17:52:05+25:00", False),
        ("2026-11-25T17:52:05Z\n", False),
        ("2026-11-25T17:52:05Z secret", False),
        ("2026-11-25T17:52:05." + "1" * 60 + "Z", False),
        ("２026-11-25T17:52:05Z", False),
    ],
)
def test_only_times_stay_readable(text: str, clear: bool):
    assert RULE.data({"t": text}) == {"t": text if clear else RULE.hash(text)}


def test_exempted_fields_stay_readable_by_the_nearest_name():
    """As the peer: lists below the field too, maps below it not."""
    value = {"s": "x", "l": [["x"], {"m": "n"}], "nest": {"s": "x", "k": "z"}, "o": "y"}
    assert RULE.data(value, frozenset({"s", "l", "nest"})) == {
        "s": "x",
        "l": [["x"], {"m": hashed("n")}],
        "nest": {"s": "x", "k": hashed("z")},
        "o": hashed("y"),
    }


@pytest.mark.parametrize(
    ("options", "token", "accessor", "data"),
    [
        pytest.param({}, hashed("t"), hashed("a"), hashed("d"), id="default"),
        pytest.param({"hmac_accessor": "false"}, hashed("t"), "a", hashed("d"), id="accessors_clear"),
        pytest.param({"log_raw": "true"}, "t", "a", "d", id="raw"),
        pytest.param({"log_raw": "false", "path": "x"}, hashed("t"), hashed("a"), hashed("d"), id="others_ignored"),
    ],
)
def test_the_options_of_a_device(options: dict[str, str], token: str, accessor: str, data: str):
    rule = Redaction.of(SALT, options)
    assert (rule.secret("t"), rule.accessor("a"), rule.data("d")) == (token, accessor, data)
    assert rule.hash("t") == hashed("t")
    assert (rule.secret(""), rule.accessor("")) == ("", "")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"log_raw": "perhaps"}, '"log_raw": expected true or false', id="log_raw"),
        pytest.param({"hmac_accessor": "2"}, '"hmac_accessor": expected true or false', id="hmac_accessor"),
        pytest.param({"format": "jsonx"}, "format 'jsonx': expected json", id="format"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, str], message: str):
    with pytest.raises(AuditError, match=message):
        Redaction.of(SALT, options)


def test_the_salt_is_not_shown():
    assert "salt of" not in repr(RULE)
