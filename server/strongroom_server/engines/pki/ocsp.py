"""Answers to "is this certificate revoked?" (RFC 6960). Pure: a parsed request and what is known in, DER out."""

from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from strongroom_server.engines.pki.certs import Revoked
from strongroom_server.engines.pki.crls import revocation_hash, signing_of
from strongroom_server.engines.pki.issuers import Issuer
from strongroom_server.lib.x509 import PrivateKey, moment, serial_text

Digest = hashes.SHA1 | hashes.SHA224 | hashes.SHA256 | hashes.SHA384 | hashes.SHA512
"""The hashes that name an issuer in a request."""


@dataclass(frozen=True)
class Verdict:
    """What is known: the certificate is good (no ``revoked``), revoked, or not of an issuer here (not ``known``)."""

    revoked: Revoked | None
    known: bool = True


def parse(raw: bytes) -> ocsp.OCSPRequest:
    """Return the request; raises ValueError, also for one that asks for several certificates."""
    try:
        request = ocsp.load_der_ocsp_request(raw)
        _ = request.serial_number
    except NotImplementedError as error:
        raise ValueError("more than one certificate in a request") from error
    return request


def asked_serial(request: ocsp.OCSPRequest) -> str:
    """Return the serial number asked for."""
    return serial_text(request.serial_number)


def is_issuer(request: ocsp.OCSPRequest, issuer: Issuer) -> bool:
    """Tell whether the request is for a certificate of ``issuer``."""
    algorithm, certificate = _digest_of(request), issuer.x509
    own = ocsp.OCSPRequestBuilder().add_certificate(certificate, certificate, algorithm).build()
    name = _hash(certificate.subject.public_bytes(), algorithm)
    return request.issuer_name_hash == name and request.issuer_key_hash == own.issuer_key_hash


def _hash(raw: bytes, algorithm: Digest) -> bytes:
    digest = hashes.Hash(algorithm)
    digest.update(raw)
    return digest.finalize()


def _digest_of(request: ocsp.OCSPRequest) -> Digest:
    if isinstance(request.hash_algorithm, Digest):
        return request.hash_algorithm
    raise ValueError("unsupported hash algorithm")


def refusal(status: ocsp.OCSPResponseStatus) -> bytes:
    """Return an answer that says only why there is none."""
    return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)


def answer(request: ocsp.OCSPRequest, issuer: Issuer, key: PrivateKey, verdict: Verdict,
           span: tuple[float, float]) -> bytes:  # fmt: skip
    """Return the signed answer, valid for ``span`` (epoch seconds)."""
    status = ocsp.OCSPCertStatus.UNKNOWN if not verdict.known else ocsp.OCSPCertStatus.GOOD
    if verdict.revoked is not None:
        status = ocsp.OCSPCertStatus.REVOKED
    builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
        issuer_name_hash=request.issuer_name_hash,
        issuer_key_hash=request.issuer_key_hash,
        serial_number=request.serial_number,
        algorithm=_digest_of(request),
        cert_status=status,
        this_update=moment(span[0]),
        next_update=moment(span[1]) if span[1] > span[0] else None,
        revocation_time=moment(verdict.revoked.time) if verdict.revoked else None,
        revocation_reason=None,
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.NAME, issuer.x509)
    nonce = next((one for one in request.extensions if isinstance(one.value, x509.OCSPNonce)), None)
    if nonce is not None:
        builder = builder.add_extension(nonce.value, critical=False)
    return builder.sign(key, revocation_hash(key, signing_of(issuer))).public_bytes(Encoding.DER)
