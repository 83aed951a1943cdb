"""Certificates in OpenSSH's format (PROTOCOL.certkeys), signed.

The library's builder signs with one algorithm a kind of key and knows no keys of security tokens, so this is our own.
"""

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from strongroom_server.engines.ssh import wire
from strongroom_server.engines.ssh.keys import PrivateKey, PublicKey, public_blob
from strongroom_server.sdk.errors import InvalidRequest

TYPES = {"user": 1, "host": 2}
RSA_ALGORITHMS: Mapping[str, type[hashes.SHA1 | hashes.SHA256 | hashes.SHA512]] = {
    "rsa-sha2-256": hashes.SHA256, "rsa-sha2-512": hashes.SHA512, "ssh-rsa": hashes.SHA1,
}  # fmt: skip
DEFAULT = "default"
_CURVE_HASHES: Mapping[int, type[hashes.SHA256 | hashes.SHA384 | hashes.SHA512]] = {
    256: hashes.SHA256, 384: hashes.SHA384, 521: hashes.SHA512,
}  # fmt: skip


@dataclass(frozen=True)
class Certificate:
    """What is signed. ``kind`` is "user" or "host"; times are seconds since 1970."""

    key: PublicKey
    kind: str
    serial: int
    key_id: str
    principals: tuple[str, ...]
    not_before: int
    not_after: int
    critical_options: Mapping[str, str]
    extensions: Mapping[str, str]


def sign(certificate: Certificate, signer: PrivateKey, algorithm: str) -> str:
    """Return the signed certificate as a line; raises InvalidRequest where the key cannot sign with ``algorithm``."""
    body = _body(certificate, signer)
    blob = body + wire.string(_signature(body, signer, algorithm))
    return f"{_type(certificate.key)} {base64.b64encode(blob).decode()}\n"


def _type(key: PublicKey) -> str:
    return key.type.removesuffix("@openssh.com") + "-cert-v01@openssh.com"


def _body(one: Certificate, signer: PrivateKey) -> bytes:
    key_fields = one.key.blob[len(wire.string(one.key.type.encode())) :]
    return b"".join([
        wire.string(_type(one.key).encode()),
        wire.string(secrets.token_bytes(32)),
        key_fields,
        one.serial.to_bytes(8),
        TYPES[one.kind].to_bytes(4),
        wire.string(one.key_id.encode()),
        wire.string(wire.strings(one.principals)),
        one.not_before.to_bytes(8),
        one.not_after.to_bytes(8),
        wire.string(_options(one.critical_options)),
        wire.string(_options(one.extensions)),
        wire.string(b""),
        wire.string(public_blob(signer)),
    ])  # fmt: skip


def _options(options: Mapping[str, str]) -> bytes:
    """Return names in order, each with its value as a string in a string; an empty value is a flag."""
    return b"".join(
        wire.string(name.encode()) + wire.string(wire.string(value.encode()) if value else b"")
        for name, value in sorted(options.items(), key=lambda item: item[0].encode())
    )


def _signature(body: bytes, signer: PrivateKey, algorithm: str) -> bytes:
    if algorithm != DEFAULT and isinstance(signer, ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey):
        raise InvalidRequest(f"the role's algorithm_signer {algorithm!r} needs an issuer with an RSA key")
    if isinstance(signer, ed25519.Ed25519PrivateKey):
        return wire.strings(["ssh-ed25519"]) + wire.string(signer.sign(body))
    if isinstance(signer, ec.EllipticCurvePrivateKey):
        bits = signer.curve.key_size
        r, s = decode_dss_signature(signer.sign(body, ec.ECDSA(_CURVE_HASHES[bits]())))
        return wire.strings([f"ecdsa-sha2-nistp{bits}"]) + wire.string(wire.mpint(r) + wire.mpint(s))
    name = "rsa-sha2-256" if algorithm == DEFAULT else algorithm
    return wire.strings([name]) + wire.string(signer.sign(body, padding.PKCS1v15(), RSA_ALGORITHMS[name]()))
