"""Certificates for tests: authorities, and clients that they have issued certificates to."""

import datetime
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

HOUR = 3600


@dataclass(frozen=True)
class Holder:
    """A certificate, its key, and the issuers on the way up that are shown with it."""

    certificate: x509.Certificate
    key: Any
    above: tuple[x509.Certificate, ...] = ()

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        raw: bytes = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return raw.decode()

    @property
    def both(self) -> str:
        return self.pem + self.key_pem

    @property
    def shown(self) -> tuple[bytes, ...]:
        return tuple(one.public_bytes(Encoding.DER) for one in (self.certificate, *self.above))

    def issue(self, name: str, now: float, *, shows: bool = False, **more: Any) -> "Holder":
        """Issue a certificate, which is shown with our own if ``shows``."""
        made = issue(name, now, by=self, **more)
        return Holder(made.certificate, made.key, (self.certificate, *self.above) if shows else ())

    def revoke(self, *holders: "Holder") -> str:
        moment = self.certificate.not_valid_before_utc
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.certificate.subject)
        builder = builder.last_update(moment).next_update(moment + datetime.timedelta(seconds=HOUR + 1))
        for holder in holders:
            revoked = x509.RevokedCertificateBuilder().serial_number(holder.certificate.serial_number)
            builder = builder.add_revoked_certificate(revoked.revocation_date(moment).build())
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()

    def files(self, folder: Path, name: str) -> tuple[Path, Path]:
        certificates, key = folder / f"{name}.pem", folder / f"{name}.key"
        pem = b"".join(one.public_bytes(Encoding.PEM) for one in (self.certificate, *self.above))
        certificates.write_bytes(pem)
        key.write_text(self.key_pem)
        return certificates, key

    def context(self, folder: Path) -> ssl.SSLContext:
        """Return the TLS of a client that shows this."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.load_cert_chain(*self.files(folder, f"client-{self.certificate.serial_number}"))
        return context


def issue(name: str, now: float, *, by: Holder | None = None, authority: bool = False, path_length: int | None = None,
          extensions: tuple[Any, ...] = (), lasts: float = HOUR, units: tuple[str, ...] = (),
          key: Any = None) -> Holder:  # fmt: skip
    """Issue a certificate, by itself or by an authority, that has been good for an hour."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    names = [x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else []
    names += [x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit) for unit in units]
    subject = x509.Name(names)
    moment = datetime.datetime.fromtimestamp(int(now), datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - datetime.timedelta(seconds=HOUR))
        .not_valid_after(moment + datetime.timedelta(seconds=lasts))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if authority:
        builder = builder.add_extension(x509.BasicConstraints(True, path_length), critical=True)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    signer = by.key if by else key
    digest = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return Holder(builder.sign(signer, digest), key)
