"""Making certificates and requests from their parts, and signing them. CPU only; callers see to the event loop."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from strongroom_server.engines.pki import usages
from strongroom_server.engines.pki.subject import Names, alternatives_of, subject_of
from strongroom_server.lib.x509 import PrivateKey, PublicKey, key_bits, key_kind, moment
from strongroom_server.sdk.errors import InvalidRequest

Hash = hashes.SHA256 | hashes.SHA384 | hashes.SHA512
HASHES: Mapping[int, Hash] = {256: hashes.SHA256(), 384: hashes.SHA384(), 512: hashes.SHA512()}
Extension = tuple[x509.ExtensionType, bool]


class Signing(NamedTuple):
    """How a certificate is signed. ``bits`` is the hash's size, 0 the usual; an EC key's curve decides for itself."""

    bits: int = 0
    pss: bool = False


@dataclass(frozen=True)
class Draft:
    """A certificate without its signature. ``extra`` extensions come after the identifiers, as they are."""

    subject: x509.Name
    key: PublicKey
    start: float
    end: float
    serial: int = 0
    extensions: Sequence[Extension] = field(default=())


def hash_for(key: PrivateKey, bits: int) -> Hash | None:
    """Return the hash that ``key`` signs with; raises InvalidRequest for a size that there is not."""
    kind = key_kind(key)
    if kind in {"ed25519", "mldsa"}:
        return None
    if kind == "ec":
        size = key_bits(key)
        return HASHES[512 if size > 384 else max(256, size)]
    if bits not in {0, *HASHES}:
        raise InvalidRequest(f"unsupported hash signature algorithm: {bits}")
    return HASHES[bits or 256]


def padding_for(key: PrivateKey, signing: Signing) -> padding.PSS | None:
    """Return the padding for an RSA key where it is not the usual one."""
    if not signing.pss or key_kind(key) != "rsa":
        return None
    return padding.PSS(padding.MGF1(HASHES[signing.bits or 256]), padding.PSS.DIGEST_LENGTH)


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
