"""Whether a certificate is revoked, as its authority's responders say (RFC 6960)."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from strongroom_server.auth.cert.names import extension
from strongroom_server.sdk.errors import UpstreamError

if TYPE_CHECKING:
    from strongroom_server.auth.cert.schemas import Role

log = logging.getLogger("auth.cert")

SKEW = timedelta(minutes=5)  # that clocks may differ
Ask = Callable[[str, bytes], Awaitable[bytes]]
Certificate = x509.Certificate


async def good(role: "Role", own: Certificate, issuer: Certificate, now: float, ask: Ask) -> bool:
    """Tell whether the responders let a certificate pass.

    The first that knows decides, or all must agree (``ocsp_query_all_servers``). Security 1: where nobody knows it does
    not pass, unless the role says otherwise (``ocsp_fail_open``); who says "revoked" is believed in any case.
    """
    question = ocsp.OCSPRequestBuilder().add_certificate(own, issuer, SHA1()).build()  # noqa: S303 - names, no secrets
    answers = []
    for url in role.ocsp_servers_override or responders(own):
        try:
            raw = await ask(url, question.public_bytes(Encoding.DER))
            answers.append(verdict(raw, own, issuer, [*extra(role)], now))
        except (UpstreamError, ValueError) as error:
            log.warning("no usable answer of the OCSP responder %s: %s", url, error)
            answers.append(None)
        if answers[-1] is not None and not role.ocsp_query_all_servers:
            break
    if False in answers:
        return False
    known = bool(answers) and (None not in answers if role.ocsp_query_all_servers else True in answers)
    return known or role.ocsp_fail_open


def extra(role: "Role") -> Sequence[Certificate]:
    """Return further certificates that responders may sign with."""
    text = role.ocsp_ca_certificates
    return x509.load_pem_x509_certificates(text.encode()) if text else ()


def responders(certificate: Certificate) -> list[str]:
    """Return the responders' addresses that a certificate names (RFC 5280, 4.2.2.1)."""
    access = extension(certificate, x509.AuthorityInformationAccess)
    return [
        one.access_location.value
        for one in access or ()
        if one.access_method == AuthorityInformationAccessOID.OCSP
        and isinstance(one.access_location, x509.UniformResourceIdentifier)
    ]


def verdict(
    raw: bytes, own: Certificate, issuer: Certificate, extra_signers: Sequence[Certificate], now: float
) -> bool | None:
    """Return whether an answer says "good" (True) or "revoked"; None for "unknown". Raises ValueError for no answer."""
    answer = ocsp.load_der_ocsp_response(raw)
    if answer.response_status != ocsp.OCSPResponseStatus.SUCCESSFUL:
        raise ValueError(f"status {answer.response_status.name}")
    if answer.serial_number != own.serial_number:  # Security 2: it is about this certificate (3.2, point 1)
        raise ValueError("about another certificate")
    _check_signature(answer, issuer, extra_signers, now)
    moment = datetime.fromtimestamp(now, UTC)
    until = answer.next_update_utc or answer.this_update_utc + timedelta(days=1)
    if not answer.this_update_utc - SKEW <= moment <= until + SKEW:  # Security 3: it is of now (3.2, points 5 and 6)
        raise ValueError("not of now")
    states = {ocsp.OCSPCertStatus.GOOD: True, ocsp.OCSPCertStatus.REVOKED: False}
    return states.get(answer.certificate_status)


def _check_signature(
    answer: ocsp.OCSPResponse, issuer: Certificate, extra_signers: Sequence[Certificate], now: float
) -> None:
    """Security 4: signed by the issuer, or by whom it lets sign (3.2, points 2 to 4; 4.2.2.2)."""
    delegated = [one for one in answer.certificates if _may_answer(one, issuer, now)]
    for signer in (issuer, *delegated, *extra_signers):
        try:
            _verify(signer.public_key(), answer)
        except (InvalidSignature, TypeError, ValueError):
            continue
        return
    raise ValueError("signed by nobody who may")


def _may_answer(signer: Certificate, issuer: Certificate, now: float) -> bool:
    use = extension(signer, x509.ExtendedKeyUsage)
    moment = datetime.fromtimestamp(now, UTC)
    if use is None or ExtendedKeyUsageOID.OCSP_SIGNING not in use:
        return False
    if not signer.not_valid_before_utc <= moment <= signer.not_valid_after_utc:
        return False
    try:
        signer.verify_directly_issued_by(issuer)
    except (InvalidSignature, TypeError, ValueError):
        return False
    return True


def _verify(key: Any, answer: ocsp.OCSPResponse) -> None:
    signed, digest = answer.tbs_response_bytes, answer.signature_hash_algorithm
    if isinstance(key, rsa.RSAPublicKey) and digest:
        key.verify(answer.signature, signed, padding.PKCS1v15(), digest)
    elif isinstance(key, ec.EllipticCurvePublicKey) and digest:
        key.verify(answer.signature, signed, ec.ECDSA(digest))
    else:
        raise ValueError("a key of another kind")
