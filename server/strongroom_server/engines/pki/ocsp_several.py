"""Requests for the status of several certificates, which the library does not know (RFC 6960, 4.1.1 and 4.2.1).

Such a request is taken apart into requests for one certificate each, and the answers to them are put together into one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ObjectIdentifier
from cryptography.x509.ocsp import OCSPRequest, OCSPResponse

from strongroom_server.lib.der import (
    BIT_STRING,
    ENUMERATED,
    GENERALIZED_TIME,
    OCTET_STRING,
    SEQUENCE,
    Frame,
    framed,
    frames,
)
from strongroom_server.lib.x509 import moment

_REQUEST_EXTENSIONS = 0xA2
_GOOD, _REVOKED, _UNKNOWN = 0x80, 0xA1, 0x82
_NEXT_UPDATE = 0xA0
_RESPONSES = 2  # place of the single answers, after who answers and when
_RESPONSE_BYTES = 0xA0
_SUCCESSFUL = framed(ENUMERATED, b"\0")
_BASIC = asn1.encode_der(ObjectIdentifier("1.3.6.1.5.5.7.48.1.1"))
_NO_UNUSED_BITS = b"\0"


def questions(raw: bytes) -> list[bytes]:
    """Return a request for each certificate that a well-formed request asks for; all have its extensions."""
    content = frames(frames(frames(raw)[0].content)[0].content)
    asked = next(part for part in content if part.tag == SEQUENCE)
    shared = next((part.whole for part in content if part.tag == _REQUEST_EXTENSIONS), b"")
    return [framed(SEQUENCE, framed(SEQUENCE, framed(SEQUENCE, one.whole), shared)) for one in frames(asked.content)]


@dataclass(frozen=True)
class Single:
    """One answer: the question, whether the certificate is of the issuer, and when it was revoked.

    ``span`` is when the answer is valid; times are epoch seconds.
    """

    request: OCSPRequest
    known: bool
    revoked: float | None
    span: tuple[float, float]

    def encoded(self) -> bytes:
        """Return the SingleResponse."""
        start, end = self.span
        until = framed(_NEXT_UPDATE, _time(end)) if end > start else b""
        asked = frames(frames(frames(self.request.public_bytes(Encoding.DER))[0].content)[0].content)
        return framed(SEQUENCE, _certificate(asked), self._status(), _time(start), until)

    def _status(self) -> bytes:
        if self.revoked is not None:
            return framed(_REVOKED, _time(self.revoked))
        return framed(_GOOD if self.known else _UNKNOWN)


def joined(first: OCSPResponse, others: Sequence[Single], sign: Callable[[bytes], bytes]) -> bytes:
    """Return ``first`` with other answers too; ``sign`` signs in the way that ``first`` was."""
    algorithm = _basic(first)[1].whole
    parts = [part.whole for part in _parts(first)]
    singles = frames(parts[_RESPONSES])[0].content
    parts[_RESPONSES] = framed(SEQUENCE, singles, *(one.encoded() for one in others))
    content = framed(SEQUENCE, *parts)
    signature = framed(BIT_STRING, _NO_UNUSED_BITS, sign(content))
    basic = framed(OCTET_STRING, framed(SEQUENCE, content, algorithm, signature))
    return framed(SEQUENCE, _SUCCESSFUL, framed(_RESPONSE_BYTES, framed(SEQUENCE, _BASIC, basic)))


def _certificate(asked: list[Frame]) -> bytes:
    """Return the CertID of a request for one certificate, as it was encoded there."""
    only = next(part for part in asked if part.tag == SEQUENCE)
    return frames(frames(only.content)[0].content)[0].whole


def _time(seconds: float) -> bytes:
    return framed(GENERALIZED_TIME, moment(seconds).strftime("%Y%m%d%H%M%SZ").encode())


def _parts(answer: OCSPResponse) -> list[Frame]:
    """Return who answers, when, the single answers, and the extensions where there are any."""
    return frames(_basic(answer)[0].content)


def _basic(answer: OCSPResponse) -> list[Frame]:
    """Return what is signed, the algorithm, and the signature."""
    response_bytes = frames(frames(answer.public_bytes(Encoding.DER))[0].content)[1]
    return frames(frames(frames(frames(response_bytes.content)[0].content)[1].content)[0].content)
