"""Certificates and CRLs as the pki commands look at them.

``cryptography`` is imported when a certificate is first read, so that the other commands neither need it nor wait.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from strongroom_cli.errors import CommandError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, CertificateRevocationList

__all__ = [
    "Certificate", "certificate", "crl", "extension", "has_signed", "is_ca", "is_root", "is_trusted_by", "names_key_of",
]  # fmt: skip


def certificate(pem: str) -> "Certificate":
    """Return a certificate; raises ValueError for what is none."""
    return _library().load_pem_x509_certificate(pem.encode())  # type: ignore[no-any-return]  # imported late


def crl(pem: str) -> "CertificateRevocationList":
    """Return a certificate revocation list; raises ValueError for what is none."""
    return _library().load_pem_x509_crl(pem.encode())  # type: ignore[no-any-return]  # imported late


def _library() -> Any:
    try:
        from cryptography import x509
    except ModuleNotFoundError as error:
        what = "this command reads certificates and needs the module cryptography, which is not installed"
        raise CommandError(what, 1, "Install it with: pip install 'strongroom[server]'") from error
    return x509


def has_signed(issuer: "Certificate", issued: "Certificate") -> bool:
    """Tell whether the key of ``issuer`` made the signature of ``issued``, whatever their names are."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

    key: Any = issuer.public_key()
    signature, signed, how = issued.signature, issued.tbs_certificate_bytes, issued.signature_algorithm_parameters
    try:
        if isinstance(key, rsa.RSAPublicKey):
            scheme = how if isinstance(how, padding.PSS | padding.PKCS1v15) else padding.PKCS1v15()
            key.verify(signature, signed, scheme, issued.signature_hash_algorithm)  # type: ignore[arg-type]
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, signed, ec.ECDSA(issued.signature_hash_algorithm))  # type: ignore[arg-type]
        else:
            key.verify(signature, signed)
    except (InvalidSignature, TypeError, ValueError):
        return False
    return True


def is_root(one: "Certificate") -> bool:
    """Tell whether a certificate is signed with its own key."""
    return one.subject == one.issuer and has_signed(one, one)


def is_ca(one: "Certificate") -> bool:
    """Tell whether a certificate may issue others."""
    constraints = extension(one, "BasicConstraints")
    return bool(constraints and constraints.ca)


def extension(one: "Certificate", name: str) -> Any:
    """Return the value of the extension with this name of ``cryptography``'s, None where there is none."""
    kind = getattr(_library(), name)
    return next((found.value for found in one.extensions if isinstance(found.value, kind)), None)


def names_key_of(issued: "Certificate", issuer: "Certificate") -> bool:
    """Tell whether the authority key identifier of one is the subject key identifier of the other."""
    authority, own = extension(issued, "AuthorityKeyIdentifier"), extension(issuer, "SubjectKeyIdentifier")
    return bool(authority and own and authority.key_identifier == own.digest)


def is_trusted_by(root: "Certificate", issued: "Certificate", between: Sequence["Certificate"], now: datetime) -> bool:
    """Tell whether who trusts ``root`` trusts ``issued``, with certificates of ``between`` on the way."""
    if not issued.not_valid_before_utc <= now <= issued.not_valid_after_utc:
        return False
    if issued == root:
        return True
    above = [
        one for one in (root, *between)
        if one != issued and one.subject == issued.issuer and is_ca(one) and has_signed(one, issued)
    ]  # fmt: skip
    rest = [one for one in between if one != issued and one not in above]
    return any(is_trusted_by(root, one, rest, now) for one in above)
