"""From drafts to what ``lib.certificates`` puts together: what all certificates of an issuer share, and what one says.

The issuer's name and the algorithm are taken from a certificate that the library's builder made; the library encodes
most of the other parts.
"""

from collections.abc import Iterable
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat import asn1

from strongroom_server.engines.pki import building
from strongroom_server.engines.pki.building import Draft, Extension
from strongroom_server.engines.pki.subject import Names
from strongroom_server.lib.certificates import SERIAL_SIZE, Content, Pattern, signature_bits
from strongroom_server.lib.der import OCTET_STRING, SEQUENCE, framed
from strongroom_server.lib.randomness import Randomness
from strongroom_server.lib.signing import Signing, signer
from strongroom_server.lib.x509 import PrivateKey, der, spki

_TRUE = asn1.encode_der(True)
_DNS_NAME, _IP_ADDRESS = 0x82, 0x87


def pattern_for(issuer: x509.Name, key: PrivateKey, signing: Signing) -> Pattern:
    """Return the pattern of what ``key`` signs so, by an example of the builder's."""
    example = building.sign(Draft(x509.Name([]), key.public_key(), 0, 1), issuer, key, signing)
    whole, content = der(example), example.tbs_certificate_bytes
    begin, end = whole.index(content) + len(content), len(whole) - len(signature_bits(example.signature))
    return Pattern(whole[begin:end], issuer.public_bytes(), signer(key, signing), Randomness(SERIAL_SIZE))


def encoded(draft: Draft) -> Content:
    """Return a draft in DER."""
    subject, key = draft.subject.public_bytes(), spki(draft.key)
    return Content(subject, key, draft.start, draft.end, extensions(draft.extensions), draft.serial)


def extensions(given: Iterable[Extension]) -> bytes:
    """Return extensions in DER, one after the other."""
    return b"".join([_extension(value.oid, value.public_bytes(), critical=critical) for value, critical in given])


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


def _extension(oid: x509.ObjectIdentifier, value: bytes, *, critical: bool) -> bytes:
    return framed(SEQUENCE, _oid(oid), _TRUE if critical else b"", framed(OCTET_STRING, value))


@lru_cache(maxsize=256)
def _oid(oid: x509.ObjectIdentifier) -> bytes:
    return asn1.encode_der(oid)
