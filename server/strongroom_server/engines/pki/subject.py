"""Who a certificate is for: the subject's fields and the alternative names, from a request to X.509 objects."""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.name import _ASN1Type as Asn1Type
from cryptography.x509.oid import NameOID

from strongroom_server.lib.der import SEQUENCE, UTF8_STRING, framed, frames
from strongroom_server.sdk.errors import InvalidRequest

_FIELDS = {  # in the order that a name has them
    "country": NameOID.COUNTRY_NAME,
    "province": NameOID.STATE_OR_PROVINCE_NAME,
    "locality": NameOID.LOCALITY_NAME,
    "street_address": NameOID.STREET_ADDRESS,
    "postal_code": NameOID.POSTAL_CODE,
    "organization": NameOID.ORGANIZATION_NAME,
    "ou": NameOID.ORGANIZATIONAL_UNIT_NAME,
}
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
HOSTNAME = re.compile(rf"(?:\*\.)?(?:{_LABEL}\.)*{_LABEL}\.?", re.ASCII)
"""A host name (RFC 1123, section 2.1), also with a wildcard for its left-most label."""
_PRINTABLE = re.compile(r"[A-Za-z0-9 '()+,./:=?-]*")
_LONGEST_LABEL = 63
_LONGEST_NAME = 253


class OtherName(NamedTuple):
    """An alternative name of a kind of its own: ``1.3.6.1.4.1.311.20.2.3;UTF8:dev@example.com``."""

    oid: str
    value: str


class Names(NamedTuple):
    """Everything that a certificate calls its holder."""

    common_name: str = ""
    serial_number: str = ""
    user_ids: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    ips: tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, ...] = ()
    uris: tuple[str, ...] = ()
    others: tuple[OtherName, ...] = ()
    fields: Mapping[str, tuple[str, ...]] = MappingProxyType({})

    @property
    def has_subject(self) -> bool:
        """Tell whether there is anything for the subject."""
        return bool(self.common_name or self.serial_number or self.user_ids or any(self.fields.values()))

    @property
    def has_alternatives(self) -> bool:
        """Tell whether there is anything for the alternative names."""
        return bool(self.dns or self.emails or self.ips or self.uris or self.others)


@lru_cache(maxsize=4096)
def to_ascii(name: str) -> str:
    """Return a DNS name in ASCII (RFC 5890); raises InvalidRequest for one with an impossible label."""
    stem = name.removeprefix("*.")
    ascii_name = stem
    if not stem.isascii():
        import idna

        try:
            ascii_name = idna.encode(stem, uts46=True).decode()
        except idna.IDNAError:
            raise InvalidRequest(f'idna: invalid label "{name}"') from None
    wrong = [label for label in ascii_name.split(".") if not 0 < len(label) <= _LONGEST_LABEL]
    if wrong or len(ascii_name) > _LONGEST_NAME:
        raise InvalidRequest(f'idna: invalid label "{"".join(wrong[:1]) or name}"')
    return ascii_name if stem is name else name[: len(name) - len(stem)] + ascii_name


@lru_cache(maxsize=4096)
def is_hostname(name: str) -> bool:
    """Tell whether ``name`` is a host name, perhaps with a wildcard; raises InvalidRequest as ``to_ascii``."""
    return HOSTNAME.fullmatch(to_ascii(name)) is not None


