"""Certificates as Vault's API shows them: PEM without its last newline, serial numbers in pairs of hex digits."""

import hashlib
import re
from base64 import b64decode
from binascii import b2a_base64
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
    load_pem_public_key,
)
from cryptography.x509.oid import PublicKeyAlgorithmOID

from strongroom_server.lib.der import last

MlDsaPrivateKey = mldsa.MLDSA44PrivateKey | mldsa.MLDSA65PrivateKey | mldsa.MLDSA87PrivateKey
MlDsaPublicKey = mldsa.MLDSA44PublicKey | mldsa.MLDSA65PublicKey | mldsa.MLDSA87PublicKey
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | MlDsaPrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | MlDsaPublicKey


class PublicPart(NamedTuple):
    """A public key as certificates have it: SubjectPublicKeyInfo in DER, and what names it.

    The name is the SHA-1 of the key's bits (RFC 5280, section 4.2.1.2, method 1).
    """

    spki: bytes
    identifier: bytes


Readable = TypeVar("Readable", x509.Certificate, x509.CertificateSigningRequest)
_UNREADABLE = (TypeError, ValueError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion,
               x509.UnsupportedGeneralNameType)  # fmt: skip
_NAMING = hashlib.sha1(usedforsecurity=False)  # copied for each key: to start one anew takes long
_FIRST_YEAR = 1950
_PEM_LINE = 64
_MARK = re.compile(r"-----(BEGIN|END) ([A-Z0-9 ]+)-----")
_CURVES: Mapping[int, Callable[[], ec.EllipticCurve]] = {
    224: ec.SECP224R1, 256: ec.SECP256R1, 384: ec.SECP384R1, 521: ec.SECP521R1,
}  # fmt: skip

_ML_DSA: Mapping[int, tuple[type[MlDsaPrivateKey], type[MlDsaPublicKey]]] = {
    44: (mldsa.MLDSA44PrivateKey, mldsa.MLDSA44PublicKey), 65: (mldsa.MLDSA65PrivateKey, mldsa.MLDSA65PublicKey),
    87: (mldsa.MLDSA87PrivateKey, mldsa.MLDSA87PublicKey),
}  # fmt: skip
_CURVE_NAMES = {curve().name for curve in _CURVES.values()}
_PSS_ALONE = bytes.fromhex("06092a864886f70d01010a")  # id-RSASSA-PSS (RFC 4055) as the algorithm of a key
_HEAD = 40  # bytes that a key's algorithm is within


def pem(thing: x509.Certificate | x509.CertificateSigningRequest | x509.CertificateRevocationList) -> str:
    """Return PEM without the newline at its end."""
    return thing.public_bytes(Encoding.PEM).decode().rstrip("\n")


def pem_of(raw: bytes) -> str:
    """Return a certificate's DER as PEM (RFC 7468) without the newline at its end."""
    text = b2a_base64(raw, newline=False).decode("ascii")
    lines = "\n".join([text[begin : begin + _PEM_LINE] for begin in range(0, len(text), _PEM_LINE)])
    return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----"


def der(thing: x509.Certificate | x509.CertificateSigningRequest | x509.CertificateRevocationList) -> bytes:
    """Return DER."""
    return thing.public_bytes(Encoding.DER)


def pem_blocks(text: str) -> list[tuple[str, str]]:
    """Return the (label, whole block) pairs in ``text``, in order."""
    blocks: list[tuple[str, str]] = []
    begun: dict[str, int] = {}
    for mark in _MARK.finditer(text):
        label = mark[2]
        if mark[1] == "BEGIN":
            begun.setdefault(label, mark.start())
        elif label in begun:
            blocks.append((label, text[begun[label] : mark.end()]))
            begun.clear()
    return blocks


