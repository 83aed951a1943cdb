"""The same texts to our reader and to OpenBao's: both must read, or both refuse."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strongroom_common.hcl import HclError, parse
from tests.bao import dev_server
from tests.strongroom_common.test_hcl import ACCEPTED, REFUSED

pytestmark = pytest.mark.peer

_READ_BUT_NO_POLICY = ("invalid key", "unknown type", "expected type", "doesn't match", "not supplied or empty")
_STRICTER = {  # hcl v1 drops the item, looks at the value only when it is used, or has no limit
    "a_key_whose_value_was_cut_off", "a_number_of_5000_digits", "an_octal_escape_above_a_byte",
    "an_escape_beyond_unicode", "lists_nested_too_deeply", "blocks_nested_too_deeply",
}  # fmt: skip


def _hcl_only(cases):
    """Leave JSON out: the peer's reader of it takes much that is none, and refuses some that is (``\\/``, nulls)."""
    return [
        pytest.param(case.values[0], id=case.id)
        for case in cases
        if case.id not in _STRICTER and not case.values[0].lstrip().startswith("{")
    ]


@pytest.fixture(scope="module")
def bao():
    with dev_server() as peer:
        yield peer


def _bao_reads(bao, text):
    status, answer = bao.call("PUT", "sys/policies/acl/t", {"policy": text})
    return status == 204 or (status == 400 and any(reason in str(answer) for reason in _READ_BUT_NO_POLICY))


def _we_read(text):
    try:
        parse(text)
    except HclError as error:
        return "Unknown token: EOF" in error.message and None  # None: the item cut off, which hcl v1 drops
    return True


@pytest.mark.parametrize("text", _hcl_only(ACCEPTED))
def test_both_read(bao, text):
    assert _we_read(text)
    assert _bao_reads(bao, text)


@pytest.mark.parametrize("text", _hcl_only(REFUSED))
def test_both_refuse(bao, text):
    assert not _we_read(text)
    assert not _bao_reads(bao, text)


_words = st.sampled_from(
    ["a", "path", '"a"', "{", "}", "[", "]", ",", "=", "1", "0x1", "1.5", "-2", "true", "\n", " ", "# c\n", "/* c */",
     '"\\n"', '"${"x"}"', "<<E\nx\nE\n", "<<-E\n  x\n  E\n", "a = 1\n", 'b "c" {', "l = [1, 2]\n", "}\n", "a.b = "]
)  # fmt: skip


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(_words, max_size=12))
def test_both_agree_on_any_words(bao, words):
    text = " ".join(words) + "\n"
    we_read = _we_read(text)
    if not text.lstrip().startswith("{") and we_read is not None:
        assert we_read == _bao_reads(bao, text), text
