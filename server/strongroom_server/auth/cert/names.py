"""What a client's certificate says of its holder, and whether a role lets that in: pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from cryptography import x509
from cryptography.x509.oid import NameOID

from strongroom_server.lib.globs import fits
from strongroom_server.lib.x509 import colons
from strongroom_server.sdk.errors import InvalidRequest

if TYPE_CHECKING:
    from strongroom_server.auth.cert.schemas import Role

Kind = TypeVar("Kind", bound=x509.ExtensionType)
_TEXTS = {0x0C: "utf-8", 0x12: "ascii", 0x13: "ascii", 0x14: "latin-1", 0x16: "ascii", 0x1A: "ascii"}
"""ASN.1 tags of strings, and how each is encoded (X.690, 8.23)."""


def extension(certificate: x509.Certificate, kind: type[Kind]) -> Kind | None:
    """Return an extension's value, or None."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def common_name(certificate: x509.Certificate) -> str:
    """Return the subject's common name, or ""."""
    return _first(certificate, NameOID.COMMON_NAME)


def _first(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> str:
    return next((str(one.value) for one in certificate.subject.get_attributes_for_oid(oid)), "")


@dataclass(frozen=True)
class ExtensionRule:
    """An extension that must be there. ``as_hex`` compares the whole value, in hex; else it must be a string."""

    oid: str
    glob: str
    as_hex: bool = False


def extension_rule(text: str) -> ExtensionRule:
    """Read "OID:glob" or "hex:OID:glob"; raises InvalidRequest."""
    as_hex = text.startswith("hex:")
    oid, colon, glob = text.removeprefix("hex:").partition(":")
    try:
        x509.ObjectIdentifier(oid)
    except ValueError:
        colon = ""
    if not colon:
        raise InvalidRequest(f'required_extensions: {text!r} is none; expected "OID:glob" or "hex:OID:glob"')
    return ExtensionRule(oid, glob, as_hex)


def raw_extension(certificate: x509.Certificate, oid: str) -> bytes | None:
    """Return the DER of an extension's value, or None."""
    return next((one.value.public_bytes() for one in certificate.extensions if one.oid.dotted_string == oid), None)


def text_of(raw: bytes) -> str:
    """Return the text of an ASN.1 string, and "" for anything else."""
    if len(raw) < 2 or raw[0] not in _TEXTS:
        return ""
    length, start = raw[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(raw[2:start])
    if length != len(raw) - start:
        return ""
    return raw[start:].decode(_TEXTS[raw[0]], errors="replace")


def allowed(role: "Role", certificate: x509.Certificate) -> bool:
    """Tell whether a certificate meets all that a role demands; each kind of name needs one that fits."""
    names = extension(certificate, x509.SubjectAlternativeName)
    common = [common_name(certificate)]
    dns = names.get_values_for_type(x509.DNSName) if names else []
    emails = names.get_values_for_type(x509.RFC822Name) if names else []
    uris = names.get_values_for_type(x509.UniformResourceIdentifier) if names else []
    units = [str(one.value) for one in certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)]
    demands = (
        (role.allowed_names, [*common, *dns, *emails]),
        (role.allowed_common_names, common),
        (role.allowed_dns_sans, dns),
        (role.allowed_email_sans, emails),
        (role.allowed_uri_sans, uris),
        (role.allowed_organizational_units, units),
    )
    return all(_one_fits(globs, found) for globs, found in demands) and _has_extensions(role, certificate)


def _one_fits(globs: Sequence[str], found: Iterable[str]) -> bool:
    return not globs or any(fits(globs, name) for name in found)


def _has_extensions(role: "Role", certificate: x509.Certificate) -> bool:
    return all(_has(certificate, extension_rule(text)) for text in role.required_extensions)


def _has(certificate: x509.Certificate, rule: ExtensionRule) -> bool:
    raw = raw_extension(certificate, rule.oid)
    if raw is None:
        return False
    if rule.as_hex:
        return fits([rule.glob.lower()], raw.hex())
    return fits([rule.glob], text_of(raw))


def metadata(name: str, role: "Role", certificate: x509.Certificate) -> dict[str, str]:
    """Return what a login's metadata says."""
    subject = extension(certificate, x509.SubjectKeyIdentifier)
    authority = extension(certificate, x509.AuthorityKeyIdentifier)
    facts = {
        "cert_name": name,
        "common_name": common_name(certificate),
        "serial_number": str(certificate.serial_number),
        "subject_key_id": colons(subject.digest) if subject else "",
        "authority_key_id": colons(authority.key_identifier or b"") if authority else "",
    }
    for oid in role.allowed_metadata_extensions:
        raw = raw_extension(certificate, oid)
        if raw is not None:
            facts[oid.replace(".", "-")] = text_of(raw)
    return facts