def serial_text(number: int) -> str:
    """Print a serial number as "0a:1b:…"."""
    return number.to_bytes(max(1, (number.bit_length() + 7) // 8)).hex(":")


def normal_serial(text: str) -> str:
    """Return a serial number written with colons, hyphens, blanks or nothing between, as "0a:1b:…".

    What is no serial number comes back in lower case and names nothing.
    """
    digits = re.sub(r"[:\s-]", "", text.strip().lower())
    if not re.fullmatch(r"[0-9a-f]+", digits):
        return text.strip().lower()
    return bytes.fromhex(digits).hex(":") if len(digits) % 2 == 0 else digits


def colons(raw: bytes) -> str:
    """Print bytes as "0a:1b:…"."""
    return raw.hex(":")


def new_key(kind: str, bits: int) -> PrivateKey:
    """Make a private key: "ec" (224, 256, 384, 521), "ed25519", "mldsa" (44, 65, 87) or "rsa".

    RSA takes long and holds the interpreter.
    """
    if kind == "ec":
        return ec.generate_private_key(_CURVES[bits]())
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind == "mldsa":
        return _ML_DSA[bits][0].generate()
    return rsa.generate_private_key(65537, bits)


def key_kind(key: object) -> str:
    """Return "rsa", "ec", "ed25519" or "mldsa" for a private or public key; raises ValueError for another one."""
    kind: Any = type(key)
    return _kind_of(kind)


@cache
def _kind_of(kind: type[Any]) -> str:
    if issubclass(kind, rsa.RSAPrivateKey | rsa.RSAPublicKey):
        return "rsa"
    if issubclass(kind, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey):
        return "ec"
    if issubclass(kind, ed25519.Ed25519PrivateKey | ed25519.Ed25519PublicKey):
        return "ed25519"
    if issubclass(kind, MlDsaPrivateKey | MlDsaPublicKey):
        return "mldsa"
    raise ValueError(f"unsupported key type {kind.__name__}: expected rsa, ec, ed25519 or mldsa")


def check_curve(key: object) -> None:
    """Raise ValueError for an EC key on a curve that is not NIST's: peers and browsers do not read those."""
    if isinstance(key, ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey) and key.curve.name not in _CURVE_NAMES:
        raise ValueError(f"unsupported elliptic curve {key.curve.name}")


def key_bits(key: object) -> int:
    """Return the size of an RSA or EC key and the name's number of an ML-DSA key; Ed25519 has 0, as Vault counts."""
    kind = key_kind(key)
    if kind == "mldsa":
        return next(bits for bits, kinds in _ML_DSA.items() if isinstance(key, kinds))
    return 0 if kind == "ed25519" else int(key.key_size)  # type: ignore[attr-defined]


def spki(key: PrivateKey | PublicKey) -> bytes:
    """Return the public key as DER: equal for a key and its certificate."""
    public = key.public_key() if isinstance(key, PrivateKey) else key
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def public_part(key: PrivateKey | PublicKey) -> PublicPart:
    """Return a key's public part."""
    raw = spki(key)
    digest = _NAMING.copy()
    digest.update(last(raw)[1:])  # without how many bits are unused in the last byte: none
    return PublicPart(raw, digest.digest())


def load_key(text: str | bytes) -> PrivateKey:
    """Return the private key in PEM or PKCS #8 DER; raises ValueError (also for kinds that nothing here signs with)."""
    raw = text.encode() if isinstance(text, str) else text
    try:
        key = load_pem_private_key(raw, None) if b"-----BEGIN" in raw else load_der_private_key(raw, None)
    except _UNREADABLE as error:
        raise ValueError("private key could not be parsed") from error
    if not isinstance(key, PrivateKey):
        raise ValueError(f"unsupported key type {type(key).__name__}: expected rsa, ec, ed25519 or mldsa")
    return key


def load_signing_key(text: str) -> PrivateKey:
    """Return the private key in PEM; raises ValueError also for one that could not sign what others can check.

    Such are keys on rare curves and those for PSS alone: what is signed otherwise with these is not valid.
    """
    key = load_key(text)
    check_curve(key)
    if key_kind(key) == "rsa" and _PSS_ALONE in b64decode(text.split("-----")[2])[:_HEAD]:
        raise ValueError("unsupported key type RSASSA-PSS: expected rsa, ec, ed25519 or mldsa")
    return key


def trusted_rsa_key(raw: bytes) -> rsa.RSAPrivateKey:
    """Return an RSA key that we made ourselves from its PKCS #8 DER, without checking it again."""
    key = load_der_private_key(raw, None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("expected an RSA key")
    return key


def key_pem(key: PrivateKey, *, pkcs8: bool = False) -> str:
    """Return a private key as PEM: PKCS #1 or SEC 1 as OpenSSL has always printed them, or PKCS #8."""
    return key.private_bytes(Encoding.PEM, _form(key, pkcs8), NoEncryption()).decode().rstrip("\n")


def key_der(key: PrivateKey, *, pkcs8: bool = False) -> bytes:
    """Return a private key as DER, in the same forms."""
    return key.private_bytes(Encoding.DER, _form(key, pkcs8), NoEncryption())


def _form(key: PrivateKey, pkcs8: bool) -> PrivateFormat:
    traditional = not pkcs8 and key_kind(key) in {"rsa", "ec"}
    return PrivateFormat.TraditionalOpenSSL if traditional else PrivateFormat.PKCS8


def moment(seconds: float) -> datetime:
    """Return epoch seconds as certificates count them: UTC, no fractions.

    Raises ValueError for a time that they cannot hold (RFC 5280, section 4.1.2.5: 1950 to 9999).
    """
    found = datetime.fromtimestamp(int(seconds), UTC)
    if found.year < _FIRST_YEAR:
        raise ValueError(f"{zulu(found)} is before {_FIRST_YEAR}, where the time of certificates begins")
    return found


def zulu(when: datetime) -> str:
    """Print a moment as RFC 3339 with a Z and no fractions."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def load_certificates(blocks: Sequence[str]) -> list[x509.Certificate]:
    """Return the certificates of PEM blocks; raises ValueError."""
    return [load_certificate(block) for block in blocks]


def load_certificate(raw: str | bytes) -> x509.Certificate:
    """Return the certificate in PEM or DER; raises ValueError, also where a part that is read later cannot be."""
    raw = raw.encode() if isinstance(raw, str) else raw
    load = x509.load_pem_x509_certificate if b"-----BEGIN" in raw else x509.load_der_x509_certificate
    return _whole(load, raw)


def read_csr(raw: str | bytes) -> x509.CertificateSigningRequest:
    """Return the signing request in PEM or DER; raises ValueError, also where a part that is read later cannot be."""
    raw = raw.encode() if isinstance(raw, str) else raw
    load = x509.load_pem_x509_csr if b"-----BEGIN" in raw else x509.load_der_x509_csr
    return _whole(load, raw)


def _whole(load: Callable[[bytes], Readable], raw: bytes) -> Readable:
    try:
        found = load(raw)
        found.public_key()
        list(found.extensions)
        list(found.subject)
        list(found.issuer if isinstance(found, x509.Certificate) else ())
    except _UNREADABLE as error:
        raise ValueError(f"could not be read: {error}") from None
    return found


def proves_its_key(csr: x509.CertificateSigningRequest) -> bool:
    """Tell whether a request is signed by its own key; raises ValueError for a key of a kind that signs nothing.

    Security 1: SHA-1, which the library refuses and old devices still use, will do here: the signature shows only that
    who asks has the key (RFC 2986, section 3), and a certificate is never signed so.
    """
    used, key = csr.signature_hash_algorithm, csr.public_key()
    if not isinstance(used, SHA1) or not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        return csr.is_signature_valid
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(csr.signature, csr.tbs_certrequest_bytes, padding.PKCS1v15(), used)
        else:
            key.verify(csr.signature, csr.tbs_certrequest_bytes, ec.ECDSA(used))
    except InvalidSignature:
        return False
    return True


def for_pss_alone(thing: x509.Certificate | x509.CertificateSigningRequest) -> bool:
    """Tell whether a key is an RSA key that says that it signs by PSS and never otherwise (RFC 4055, section 1.2)."""
    oid = thing.public_key_algorithm_oid  # type: ignore[union-attr]  # the library's stubs forget that requests have it
    return bool(oid == PublicKeyAlgorithmOID.RSASSA_PSS)


def load_public_key(raw: str | bytes) -> Any:
    """Return the public key in PEM, or that of a certificate in PEM; raises ValueError."""
    raw = raw.encode() if isinstance(raw, str) else raw
    if b"CERTIFICATE" in raw:
        return load_certificate(raw).public_key()
    try:
        return load_pem_public_key(raw)
    except _UNREADABLE as error:
        raise ValueError(f"public key could not be read: {error}") from None
