"""Certificates put together from encoded parts (RFC 5280, section 4.1).

The library's builder takes everything apart anew for each certificate, which was a quarter of the time of issuing one.
Here the issuer's name and the algorithm are taken from a certificate that the builder made; the library encodes most
of the other parts, and signs. The frames around the parts are made here, and the plainest of the parts.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from strongroom_server.engines.pki import building
from strongroom_server.engines.pki.building import Draft, Extension, Signing, hash_for, padding_for
from strongroom_server.engines.pki.subject import Names
from strongroom_server.lib.der import (
    BIT_STRING,
    GENERALIZED_TIME,
    INTEGER,
    OCTET_STRING,
    SEQUENCE,
    UTC_TIME,
    framed,
)
from strongroom_server.lib.randomness import Randomness
from strongroom_server.lib.x509 import PrivateKey, PublicPart, der, key_kind, moment, serial_text, spki
from strongroom_server.sdk.errors import InvalidRequest

_VERSION_3 = bytes.fromhex("a003020102")
_EXTENSIONS = 0xA3
_TRUE = asn1.encode_der(True)
_KEY_IDENTIFIER = bytes.fromhex("301d0603551d0e04160414")  # all of the extension but its last 20 bytes
_NO_UNUSED_BITS = b"\0"
_FIRST_LONG_YEAR = 2050
_SERIAL_SIZE = 20  # bytes at most (RFC 5280, section 4.1.2.2); the first bit is the sign
_DNS_NAME, _IP_ADDRESS = 0x82, 0x87


class Content(NamedTuple):
    """What is to be signed, without what all certificates of a pattern have: parts in DER, ``extensions`` joined."""

    subject: bytes
    key: bytes
    start: float
    end: float
    extensions: bytes
    serial: int = 0


class Signed(NamedTuple):
    """A certificate as it is stored and sent, and its serial number as text; taken apart where that is asked for."""

    der: bytes
    serial: str

    @property
    def x509(self) -> x509.Certificate:
        """Return the certificate itself."""
        return x509.load_der_x509_certificate(self.der)


@dataclass(frozen=True)
class Pattern:
    """What all certificates have in common that one issuer signs in one way: encoded parts, and the signing itself."""

    algorithm: bytes
    issuer: bytes
    sign: Callable[[bytes], bytes]
    serials: Randomness


def pattern_for(issuer: x509.Name, key: PrivateKey, signing: Signing) -> Pattern:
    """Return the pattern of what ``key`` signs so, by an example of the builder's."""
    example = building.sign(Draft(x509.Name([]), key.public_key(), 0, 1), issuer, key, signing)
    whole, content = der(example), example.tbs_certificate_bytes
    begin, end = whole.index(content) + len(content), len(whole) - len(_signature(example.signature))
    return Pattern(whole[begin:end], issuer.public_bytes(), _signer(key, signing), Randomness(_SERIAL_SIZE))


def encoded(draft: Draft) -> Content:
    """Return a draft in DER."""
    subject, key = draft.subject.public_bytes(), spki(draft.key)
    return Content(subject, key, draft.start, draft.end, extensions(draft.extensions), draft.serial)


def extensions(given: Iterable[Extension]) -> bytes:
    """Return extensions in DER, one after the other."""
    return b"".join([_extension(value.oid, value.public_bytes(), critical=critical) for value, critical in given])


def key_identifier(key: PublicPart) -> bytes:
    """Return the extension that names a key, as ``building.key_identifier`` does."""
    return _KEY_IDENTIFIER + key.identifier


def alternatives(names: Names) -> bytes:
    """Return the extension of alternative names, if any, as ``building.alternatives`` does."""
    if names.emails or names.uris or names.others:
        return extensions(building.alternatives(names))
    parts = [framed(_DNS_NAME, name.encode("ascii")) for name in names.dns]
    if names.ips:
        parts += [framed(_IP_ADDRESS, address.packed) for address in names.ips]
    if not parts:
        return b""
    return _extension(x509.SubjectAlternativeName.oid, framed(SEQUENCE, *parts), critical=not names.has_subject)


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
    return Signed(framed(SEQUENCE, signed, pattern.algorithm, _signature(signature)), serial_text(serial))


def _signature(raw: bytes) -> bytes:
    return framed(BIT_STRING, _NO_UNUSED_BITS, raw)


def _extension(oid: x509.ObjectIdentifier, value: bytes, *, critical: bool) -> bytes:
    return framed(SEQUENCE, _oid(oid), _TRUE if critical else b"", framed(OCTET_STRING, value))


@lru_cache(maxsize=256)
def _oid(oid: x509.ObjectIdentifier) -> bytes:
    return asn1.encode_der(oid)


@lru_cache(maxsize=256)
def _validity(start: int, end: int) -> bytes:
    return framed(SEQUENCE, _time(start), _time(end))


def _time(seconds: int) -> bytes:
    """Return a moment in the form that its year asks for (RFC 5280, section 4.1.2.5)."""
    when = moment(seconds)
    if when.year < _FIRST_LONG_YEAR:
        return framed(UTC_TIME, when.strftime("%y%m%d%H%M%SZ").encode())
    return framed(GENERALIZED_TIME, when.strftime("%Y%m%d%H%M%SZ").encode())


def _signer(key: PrivateKey, signing: Signing) -> Callable[[bytes], bytes]:
    private: Any = key  # each kind takes arguments of its own
    algorithm = hash_for(key, signing.bits)
    if algorithm is None:
        signs: Callable[[bytes], bytes] = private.sign
        return signs
    if key_kind(key) == "rsa":
        scheme = padding_for(key, signing) or padding.PKCS1v15()
        return lambda content: private.sign(content, scheme, algorithm)
    by = ec.ECDSA(Prehashed(algorithm))
    digest = getattr(hashlib, algorithm.name)  # made sooner there than by the library
    return lambda content: private.sign(digest(content).digest(), by)
