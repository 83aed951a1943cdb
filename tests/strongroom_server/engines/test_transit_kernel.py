"""The kernel of batches, compiled and in Python: one table over both, and both over the same random columns."""

import base64
import json
import os
import sys
import tracemalloc
from types import ModuleType
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import example, given, settings
from hypothesis import strategies as st

from strongroom_server.engines.transit import kernel, plain_kernel

try:
    from strongroom_server.engines.transit import _kernel
except ImportError:
    _kernel = None  # type: ignore[assignment]

KINDS = {"aes256-gcm96": 32, "aes128-gcm96": 16, "chacha20-poly1305": 32}
KERNELS = [
    pytest.param(plain_kernel, id="in_python"),
    pytest.param(_kernel, id="compiled", marks=pytest.mark.skipif(_kernel is None, reason="it is not compiled here")),
]
REFUSED = (AttributeError, InvalidTag, TypeError, ValueError)
KEY, NONCE = bytes(range(32)), bytes(range(12))
A = base64.b64encode(b"a").decode()
HEAD = "vault:v1:"
JOINED, LINES, FRAME = (b"", b",", b""), (b"", b"\n", b""), (b"[", b"|", b"]")
compiled = pytest.mark.skipif(_kernel is None, reason="it is not compiled here")
"""Where there is no compiler, the other half of these tests is what is used."""


def in_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def sealed(plaintexts: list[bytes], kind: str = "aes256-gcm96") -> list[str]:
    """Ciphertexts by the specification, each with a nonce of its own."""
    nonces = b"".join(number.to_bytes(12) for number in range(len(plaintexts)))
    texts = plain_kernel.seal(kind, KEY[: KINDS[kind]], nonces, [*map(in_base64, plaintexts)], JOINED).decode()
    return [HEAD + text for text in texts.split(",")] if plaintexts else []