def sorted_names(names: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the host names and the e-mail addresses among ``names``, each once; what is neither is left out."""
    dns: dict[str, None] = {}
    emails: dict[str, None] = {}
    for name in names:
        if "@" in name:
            emails[name] = None
        elif is_hostname(name):
            dns[to_ascii(name)] = None
    return tuple(dns), tuple(emails)


def split_names(text: str) -> list[str]:
    """Return the names in "a, b"."""
    return [part.strip() for part in text.split(",") if part.strip()]


def parse_ips(texts: Iterable[str]) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, ...]:
    """Return addresses, ::ffff:10.0.0.1 as 10.0.0.1; raises InvalidRequest."""
    addresses = []
    for text in texts:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            raise InvalidRequest(f'the value "{text}" is not a valid IP address') from None
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        addresses.append(mapped or address)
    return tuple(addresses)


def parse_uris(texts: Iterable[str]) -> tuple[str, ...]:
    """Return URIs; raises InvalidRequest for what has no scheme or is not ASCII."""
    uris = []
    for text in texts:
        try:
            valid = text.isascii() and not text.startswith(":") and urlsplit(text) is not None
        except ValueError:
            valid = False
        if not valid:
            raise InvalidRequest(f'the provided URI Subject Alternative Name "{text}" is not a valid URI')
        uris.append(text)
    return tuple(uris)


def parse_other(text: str) -> OtherName:
    """Return ``OID;UTF8:value`` taken apart; raises ValueError."""
    oid, semicolon, rest = text.partition(";")
    if not semicolon:
        raise ValueError(f'expected a semicolon in other SAN "{text}"')
    kind, colon, value = rest.partition(":")
    if not colon:
        raise ValueError(f'expected a colon in other SAN "{text}"')
    if kind.strip().lower() not in {"utf8", "utf-8"}:
        raise ValueError(f'only utf8 other SANs are supported; found non-supported type in other SAN "{text}"')
    return OtherName(oid.strip(), value)


def parse_others(texts: Iterable[str]) -> tuple[OtherName, ...]:
    """Return other names; raises InvalidRequest."""
    try:
        return tuple(parse_other(text) for text in texts)
    except ValueError as error:
        raise InvalidRequest(f"could not parse requested other SAN: {error}") from None


def subject_of(names: Names) -> x509.Name:
    """Return the distinguished name: a field with several values is one relative name of several attributes."""
    return x509.Name([_relative(oid, values) for oid, values in _relatives(names)])


def subject_der(names: Names) -> bytes:
    """Return the same in DER."""
    return framed(SEQUENCE, *[_relative_der(oid, values) for oid, values in _relatives(names)])


def _relatives(names: Names) -> list[tuple[x509.ObjectIdentifier, tuple[str, ...]]]:
    fields = names.fields
    parts = [(oid, values) for field, oid in _FIELDS.items() if any(values := fields.get(field, ()))] if fields else []
    if names.common_name:
        parts.append((NameOID.COMMON_NAME, (names.common_name,)))
    if names.serial_number:
        parts.append((NameOID.SERIAL_NUMBER, (names.serial_number,)))
    if names.user_ids:
        parts += [(NameOID.USER_ID, (user,)) for user in names.user_ids if user]
    return parts


@lru_cache(maxsize=4096)
def _relative_der(oid: x509.ObjectIdentifier, values: tuple[str, ...]) -> bytes:
    [whole] = frames(x509.Name([_relative(oid, values)]).public_bytes())
    return whole.content


def _relative(oid: x509.ObjectIdentifier, values: tuple[str, ...]) -> x509.RelativeDistinguishedName:
    # Lengths are the caller's concern, as with the peer: a country of three letters is issued.
    return x509.RelativeDistinguishedName([
        x509.NameAttribute(oid, value, _string_type(value), _validate=False)
        for value in dict.fromkeys(values) if value
    ])  # fmt: skip


def _string_type(value: str) -> Asn1Type:
    """Return the type that the peer writes a value in.

    A certificate made anew for an authority that comes from there has to bear the same bytes for a name: clients
    written in Go look for the issuer of a certificate by them.
    """
    return Asn1Type.PrintableString if _PRINTABLE.fullmatch(value) else Asn1Type.UTF8String


def alternatives_of(names: Names) -> x509.SubjectAlternativeName:
    """Return the alternative names."""
    try:
        return x509.SubjectAlternativeName([
            *(x509.OtherName(x509.ObjectIdentifier(other.oid), _utf8(other.value)) for other in names.others),
            *(x509.DNSName(name) for name in names.dns),
            *(x509.RFC822Name(email) for email in names.emails),
            *(x509.IPAddress(address) for address in names.ips),
            *(x509.UniformResourceIdentifier(uri) for uri in names.uris),
        ])  # fmt: skip
    except ValueError as error:
        raise InvalidRequest(f"unable to create certificate: {error}") from None


def _utf8(text: str) -> bytes:
    """Return DER of a UTF8String (X.690, section 8.23)."""
    return framed(UTF8_STRING, text.encode())


def names_of(subject: x509.Name, extensions: x509.Extensions) -> Names:
    """Return what a certificate or a request calls its holder."""
    told, others = holder_of(subject), alternative_names(extensions)
    return others._replace(common_name=told.common_name, serial_number=told.serial_number, user_ids=told.user_ids,
                           fields=told.fields)  # fmt: skip


def holder_of(subject: x509.Name) -> Names:
    """Return what a subject says, without alternative names."""
    return Names(
        common_name=_last(subject, NameOID.COMMON_NAME),
        serial_number=_last(subject, NameOID.SERIAL_NUMBER),
        user_ids=_all(subject, NameOID.USER_ID),
        fields={field: _all(subject, oid) for field, oid in _FIELDS.items()},
    )


def check_encoding(extensions: x509.Extensions) -> None:
    """Raise ValueError for alternative names that are not ASCII as they have to be (RFC 5280, section 4.2.1.6)."""
    try:
        found = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return
    for kind in (x509.DNSName, x509.RFC822Name, x509.UniformResourceIdentifier):
        if not all(name.isascii() for name in found.get_values_for_type(kind)):
            raise ValueError(f"an alternative name is malformed: {kind.__name__}")


def alternative_names(extensions: x509.Extensions) -> Names:
    """Return the alternative names among extensions."""
    try:
        found = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return Names()
    return Names(
        dns=tuple(found.get_values_for_type(x509.DNSName)),
        emails=tuple(found.get_values_for_type(x509.RFC822Name)),
        ips=tuple(ip for ip in found.get_values_for_type(x509.IPAddress)
                  if isinstance(ip, ipaddress.IPv4Address | ipaddress.IPv6Address)),
        uris=tuple(found.get_values_for_type(x509.UniformResourceIdentifier)),
        others=tuple(OtherName(other.type_id.dotted_string, _from_utf8(other.value))
                     for other in found.get_values_for_type(x509.OtherName)),
    )  # fmt: skip


def _from_utf8(raw: bytes) -> str:
    """Return the text of a UTF8String; raises InvalidRequest for another type."""
    if len(raw) < 2 or raw[0] != UTF8_STRING:
        raise InvalidRequest("only utf8 other SANs are supported; the CSR holds one of another type")
    start = 2 if raw[1] < 0x80 else 2 + (raw[1] & 0x7F)
    return raw[start:].decode(errors="replace")


def _last(subject: x509.Name, oid: x509.ObjectIdentifier) -> str:
    """Return the last value: the most particular one, and the one that the peer takes."""
    return ("", *_all(subject, oid))[-1]


def _all(subject: x509.Name, oid: x509.ObjectIdentifier) -> tuple[str, ...]:
    return tuple(str(attribute.value) for attribute in subject.get_attributes_for_oid(oid))
