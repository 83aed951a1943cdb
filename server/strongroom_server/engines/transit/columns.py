"""Batches of the plainest shape, a column at a time.

Most batches hold nothing but texts, perhaps with references, for a key that is not derived. What is the same for all
of them is then looked up once, nonces are drawn at once, and the results are written as the JSON that will be sent. A
function here returns None for a batch of any other shape, and for one with an item that fails: that goes item by item,
to the same answer.
"""

import os
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from struct import unpack
from typing import Any

from cryptography.exceptions import InvalidTag
from msgspec import Raw

from strongroom_server.engines.transit import material
from strongroom_server.engines.transit.batches import Item, reference_of
from strongroom_server.engines.transit.records import Key, Version
from strongroom_server.engines.transit.texts import split_version, versioned
from strongroom_server.sdk import codec
from strongroom_server.sdk.errors import InvalidRequest

_OTHERWISE = (AttributeError, InvalidRequest, InvalidTag, KeyError, TypeError, ValueError)
_NONCE = material.NONCE

Results = Callable[..., Raw]


def _or_none(results: Results) -> Callable[..., Raw | None]:
    @wraps(results)
    def tried(*given: Any) -> Raw | None:
        try:
            return results(*given)
        except _OTHERWISE:
            return None

    return tried


@_or_none
def encrypt(key: Key, batch: Any) -> Raw:
    """Return the results of encrypting plaintexts by the latest version."""
    return _sealed(key, batch, _decoded(_column(batch, "plaintext")))


@_or_none
def decrypt(key: Key, batch: Any) -> Raw:
    """Return the results of decrypting ciphertexts."""
    plaintexts = _opened(key, _column(batch, "ciphertext"))
    return _results(batch, '"plaintext":"', [b2a_base64(plaintext, newline=False) for plaintext in plaintexts], '"')


@_or_none
def rewrap(key: Key, batch: Any) -> Raw:
    """Return the results of decrypting ciphertexts, and encrypting them by the latest version."""
    return _sealed(key, batch, _opened(key, _column(batch, "ciphertext")))


@_or_none
def make_hmac(key: Key, batch: Any, algorithm: str) -> Raw:
    """Return the results of making HMACs by the latest version."""
    messages = _decoded(_column(batch, "input"))
    number, version = _latest(key)
    secret = version.hmac_key
    texts = [b2a_base64(material.mac(secret, algorithm, message), newline=False) for message in messages]
    return _results(batch, f'"hmac":"{versioned(number, "")}', texts, '"')


def _column(batch: Any, name: str) -> list[Any]:
    """Return the field of this name of each item; raises an error of ``_OTHERWISE`` for what is no such batch."""
    if type(batch) is not list:
        raise TypeError
    column = [item[name] for item in batch if len(item) == 1 or (len(item) == 2 and "reference" in item)]
    if not column or len(column) != len(batch):
        raise ValueError
    return column


def _decoded(texts: Iterable[Any]) -> list[bytes]:
    return [a2b_base64(text, strict_mode=True) for text in texts]


def _latest(key: Key) -> tuple[int, Version]:
    number = key.for_new(0)
    version = key.versions.get(number)
    if version is None:
        raise InvalidRequest
    return number, version


def _sealed(key: Key, batch: Sequence[Item], plaintexts: Sequence[bytes]) -> Raw:
    number, version = _latest(key)
    seal = _cipher(key, version).encrypt
    nonces = unpack(f"{_NONCE}s" * len(plaintexts), os.urandom(_NONCE * len(plaintexts)))
    texts = [
        b2a_base64(nonce + seal(nonce, plaintext, None), newline=False)
        for nonce, plaintext in zip(nonces, plaintexts, strict=True)
    ]
    return _results(batch, f'"ciphertext":"{versioned(number, "")}', texts, f'","key_version":{number}')


def _opened(key: Key, texts: Iterable[Any]) -> list[bytes]:
    parts = [text.rpartition(":") for text in texts]
    opens = {head: _opener(key, head) for head in {part[0] for part in parts}}
    sealed = _decoded([part[2] for part in parts])
    return [opens[part[0]](raw[:_NONCE], raw[_NONCE:], None) for part, raw in zip(parts, sealed, strict=True)]


def _opener(key: Key, head: str) -> Any:
    """Return what opens the ciphertexts that begin with ``head``, "vault:v1"."""
    number, rest = split_version(f"{head}:", "ciphertext")
    if rest:
        raise InvalidRequest
    return _cipher(key, key.versions[key.for_old(number, "ciphertext")]).decrypt


def _cipher(key: Key, version: Version) -> Any:
    kind = key.usable().kind
    if key.derived or not kind.symmetric or version.secret is None or material.nonce_length(kind) != _NONCE:
        raise InvalidRequest
    return material.aead(kind, version.secret)


def _results(batch: Sequence[Item], before: str, texts: Sequence[bytes], after: str) -> Raw:
    """Return a list of objects with each text, which needs no escapes, between ``before`` and ``after``."""
    begin, end = b"{" + before.encode(), after.encode() + b',"reference":'
    if len(batch) == sum(map(len, batch)):  # a text is all that any item holds
        return Raw(b"[" + begin + (end + b'""},' + begin).join(texts) + end + b'""}]')
    references = [codec.encode(reference_of(item)) + b"}" for item in batch]
    return Raw(b"[" + b",".join([begin + text + end + ref for text, ref in zip(texts, references, strict=True)]) + b"]")
