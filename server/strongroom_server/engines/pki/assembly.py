"""Certificates put together from encoded parts (RFC 5280, section 4.1).

The library's builder takes everything apart anew for each certificate, which was a quarter of the time of issuing one.
Here the issuer's name and the algorithm are taken from a certificate that the builder made; the library encodes each
of the other parts, and signs. Only the frames around the parts are made here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom_server.engines.pki.building import Draft, Extension, Signing, hash_for, padding_for
from strongroom_server.lib.der import BIT_STRING, GENERALIZED_TIME, OCTET_STRING, SEQUENCE, UTC_TIME, framed
from strongroom_server.lib.x509 import PrivateKey, der, key_kind, moment
from strongroom_server.sdk.errors import InvalidRequest

_VERSION_3 = bytes.fromhex("a003020102")
_EXTENSIONS = 0xA3
_TRUE = asn1.encode_der(True)
_NO_UNUSED_BITS = b"\0"
_FIRST_LONG_YEAR = 2050


@dataclass(frozen=True)
class Signed:
    """A certificate as it is stored and sent, and its serial number; taken apart where that is asked for."""

    der: bytes
    serial: int

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


def pattern_of(example: x509.Certificate, key: PrivateKey, signing: Signing) -> Pattern:
    """Return the pattern of a certificate that ``key`` has signed so."""
    whole, content = der(example), example.tbs_certificate_bytes
    begin, end = whole.index(content) + len(content), len(whole) - len(_signature(example.signature))
    return Pattern(whole[begin:end], example.issuer.public_bytes(), _signer(key, signing))


def assemble(draft: Draft, pattern: Pattern) -> Signed:
    """Return the signed certificate; raises InvalidRequest for what cannot be."""
    serial = draft.serial or x509.random_serial_number()
    try:
        content = framed(
            SEQUENCE,
            _VERSION_3,
            asn1.encode_der(serial),
            pattern.algorithm,
            pattern.issuer,
            framed(SEQUENCE, _time(int(draft.start)), _time(int(draft.end))),
            draft.subject.public_bytes(),
            draft.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            framed(_EXTENSIONS, framed(SEQUENCE, *map(_extension, draft.extensions))),
        )
        signature = pattern.sign(content)
    except (ValueError, OverflowError) as error:
        raise InvalidRequest(f"unable to create certificate: {error}") from None
    return Signed(framed(SEQUENCE, content, pattern.algorithm, _signature(signature)), serial)


def _signature(raw: bytes) -> bytes:
    return framed(BIT_STRING, _NO_UNUSED_BITS, raw)


def _extension(extension: Extension) -> bytes:
    value, critical = extension
    return framed(SEQUENCE, _oid(value.oid), _TRUE if critical else b"", framed(OCTET_STRING, value.public_bytes()))


@lru_cache(maxsize=256)
def _oid(oid: x509.ObjectIdentifier) -> bytes:
    return asn1.encode_der(oid)


@lru_cache(maxsize=256)
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
    by = ec.ECDSA(algorithm)
    return lambda content: private.sign(content, by)
