"""Certificates put together from encoded parts (RFC 5280, section 4.1).

The library's builder takes everything apart anew for each certificate, which was a quarter of the time of issuing one.
Here what all certificates of an issuer have in common is at hand in DER, and so is what this one says; the frames
around the parts are made here, and the plainest of the parts. The library signs.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from cryptography import x509

from strongroom_server.lib.der import BIT_STRING, GENERALIZED_TIME, INTEGER, SEQUENCE, UTC_TIME, framed
from strongroom_server.lib.randomness import Randomness
from strongroom_server.lib.x509 import PublicPart, moment, pem_of, serial_text
from strongroom_server.sdk.errors import InvalidRequest

SERIAL_SIZE = 20
"""Bytes of a serial number at most (RFC 5280, section 4.1.2.2); the first bit is the sign."""
_VERSION_3 = bytes.fromhex("a003020102")
_EXTENSIONS = 0xA3
_KEY_IDENTIFIER = bytes.fromhex("301d0603551d0e04160414")  # all of the extension but its last 20 bytes
_NO_UNUSED_BITS = b"\0"
_FIRST_LONG_YEAR = 2050


class Content(NamedTuple):
    """What is to be signed, without what all certificates of a pattern have: parts in DER, ``extensions`` joined."""

    subject: bytes
    key: bytes
    start: float
    end: float
    extensions: bytes
    serial: int = 0


class Template(NamedTuple):
    """What a certificate says but for its key: ``before`` and ``after`` are the extensions around the key's name."""

    subject: bytes
    start: float
    end: float
    before: bytes
    after: bytes

    def of(self, key: PublicPart) -> Content:
        """Return what the certificate for a key says."""
        extensions = self.before + key_identifier(key) + self.after
        return Content(self.subject, key.spki, self.start, self.end, extensions)


class Signed(NamedTuple):
    """A certificate as it is stored and as it is sent, and its serial number as text."""

    der: bytes
    pem: str
    serial: str

    @property
    def x509(self) -> x509.Certificate:
        """Return the certificate itself, taken apart anew."""
        return x509.load_der_x509_certificate(self.der)


class Pattern(NamedTuple):
    """What all certificates have in common that one issuer signs in one way: encoded parts, and the signing itself."""

    algorithm: bytes
    issuer: bytes
    sign: Callable[[bytes], bytes]
    serials: Randomness


def assemble(content: Content, pattern: Pattern) -> Signed:
    """Return the signed certificate; raises InvalidRequest for what cannot be."""
    serial = content.serial or int.from_bytes(pattern.serials.piece()) >> 1 or 1
    try:
        signed = framed(
            SEQUENCE,
            _VERSION_3,
            framed(INTEGER, serial.to_bytes(serial.bit_length() // 8 + 1)),
            pattern.algorithm,
            pattern.issuer,
            _validity(int(content.start), int(content.end)),
            content.subject,
            content.key,
            framed(_EXTENSIONS, framed(SEQUENCE, content.extensions)),
        )
        signature = pattern.sign(signed)
    except (ValueError, OverflowError) as error:
        raise InvalidRequest(f"unable to create certificate: {error}") from None
    raw = framed(SEQUENCE, signed, pattern.algorithm, signature_bits(signature))
    return Signed(raw, pem_of(raw), serial_text(serial))


def signature_bits(raw: bytes) -> bytes:
    """Return a signature as it stands at the end of a certificate."""
    return framed(BIT_STRING, _NO_UNUSED_BITS, raw)


def key_identifier(key: PublicPart) -> bytes:
    """Return the extension that names a key, as ``building.key_identifier`` does."""
    return _KEY_IDENTIFIER + key.identifier


@lru_cache(maxsize=256)
def _validity(start: int, end: int) -> bytes:
    return framed(SEQUENCE, _time(start), _time(end))


def _time(seconds: int) -> bytes:
    """Return a moment in the form that its year asks for (RFC 5280, section 4.1.2.5)."""
    when = moment(seconds)
    if when.year < _FIRST_LONG_YEAR:
        return framed(UTC_TIME, when.strftime("%y%m%d%H%M%SZ").encode())
    return framed(GENERALIZED_TIME, when.strftime("%Y%m%d%H%M%SZ").encode())
