"""The CA and the certificate of the webhook: made, renewed with an overlap, checked; no I/O.

All replicas serve the same certificate, kept with its CA in one Secret. A new CA is trusted some time before it signs,
and an old one as long as it lasts, so that no moment exists in which the API server trusts none of what is served.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from strongroom_common.secret import Secret

CA_LIFE = timedelta(days=365)
SERVING_LIFE = timedelta(days=30)
OVERLAP = timedelta(minutes=10)
"""How long a new CA is only trusted before it signs: time for every API server to see the new caBundle."""
BACKDATED = timedelta(hours=1)
"""Clocks differ: a certificate is valid some time before it is made."""


@dataclass(frozen=True)
class Material:
    """What the Secret holds, as PEM: CAs to trust (newest last) and its key, the certificate to serve and its key."""

    ca_crt: str
    ca_key: Secret[str]
    tls_crt: str
    tls_key: Secret[str]


def renewed(material: Material | None, hosts: tuple[str, ...], now: float) -> Material:
    """Return ``material`` itself if nothing is due at ``now``, else what must take its place."""
    moment = datetime.fromtimestamp(now, UTC)
    try:
        return _with_certificate(_with_ca(material, moment), hosts, moment)
    except ValueError:  # what was stored cannot be read: start anew
        return _with_certificate(_with_ca(None, moment), hosts, moment)


def expires(pem: str) -> float:
    """Return when the last certificate of ``pem`` ends, in seconds since the epoch."""
    return x509.load_pem_x509_certificates(pem.encode())[-1].not_valid_after_utc.timestamp()


def distrust(serving: str, bundle: str, now: float) -> str | None:
    """Say why a client that trusts the CAs of ``bundle`` refuses the certificate ``serving``; None if it accepts it."""
    moment = datetime.fromtimestamp(now, UTC)
    try:
        certificate = x509.load_pem_x509_certificates(serving.encode())[0]
        trusted = x509.load_pem_x509_certificates(bundle.encode())
    except ValueError:
        return "the certificate or the CA bundle cannot be read"
    if not _valid(certificate, moment):
        return f"the certificate is valid until {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC only"
    if not any(_valid(ca, moment) and _signed(certificate, ca) for ca in trusted):
        return "the caBundle of the webhook does not trust the certificate"
    return None


def _with_ca(material: Material | None, moment: datetime) -> Material:
    stored = x509.load_pem_x509_certificates(material.ca_crt.encode()) if material else []
    valid = [ca for ca in stored if _valid(ca, moment)]
    if material and valid and valid[-1] == stored[-1] and not _due(valid[-1], moment):
        return material if valid == stored else _replace_ca(material, valid, material.ca_key)
    key = ec.generate_private_key(ec.SECP256R1())
    fresh = _ca(key, moment)
    made = material or Material("", Secret(""), "", Secret(""))
    return _replace_ca(made, [*valid, fresh], _pem_of(key))


def _replace_ca(material: Material, cas: Iterable[x509.Certificate], key: Secret[str]) -> Material:
    return Material("".join(_pem(ca) for ca in cas), key, material.tls_crt, material.tls_key)


def _with_certificate(material: Material, hosts: tuple[str, ...], moment: datetime) -> Material:
    ca = x509.load_pem_x509_certificates(material.ca_crt.encode())[-1]
    if material.tls_crt:
        serving = x509.load_pem_x509_certificate(material.tls_crt.encode())
        young = moment < ca.not_valid_before_utc + BACKDATED + OVERLAP
        fits = set(hosts) <= set(_hosts(serving)) and _is_key_of(material.tls_key, serving)
        if fits and not _due(serving, moment) and (young or _signed(serving, ca)):
            return material
    ca_key = serialization.load_pem_private_key(material.ca_key.reveal().encode(), None)
    if not isinstance(ca_key, ec.EllipticCurvePrivateKey) or not _is_key_of(material.ca_key, ca):
        raise ValueError("the CA's key is not its key")
    key = ec.generate_private_key(ec.SECP256R1())
    return Material(material.ca_crt, material.ca_key, _pem(_serving(key, hosts, ca, ca_key, moment)), _pem_of(key))


def _ca(key: ec.EllipticCurvePrivateKey, moment: datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Strongroom injector CA")])
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    return (
        _builder(name, key, moment, CA_LIFE)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )


def _serving(
    key: ec.EllipticCurvePrivateKey,
    hosts: tuple[str, ...],
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    moment: datetime,
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Strongroom injector")])
    issuer = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    return (
        _builder(name, key, moment, SERVING_LIFE)
        .issuer_name(ca.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer), critical=False)
        .add_extension(x509.SubjectAlternativeName([_name_of(host) for host in hosts]), critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def _builder(
    name: x509.Name, key: ec.EllipticCurvePrivateKey, moment: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - BACKDATED)
        .not_valid_after(moment + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _valid(certificate: x509.Certificate, moment: datetime) -> bool:
    return certificate.not_valid_before_utc <= moment < certificate.not_valid_after_utc


def _due(certificate: x509.Certificate, moment: datetime) -> bool:
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    return certificate.not_valid_after_utc - moment < life / 3


def _signed(certificate: x509.Certificate, ca: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _is_key_of(key: Secret[str], certificate: x509.Certificate) -> bool:
    loaded = serialization.load_pem_private_key(key.reveal().encode(), None)
    return loaded.public_key() == certificate.public_key()


def _hosts(certificate: x509.Certificate) -> tuple[str, ...]:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return (*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress)))


def _name_of(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _pem_of(key: ec.EllipticCurvePrivateKey) -> Secret[str]:
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Secret(key.private_bytes(*form).decode())
