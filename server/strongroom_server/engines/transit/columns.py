"""Batches of the plainest shape, a column at a time.

Most batches hold nothing but texts, perhaps with references, for a key that is not derived. What is the same for all
of them is then looked up once, nonces are drawn at once, and the results are written as the JSON that will be sent. A
function here returns None for a batch of any other shape, and for one with an item that fails: that goes item by item,
to the same answer.
"""

from binascii import b2a_base64
from collections.abc import Callable, Sequence
from functools import partial, wraps
from itertools import groupby
from operator import itemgetter
from typing import Any

from cryptography.exceptions import InvalidTag
from msgspec import Raw

from strongroom_server.engines.transit import kernel, material
from strongroom_server.engines.transit.batches import reference_of
from strongroom_server.engines.transit.plain_kernel import Frame
from strongroom_server.engines.transit.records import Key, Version
from strongroom_server.engines.transit.texts import split_version, strict_decode64, versioned
from strongroom_server.sdk import codec
from strongroom_server.sdk.errors import InvalidRequest

_OTHERWISE = (AttributeError, InvalidRequest, InvalidTag, KeyError, TypeError, ValueError)

Results = Callable[..., Raw]
Texts = Callable[[Frame], bytes]
"""A column of texts that need no escapes, with what it is called with before them, between two, and after them."""
_COMMAS = (b"", b",", b"")


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
    plaintexts, references = _columns(batch, "plaintext")
    return _sealed(key, plaintexts, references)


@_or_none
def decrypt(key: Key, batch: Any) -> Raw:
    """Return the results of decrypting ciphertexts."""
    ciphertexts, references = _columns(batch, "ciphertext")
    return _results('"plaintext":"', partial(_opened, key, ciphertexts), '"', references)


@_or_none
def rewrap(key: Key, batch: Any) -> Raw:
    """Return the results of decrypting ciphertexts, and encrypting them by the latest version."""
    ciphertexts, references = _columns(batch, "ciphertext")
    return _sealed(key, _opened(key, ciphertexts, _COMMAS).decode().split(","), references)


@_or_none
def make_hmac(key: Key, batch: Any, algorithm: str) -> Raw:
    """Return the results of making HMACs by the latest version."""
    texts, references = _columns(batch, "input")
    messages = [strict_decode64(text) for text in texts]
    number, version = _latest(key)
    secret = version.hmac_key
    macs = [b2a_base64(material.mac(secret, algorithm, message), newline=False) for message in messages]

    def framed(frame: Frame) -> bytes:
        before, between, after = frame
        return before + between.join(macs) + after

    return _results(f'"hmac":"{versioned(number, "")}', framed, '"', references)


def _columns(batch: Any, name: str) -> tuple[list[Any], list[str]]:
    """Return the field of this name of each item, and the references, none where no item has more than that field.

    Raises an error of ``_OTHERWISE`` for what is no such batch.
    """
    if type(batch) is not list or not batch:
        raise TypeError
    texts = list(map(itemgetter(name), batch))
    if len(batch) == sum(map(len, batch)):
        return texts, []
    if not all(len(item) == 1 or (len(item) == 2 and "reference" in item) for item in batch):
        raise ValueError
    return texts, [reference_of(item) for item in batch]


def _latest(key: Key) -> tuple[int, Version]:
    number = key.for_new(0)
    version = key.versions.get(number)
    if version is None:
        raise InvalidRequest
    return number, version


def _sealed(key: Key, plaintexts: list[Any], references: Sequence[str]) -> Raw:
    number, version = _latest(key)
    texts = partial(kernel.seal, key.type, _secret(key, version), material.nonces(len(plaintexts)), plaintexts)
    return _results(f'"ciphertext":"{versioned(number, "")}', texts, f'","key_version":{number}', references)


def _opened(key: Key, ciphertexts: list[Any], frame: Frame) -> bytes:
    before, between, after = frame
    runs = [_run(key, head, list(run), (b"", between, b"")) for head, run in groupby(ciphertexts, _head)]
    return before + between.join(runs) + after


def _head(ciphertext: Any) -> str:
    """Return what stands before the base64: "vault:v1:"."""
    head: str = ciphertext[: ciphertext.rindex(":") + 1]
    return head


def _run(key: Key, head: str, ciphertexts: list[Any], frame: Frame) -> bytes:
    """Return the plaintexts of ciphertexts of one version."""
    number, rest = split_version(head, "ciphertext")
    if rest:
        raise InvalidRequest
    secret = _secret(key, key.versions[key.for_old(number, "ciphertext")])
    return kernel.unseal(key.type, secret, head, ciphertexts, frame)


def _secret(key: Key, version: Version) -> bytes:
    if key.usable().derived or version.secret is None or key.type not in material.PLAIN_NONCES:
        raise InvalidRequest
    return version.secret


def _results(before: str, texts: Texts, after: str, references: Sequence[str]) -> Raw:
    """Return a list of objects with each text between ``before`` and ``after``, and its reference."""
    begin, end = b"{" + before.encode(), after.encode() + b',"reference":'
    if not references:
        return Raw(texts((b"[" + begin, end + b'""},' + begin, end + b'""}]')))
    rows = zip(texts(_COMMAS).split(b","), references, strict=True)
    return Raw(
        b"[" + b",".join([begin + text + end + codec.encode(reference) + b"}" for text, reference in rows]) + b"]"
    )
