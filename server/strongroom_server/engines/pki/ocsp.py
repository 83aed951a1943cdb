"""Answers to "is this certificate revoked?" (RFC 6960). Pure: a parsed request and what is known in, DER out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from strongroom_server.engines.pki import ocsp_several
from strongroom_server.engines.pki.certs import Revoked
from strongroom_server.engines.pki.crls import revocation_hash, signing_of
from strongroom_server.engines.pki.issuers import Issuer
from strongroom_server.lib.signing import Hash
from strongroom_server.lib.x509 import PrivateKey, key_kind, moment, serial_text

Digest = hashes.SHA1 | hashes.SHA224 | hashes.SHA256 | hashes.SHA384 | hashes.SHA512
"""The hashes that name an issuer in a request."""


@dataclass(frozen=True)
class Verdict:
    """What is known: the certificate is good (no ``revoked``), revoked, or not of an issuer here (not ``known``)."""

    revoked: Revoked | None
    known: bool = True


def parse(raw: bytes) -> list[ocsp.OCSPRequest]:
    """Return the questions of a request, one for each certificate, at least one; raises ValueError."""
    try:
        return [ocsp.load_der_ocsp_request(raw)]
    except NotImplementedError:  # well-formed, but not for one
        asked = ocsp_several.questions(raw)
    if not asked:
        raise ValueError("no certificate in a request")
    return [ocsp.load_der_ocsp_request(one) for one in asked]


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


def answer(known: Sequence[tuple[ocsp.OCSPRequest, Verdict]], issuer: Issuer, key: PrivateKey,
           span: tuple[float, float]) -> bytes:  # fmt: skip
    """Return the signed answer to all questions, at least one, valid for ``span`` (epoch seconds)."""
    algorithm = revocation_hash(key, signing_of(issuer))
    first = _unsigned(*known[0], issuer, span).sign(key, algorithm)
    if len(known) == 1:
        return first.public_bytes(Encoding.DER)
    others = [ocsp_several.Single(request, one.known, one.revoked.time if one.revoked else None, span)
              for request, one in known[1:]]  # fmt: skip
    return ocsp_several.joined(first, others, _signer(key, algorithm))


def _signer(key: PrivateKey, algorithm: Hash | None) -> Callable[[bytes], bytes]:
    """Return what signs as the library's builder does."""
    private: Any = key  # each kind takes arguments of its own
    arguments = {"rsa": (padding.PKCS1v15(), algorithm), "ec": (algorithm and ec.ECDSA(algorithm),)}
    return lambda content: private.sign(content, *arguments.get(key_kind(key), ()))


def _unsigned(request: ocsp.OCSPRequest, verdict: Verdict, issuer: Issuer,
              span: tuple[float, float]) -> ocsp.OCSPResponseBuilder:  # fmt: skip
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
    return builder
