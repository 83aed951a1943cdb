"""Certificates for ``-dev-tls``: an authority made on the spot, and a certificate of it for this machine's names."""

import datetime
import ipaddress
import socket
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFE = datetime.timedelta(days=30)
_SKEW = datetime.timedelta(minutes=5)


@dataclass(frozen=True)
class Files:
    """Where the PEM files are, by the names that Vault gives them."""

    authority: Path
    certificate: Path
    key: Path


def make(folder: str, names: Sequence[str], now: float) -> Files:
    """Write an authority's certificate, and a certificate for ``names`` with its key; ``now`` is epoch seconds.

    Without a folder they go to a new temporary one. Raises OSError where they cannot be written.
    """
    place = Path(folder) if folder else Path(tempfile.mkdtemp(prefix="strongroom-tls-"))
    files = Files(place / "vault-ca.pem", place / "vault-cert.pem", place / "vault-key.pem")
    moment = datetime.datetime.fromtimestamp(now, datetime.UTC)
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _certificate("Strongroom dev mode CA", authority_key, None, authority_key, moment)
    own = _certificate(socket.gethostname() or "localhost", key, authority, authority_key, moment, names)
    files.authority.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    files.certificate.write_bytes(own.public_bytes(serialization.Encoding.PEM))
    files.key.touch(mode=0o600)
    files.key.write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ))  # fmt: skip
    return files


def names_here(address: str, more: Sequence[str]) -> list[str]:
    """Return the names that clients on this machine use, those of the listener's ``address`` and ``more``."""
    host = address.rpartition(":")[0].strip("[]")
    found = ("localhost", socket.gethostname(), "127.0.0.1", "::1", host, *more)
    return [name for name in dict.fromkeys(found) if name]


def _certificate(
    title: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate | None,
    issuer_key: ec.EllipticCurvePrivateKey,
    now: datetime.datetime,
    names: Sequence[str] = (),
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title[:64])])
    issuing = issuer_key.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + _LIFE)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuing), critical=False)
    )
    if issuer is None:
        builder = builder.add_extension(_usage(ca=True), critical=True)
    else:
        builder = builder.add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), critical=False)
        builder = builder.add_extension(_usage(ca=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca, key_cert_sign=ca, crl_sign=ca, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