def result(call: Any, *given: Any) -> Any:
    """What a kernel answers; None where it refuses."""
    try:
        return call(*given)
    except REFUSED:
        return None


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(
    ("kind", "plaintext", "text_and_tag"),
    [  # The Galois/Counter Mode of Operation (McGrew, Viega), appendix B: cases 1, 2, 13, 14; all of key and nonce is 0
        pytest.param("aes128-gcm96", "", "58e2fccefa7e3061367f1d57a4e7455a", id="case_1"),
        pytest.param("aes128-gcm96", "00" * 16, "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf",
                     id="case_2"),
        pytest.param("aes256-gcm96", "", "530f8afbc74536b9a963b4f1c4cb738b", id="case_13"),
        pytest.param("aes256-gcm96", "00" * 16, "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919",
                     id="case_14"),
    ],
)  # fmt: skip
def test_known_answers(kernel: ModuleType, kind: str, plaintext: str, text_and_tag: str) -> None:
    key, nonce, text = bytes(KINDS[kind]), bytes(12), in_base64(bytes.fromhex(plaintext))
    expected = in_base64(nonce + bytes.fromhex(text_and_tag))
    assert kernel.seal(kind, key, nonce * 2, [text, text], FRAME).decode() == f"[{expected}|{expected}]"
    assert kernel.unseal(kind, key, "h:", [f"h:{expected}"] * 2, FRAME).decode() == f"[{text}|{text}]"


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("A", id="one_sign"),
        pytest.param("AA", id="no_padding"),
        pytest.param("AAA", id="half_the_padding_missing"),
        pytest.param("AA=", id="half_the_padding"),
        pytest.param("A===", id="three_signs_of_padding"),
        pytest.param("====", id="padding_alone"),
        pytest.param("AAAA=", id="padding_after_a_whole_text"),
        pytest.param("AAAA==", id="two_signs_of_padding_after_a_whole_text"),
        pytest.param("AAAA====", id="four_signs_of_padding_after_a_whole_text"),
        pytest.param("AA==AAAA", id="padding_within"),
        pytest.param("AA=A", id="padding_before_the_end"),
        pytest.param("=AAA", id="padding_first"),
        pytest.param("AA A", id="a_blank"),
        pytest.param("AAAA\n", id="a_line_end_after_it"),
        pytest.param("AA\nAA", id="a_line_end_within"),
        pytest.param("AA-_", id="the_alphabet_of_urls"),
        pytest.param("AAA\0", id="a_zero_byte"),
        pytest.param("AAAé", id="a_letter_beyond_ascii"),
        pytest.param("\ud800AAA", id="half_a_surrogate_pair"),
        pytest.param("AA😀", id="an_emoji"),
        pytest.param(5, id="a_number"),
        pytest.param(None, id="null"),
        pytest.param(True, id="true"),
        pytest.param([], id="a_list"),
        pytest.param({}, id="an_object"),
    ],
)
def test_what_is_no_base64_is_refused(kernel: ModuleType, text: Any) -> None:
    for column in ([text], ["AAAA", text], [text, "AAAA"]):
        assert result(kernel.seal, "aes256-gcm96", KEY, bytes(12 * len(column)), column, JOINED) is None
        assert result(kernel.unseal, "aes256-gcm96", KEY, "", column, JOINED) is None
    if isinstance(text, str):
        assert result(kernel.unseal, "aes256-gcm96", KEY, HEAD, [*sealed([b"x"]), HEAD + text], JOINED) is None


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("kind", KINDS)
def test_bits_that_padding_leaves_over_do_not_matter(kernel: ModuleType, kind: str) -> None:
    """As in Go, whose StdEncoding is not strict."""
    key = KEY[: KINDS[kind]]
    assert kernel.seal(kind, key, NONCE, ["QR=="], JOINED) == kernel.seal(kind, key, NONCE, ["QQ=="], JOINED)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda text: text[:-4], id="cut_off"),
        pytest.param(lambda text: text + "AAAA", id="longer"),
        pytest.param(lambda text: text[:20] + ("A" if text[20] != "A" else "B") + text[21:], id="another_nonce"),
        pytest.param(lambda text: text[:30] + ("A" if text[30] != "A" else "B") + text[31:], id="another_text"),
        pytest.param(lambda text: text[:-3] + ("A" if text[-3] != "A" else "B") + text[-2:], id="another_tag"),
        pytest.param(lambda text: text[9:], id="no_version"),
        pytest.param(lambda text: "vault:v2:" + text[9:], id="another_version"),
        pytest.param(lambda text: text[:9], id="nothing_but_the_version"),
        pytest.param(lambda text: text[:5], id="less_than_the_version"),
        pytest.param(lambda text: text[:9] + in_base64(bytes(27)), id="too_short_for_nonce_and_tag"),
        pytest.param(lambda text: text[:9] + in_base64(bytes(28)), id="just_long_enough_for_nonce_and_tag"),
    ],
)
def test_one_ciphertext_that_is_not_right_refuses_the_column(kernel: ModuleType, damage: Any) -> None:
    good = sealed([b"text one", b"text two", b""])
    for index in range(3):
        column = [*good]
        column[index] = damage(column[index])
        assert result(kernel.unseal, "aes256-gcm96", KEY, HEAD, column, JOINED) is None
    assert result(kernel.unseal, "aes256-gcm96", bytes(32), HEAD, good, JOINED) is None


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(
    ("kind", "key", "nonces"),
    [
        pytest.param("aes256-gcm96", KEY[:31], NONCE, id="a_key_that_is_too_short"),
        pytest.param("chacha20-poly1305", KEY + b"x", NONCE, id="a_key_that_is_too_long"),
        pytest.param("aes256-gcm96", KEY, b"", id="no_nonce"),
        pytest.param("aes256-gcm96", KEY, NONCE[:11], id="a_short_nonce"),
        pytest.param("aes256-gcm96", KEY, NONCE * 2, id="a_nonce_too_many"),
        pytest.param("rsa-2048", KEY, NONCE, id="a_kind_that_has_no_secret"),
        pytest.param("", KEY, NONCE, id="no_kind"),
    ],
)
def test_keys_and_nonces_are_checked(kernel: ModuleType, kind: str, key: bytes, nonces: bytes) -> None:
    assert result(kernel.seal, kind, key, nonces, [A], JOINED) is None


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "plaintexts",
    [
        pytest.param([], id="none"),
        pytest.param([b""], id="an_empty_one"),
        pytest.param([b"x" * length for length in range(70)], id="every_length"),
        pytest.param([b"x" * (1 << 20), b"", b"y" * 3], id="a_huge_one"),
        pytest.param([b"hello"] * 10_000, id="as_many_as_a_request_may_have"),
    ],
)
def test_there_and_back(kernel: ModuleType, kind: str, plaintexts: list[bytes]) -> None:
    key, texts = KEY[: KINDS[kind]], [*map(in_base64, plaintexts)]
    nonces = os.urandom(12 * len(texts))
    joined = kernel.seal(kind, key, nonces, texts, LINES)
    assert joined == plain_kernel.seal(kind, key, nonces, texts, LINES)
    ciphertexts = [HEAD + text for text in joined.decode().split("\n")] if texts else []
    assert kernel.unseal(kind, key, HEAD, ciphertexts, FRAME) == f"[{'|'.join(texts)}]".encode()


