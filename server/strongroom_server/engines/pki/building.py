"""Making certificates and requests from their parts, and signing them. CPU only; callers see to the event loop."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cryptography import x509

from strongroom_server.engines.pki import usages
from strongroom_server.engines.pki.subject import Names, alternatives_of, subject_of
from strongroom_server.lib.signing import Signing, hash_for, padding_for
from strongroom_server.lib.x509 import PrivateKey, PublicKey, moment
from strongroom_server.sdk.errors import InvalidRequest

Extension = tuple[x509.ExtensionType, bool]


@dataclass(frozen=True)
class Draft:
    """A certificate without its signature. ``extra`` extensions come after the identifiers, as they are."""

    subject: x509.Name
    key: PublicKey
    start: float
    end: float
    serial: int = 0
    extensions: Sequence[Extension] = field(default=())


def sign(draft: Draft, issuer: x509.Name, key: PrivateKey, signing: Signing) -> x509.Certificate:
    """Return the certificate."""
    try:
        builder = x509.CertificateBuilder(
            issuer, draft.subject, draft.key, draft.serial or x509.random_serial_number(),
            moment(draft.start), moment(draft.end),
            [x509.Extension(extension.oid, critical, extension) for extension, critical in draft.extensions],
        )  # fmt: skip
        return builder.sign(key, hash_for(key, signing.bits), rsa_padding=padding_for(key, signing))
    except (ValueError, OverflowError) as error:
        raise InvalidRequest(f"unable to create certificate: {error}") from None


def encoded(extensions: Iterable[Extension]) -> tuple[Extension, ...]:
    """Return the same extensions in DER: what many certificates have in common is encoded once."""
    return tuple(
        (x509.UnrecognizedExtension(extension.oid, extension.public_bytes()), critical)
        for extension, critical in extensions
    )


def key_identifier(key: PublicKey) -> x509.SubjectKeyIdentifier:
    """Return the subject key identifier (RFC 5280, section 4.2.1.2, method 1)."""
    return x509.SubjectKeyIdentifier.from_public_key(key)


def authority_identifier(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """Return the identifier of an issuer's key, by what its own certificate calls it."""
    try:
        own = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())  # type: ignore[arg-type]


def alternatives(names: Names) -> list[Extension]:
    """Return the extension of alternative names; it is critical where there is no subject (RFC 5280, 4.2.1.6)."""
    return [(alternatives_of(names), not names.has_subject)] if names.has_alternatives else []


def ca_extensions(max_path_length: int, permitted_domains: Sequence[str]) -> list[Extension]:
    """Return what makes a certificate a CA's; a negative path length is none. Raises InvalidRequest for no domain."""
    extensions: list[Extension] = [
        (usages.CA_USAGE, True),
        (x509.BasicConstraints(ca=True, path_length=max_path_length if max_path_length >= 0 else None), True),
    ]
    if permitted_domains:
        try:
            constraints = x509.NameConstraints([x509.DNSName(domain) for domain in permitted_domains], None)
        except ValueError as error:
            raise InvalidRequest(f"permitted_dns_domains: {error}") from None
        extensions.append((constraints, True))
    return extensions


def request(names: Names, key: PrivateKey, signing: Signing, *, as_ca: bool) -> x509.CertificateSigningRequest:
    """Return a signed request (PKCS #10)."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject_of(names))
    for extension, critical in alternatives(names):
        builder = builder.add_extension(extension, critical)
    if as_ca:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    try:
        return builder.sign(key, hash_for(key, signing.bits), rsa_padding=padding_for(key, signing))
    except ValueError as error:
        raise InvalidRequest(f"unable to create certificate request: {error}") from None


def policies(parsed: Sequence[dict[str, str]]) -> list[Extension]:
    """Return the extension of certificate policies (RFC 5280, section 4.2.1.4)."""
    if not parsed:
        return []
    found = []
    for policy in parsed:
        qualifiers: list[str | x509.UserNotice] = []
        if cps := policy.get("cps"):
            qualifiers.append(cps)
        if notice := policy.get("notice"):
            qualifiers.append(x509.UserNotice(None, notice))
        found.append(x509.PolicyInformation(x509.ObjectIdentifier(policy["oid"]), qualifiers or None))
    return [(x509.CertificatePolicies(found), False)]
