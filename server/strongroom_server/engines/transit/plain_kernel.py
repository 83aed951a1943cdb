"""What ``kernel.c`` does, in Python: for machines where that was not compiled, and as its specification.

Both raise for whatever is wrong, in a list of texts or with one of them, and do not say which: AttributeError,
InvalidTag, TypeError, ValueError. A frame is what stands before the results, between two, and after them.
"""

from binascii import b2a_base64
from collections.abc import Iterable
from struct import unpack
from typing import Any

from strongroom_server.engines.transit.material import NONCE, PLAIN_NONCES, aead
from strongroom_server.engines.transit.texts import strict_decode64

Frame = tuple[bytes, bytes, bytes]


def seal(kind: str, key: bytes, nonces: bytes, texts: list[Any], frame: Frame, /) -> bytes:
    """Return the ciphertexts of plaintexts, both in base64.

    ``nonces`` stand side by side, one for each text. A ciphertext is nonce, sealed text and tag.
    """
    if kind not in PLAIN_NONCES or len(nonces) != NONCE * len(texts):
        raise ValueError
    encrypt, fresh = aead(kind, key).encrypt, unpack(f"{NONCE}s" * len(texts), nonces)
    plaintexts = map(strict_decode64, texts)
    return _framed([nonce + encrypt(nonce, text, None) for nonce, text in zip(fresh, plaintexts, strict=True)], frame)


def unseal(kind: str, key: bytes, head: str, texts: list[Any], frame: Frame, /) -> bytes:
    """Return the plaintexts of ciphertexts that ``head`` stands before, both in base64."""
    if kind not in PLAIN_NONCES or not all(text.startswith(head) for text in texts):
        raise ValueError
    decrypt, begin = aead(kind, key).decrypt, len(head)
    sealed = [strict_decode64(text[begin:]) for text in texts]
    return _framed([decrypt(each[:NONCE], each[NONCE:], None) for each in sealed], frame)


def _framed(results: Iterable[bytes], frame: Frame) -> bytes:
    before, between, after = frame
    return before + between.join([b2a_base64(result, newline=False) for result in results]) + after
