"""HMAC-SHA256, by the vectors of RFC 4231 and against Python's own."""

import hashlib
import hmac

import pytest

from strongroom_server.lib.keyed_hash import KeyedHash


@pytest.mark.parametrize(
    ("key", "message", "code"),
    [
        pytest.param(b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
                     id="case_1"),
        pytest.param(b"Jefe", b"what do ya want for nothing?",
                     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", id="case_2_a_short_key"),
        pytest.param(b"\xaa" * 131, b"Test Using Larger Than Block-Size Key - Hash Key First",
                     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54", id="case_6_a_long_key"),
    ],
)  # fmt: skip
def test_known_codes(key: bytes, message: bytes, code: str) -> None:
    assert KeyedHash(key).digest(message).hex() == code


@pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 200])
def test_one_key_serves_many_messages(length: int) -> None:
    key = bytes(range(length))
    hashed = KeyedHash(key)
    for message in (b"", b"a", b"b" * 1000):
        assert hashed.digest(message) == hmac.digest(key, message, hashlib.sha256)
