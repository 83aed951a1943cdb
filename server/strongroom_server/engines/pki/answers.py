"""Certificates and keys in the formats that a client may ask for: PEM, DER in Base64, or everything in one PEM."""

from base64 import b64encode
from collections.abc import Sequence
from typing import Any

from cryptography import x509

from strongroom_server.engines.pki.issuers import Issuer
from strongroom_server.lib.certificates import Signed
from strongroom_server.lib.leaf_worker import PrintedKey
from strongroom_server.lib.x509 import PrivateKey, der, key_der, key_kind, key_pem, pem, serial_text
from strongroom_server.sdk.errors import InvalidRequest

FORMATS = ("pem", "der", "pem_bundle")


def check_format(name: str) -> None:
    """Raise InvalidRequest for a format that there is not."""
    if name not in FORMATS:
        raise InvalidRequest('the "format" path parameter must be "pem", "der", or "pem_bundle"')


def shown(thing: x509.Certificate | x509.CertificateSigningRequest, form: str) -> str:
    """Return a certificate or a request in a format."""
    return b64encode(der(thing)).decode() if form == "der" else pem(thing)


def shown_signed(signed: Signed, form: str) -> str:
    """Return a fresh certificate in a format."""
    return b64encode(signed.der).decode() if form == "der" else signed.pem


def key_facts(key: PrivateKey | PrintedKey, form: str, key_form: str) -> dict[str, Any]:
    """Return a private key as it is shown beside its certificate."""
    pkcs8 = key_form == "pkcs8"
    if isinstance(key, PrintedKey):
        if form != "der" and not pkcs8:
            return {"private_key": key.pem, "private_key_type": key.kind}
        key = key.private
    text = b64encode(key_der(key, pkcs8=pkcs8)).decode() if form == "der" else key_pem(key, pkcs8=pkcs8)
    return {"private_key": text, "private_key_type": key_kind(key)}


def certificate_facts(certificate: x509.Certificate, issuer: Issuer, form: str) -> dict[str, Any]:
    """Return what every call that makes a certificate answers."""
    return {
        "certificate": shown(certificate, form),
        "expiration": int(certificate.not_valid_after_utc.timestamp()),
        "issuing_ca": shown_issuer(issuer, form),
        "serial_number": serial_text(certificate.serial_number),
    }


def chain_facts(chain: Sequence[Issuer], form: str, *, without_roots: bool = False) -> dict[str, Any]:
    """Return the chain; nothing where it is empty."""
    shown_chain = [shown_issuer(issuer, form) for issuer in chain if not (without_roots and issuer.self_signed)]
    return {"ca_chain": shown_chain} if shown_chain else {}


def shown_issuer(issuer: Issuer, form: str) -> str:
    """Return an issuer's certificate; its PEM is at hand."""
    return issuer.certificate if form != "der" else shown(issuer.x509, form)


def bundled(data: dict[str, Any], chain: Sequence[Issuer], key: PrivateKey | PrintedKey | None) -> None:
    """Make ``certificate`` hold the key, the certificate and the chain in one."""
    own = key.pem if isinstance(key, PrintedKey) else key_pem(key) if key is not None else None
    parts = [*([own] if own else []), data["certificate"],
             *(issuer.certificate for issuer in chain)]  # fmt: skip
    data["certificate"] = "\n".join(dict.fromkeys(parts))
