"""As much of X.509 as a renewer needs: when a PEM certificate begins and ends (RFC 5280, 4.1).

The standard library has no public reader for a certificate in hand, hence these few lines of DER.
"""

import base64
import binascii
import re
from datetime import UTC, datetime

from strongroom_agent.functions.secrets import Pem

_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----\s(.*?)-----END \1-----", re.DOTALL)
_SEQUENCE, _UTC_TIME, _GENERALIZED_TIME, _EXPLICIT_VERSION = 0x30, 0x17, 0x18, 0xA0
_GOOD_SHARE = 0.87  # of its life: older certificates are replaced rather than kept


def validity(pem: str) -> tuple[float, float] | None:
    """Return the epoch times between which the first certificate in ``pem`` is valid; None if it has none."""
    match = next((match for match in _BLOCK.finditer(pem) if match[1] == "CERTIFICATE"), None)
    if match is None:
        return None
    try:
        return _validity(base64.b64decode("".join(match[2].split()), validate=True))
    except (binascii.Error, IndexError, ValueError):
        return None


def pair(text: str) -> Pem | None:
    """Return certificate, key and issuer from a file of PEM blocks; None without certificate or key."""
    certificates, keys = [], []
    for match in _BLOCK.finditer(text):
        if match[1] == "CERTIFICATE":
            certificates.append(match[0] + "\n")
        elif match[1].endswith("PRIVATE KEY"):
            keys.append(match[0] + "\n")
    if not certificates or not keys:
        return None
    return Pem(certificates[0], keys[0], certificates[1] if len(certificates) > 1 else "", tuple(certificates[1:]))


def is_good(span: tuple[float, float], moment: float) -> bool:
    """Whether a certificate of that validity still has enough of its life before it."""
    begin, end = span
    return begin <= moment < begin + (end - begin) * _GOOD_SHARE


def _element(data: bytes, offset: int) -> tuple[int, int, int]:
    """Return the tag at ``offset``, where its content starts and where it ends."""
    tag, length, start = data[offset], data[offset + 1], offset + 2
    if length & 0x80:
        size = length & 0x7F
        length, start = int.from_bytes(data[start : start + size], "big"), start + size
    return tag, start, start + length


def _validity(der: bytes) -> tuple[float, float]:
    _, start, _ = _element(der, 0)  # Certificate
    _, offset, _ = _element(der, start)  # TBSCertificate
    if der[offset] == _EXPLICIT_VERSION:
        offset = _element(der, offset)[2]
    for _ in range(3):  # serialNumber, signature, issuer
        offset = _element(der, offset)[2]
    tag, first, _ = _element(der, offset)
    if tag != _SEQUENCE:
        raise ValueError("no validity")
    second = _element(der, first)[2]
    return _time(der, first), _time(der, second)


def _time(der: bytes, offset: int) -> float:
    tag, start, end = _element(der, offset)
    text = der[start:end].decode("ascii").removesuffix("Z")
    if tag == _UTC_TIME:  # RFC 5280, 4.1.2.5.1: two digits of the year, 50 and more mean 19xx
        text = ("19" if int(text[:2]) >= 50 else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("no time")
    numbers = [int(text[:4]), *(int(text[place : place + 2]) for place in range(4, 14, 2))]
    return datetime(*numbers, tzinfo=UTC).timestamp()  # type: ignore[arg-type, misc]  # six numbers
