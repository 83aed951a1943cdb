"""Certificates of the servers: a CA for each VaultCluster and what it issues. Pure: time and bytes in, bytes out.

When something is due is a chain of checks, so that a certificate is replaced for exactly one stated reason.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from strongroom_operator.checks import Verdict, first

CA_LIFE = timedelta(days=3650)
CA_RENEWAL = timedelta(days=730)  # before its end: longer than any certificate it issued still has to live
LEAF_LIFE = timedelta(days=365)
LEAF_RENEWAL = timedelta(days=60)
_BACKDATED = timedelta(minutes=5)  # clocks of a cluster differ


@dataclass(frozen=True)
class Pair:
    """A certificate (PEM; the leaf alone) and its private key (PEM, PKCS 8)."""

    certificate: bytes
    key: bytes

    def __repr__(self) -> str:
        return "Pair(…)"


def issue_ca(common_name: str, now: float) -> Pair:
    """Make a CA that signs servers of one VaultCluster and nothing below them."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])
    public = key.public_key()
    builder = (
        _builder(name, name, public, now, CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
    )
    return _pair(builder, key, key)


def issue_server(ca: Pair, names: Sequence[str], now: float) -> Pair:
    """Make a server certificate for exactly ``names`` (DNS names and IP addresses)."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer, issuer_key = _certificate(ca.certificate), _key(ca.key)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    builder = (
        _builder(subject, issuer.subject, key.public_key(), now, LEAF_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(authority, critical=False)
    )
    return _pair(builder, key, issuer_key)


@dataclass(frozen=True)
class Held:
    """A server certificate as found, and what it should be: for ``names``, issued by a CA of ``bundle``."""

    certificate: bytes
    bundle: bytes
    names: frozenset[str]
    now: float


def is_readable(held: Held) -> Verdict | None:
    """Replace what is no certificate."""
    if not held.certificate:
        return Verdict("Missing", "there is none yet")
    try:
        _certificate(held.certificate)
    except ValueError:
        return Verdict("Unreadable", "the certificate cannot be read")
    return None


def has_the_names(held: Held) -> Verdict | None:
    """Replace a certificate for other names, be they too few or too many."""
    found = _names(_certificate(held.certificate))
    if found == held.names:
        return None
    missing, extra = sorted(held.names - found), sorted(found - held.names)
    return Verdict("OtherNames", f"missing names {missing}, unwanted names {extra}")


def is_of_a_trusted_ca(held: Held) -> Verdict | None:
    """Replace a certificate that no CA of the bundle issued; an older CA's stays until its own end is near."""
    certificate = _certificate(held.certificate)
    if any(_issued(ca, certificate) for ca in x509.load_pem_x509_certificates(held.bundle)):
        return None
    return Verdict("OtherCa", "issued by another CA")


def lives_long_enough(held: Held) -> Verdict | None:
    """Replace a certificate in its last days."""
    end = _certificate(held.certificate).not_valid_after_utc
    return Verdict("ExpiresSoon", f"ends at {end:%Y-%m-%d}") if end - _moment(held.now) < LEAF_RENEWAL else None


SERVER_CERTIFICATE = (is_readable, has_the_names, is_of_a_trusted_ca, lives_long_enough)


def server_is_due(held: Held) -> Verdict | None:
    """Return why a server certificate has to be replaced, or None."""
    return first(SERVER_CERTIFICATE, held)


def ca_is_due(certificate: bytes, now: float) -> Verdict | None:
    """Return why a CA has to be replaced, or None."""
    if not certificate:
        return Verdict("Missing", "there is none yet")
    try:
        end = _certificate(certificate).not_valid_after_utc
    except ValueError:
        return Verdict("Unreadable", "the CA certificate cannot be read")
    return Verdict("ExpiresSoon", f"the CA ends at {end:%Y-%m-%d}") if end - _moment(now) < CA_RENEWAL else None


def bundle(newest: bytes, older: bytes, now: float) -> bytes:
    """Return what clients trust: the newest CA, then those of ``older`` that have not ended; no duplicates."""
    certificates = [_certificate(newest)]
    certificates += x509.load_pem_x509_certificates(older) if older.strip() else []
    kept = dict.fromkeys(c.public_bytes(serialization.Encoding.PEM) for c in certificates if _is_valid(c, now))
    return b"".join(kept)


def serial(certificate: bytes) -> str:
    """Return a certificate's serial number in hexadecimal digits."""
    return f"{_certificate(certificate).serial_number:x}"


def _issued(ca: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _is_valid(certificate: x509.Certificate, now: float) -> bool:
    return certificate.not_valid_after_utc > _moment(now)


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, now: float, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_moment(now) - _BACKDATED)
        .not_valid_after(_moment(now) + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _pair(
    builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey
) -> Pair:
    certificate = builder.sign(signer, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Pair(certificate.public_bytes(serialization.Encoding.PEM), private)


def _certificate(pem: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem)


def _key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("the CA's key is not an elliptic-curve key")
    return key


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _names(certificate: x509.Certificate) -> frozenset[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    return frozenset([*names.get_values_for_type(x509.DNSName), *addresses])


def _moment(now: float) -> datetime:
    return datetime.fromtimestamp(int(now), UTC)