@compiled
@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=60).map(in_base64), st.text("AQgw=+/-\n é", max_size=9)), max_size=6),
       st.sampled_from(sorted(KINDS)), st.tuples(*[st.binary(max_size=5)] * 3))  # fmt: skip
@example(["AAAA="], "aes256-gcm96", JOINED)
def test_both_seal_alike(texts: list[str], kind: str, frame: tuple[bytes, bytes, bytes]) -> None:
    given_ = (kind, KEY[: KINDS[kind]], os.urandom(12 * len(texts)), texts, frame)
    assert result(_kernel.seal, *given_) == result(plain_kernel.seal, *given_)


@compiled
@settings(max_examples=150, deadline=None)
@given(st.lists(st.binary(max_size=40), min_size=1, max_size=6), st.sampled_from(sorted(KINDS)), st.data())
def test_both_open_alike(plaintexts: list[bytes], kind: str, data: st.DataObject) -> None:
    column = sealed(plaintexts, kind)
    if data.draw(st.booleans()):
        index = data.draw(st.integers(0, len(column) - 1))
        at = data.draw(st.integers(0, len(column[index])))
        column[index] = column[index][:at] + data.draw(st.text("AB=:v1é\n", max_size=3)) + column[index][at + 1 :]
    given_ = (kind, KEY[: KINDS[kind]], HEAD, column, JOINED)
    assert result(_kernel.unseal, *given_) == result(plain_kernel.unseal, *given_)


@compiled
def test_nothing_is_held_longer_than_a_call() -> None:
    texts: list[Any] = [in_base64(os.urandom(40)) for _ in range(50)]
    bad, ciphertexts = [*texts, "!"], sealed([b"x" * 30] * 50)

    def all_ways() -> None:
        _kernel.seal("aes256-gcm96", KEY, bytes(600), texts, JOINED)
        _kernel.unseal("aes256-gcm96", KEY, HEAD, ciphertexts, JOINED)
        for column in (bad, [*texts, 5]):
            assert result(_kernel.seal, "aes256-gcm96", KEY, bytes(612), column, JOINED) is None
        assert result(_kernel.unseal, "aes256-gcm96", KEY, HEAD, [*ciphertexts, texts[0]], JOINED) is None
        assert result(_kernel.unseal, "aes256-gcm96", KEY, HEAD, [*ciphertexts, ciphertexts[0][:-4]], JOINED) is None

    all_ways()
    counts = [sys.getrefcount(value) for value in (*texts, *ciphertexts, KEY)]
    tracemalloc.start()
    try:
        all_ways()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(100):
            all_ways()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 100_000  # the results of a hundred turns would be a million bytes
    assert [sys.getrefcount(value) for value in (*texts, *ciphertexts, KEY)] == counts


def test_one_of_the_two_is_chosen() -> None:
    assert kernel.seal is (plain_kernel if _kernel is None else _kernel).seal
    assert kernel.unseal is (plain_kernel if _kernel is None else _kernel).unseal


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_joined_column_can_be_json(kernel: ModuleType) -> None:
    frame = (b'[{"ciphertext":"vault:v1:', b'"},{"ciphertext":"vault:v1:', b'"}]')
    raw = kernel.seal("aes256-gcm96", KEY, NONCE * 3, [A, "", A], frame)
    ciphertexts = [item["ciphertext"] for item in json.loads(raw)]
    assert kernel.unseal("aes256-gcm96", KEY, HEAD, ciphertexts, JOINED) == f"{A},,{A}".encode()
