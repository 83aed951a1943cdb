"""Keys: those that sign and are issued, and the public keys that clients send."""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
    load_ssh_public_key,
)

from strongroom_server.engines.ssh import wire
from strongroom_server.lib.rsa_keys import RsaKeys
from strongroom_server.sdk.errors import InvalidRequest

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

_CURVES: Mapping[int, type[ec.SECP256R1 | ec.SECP384R1 | ec.SECP521R1]] = {
    256: ec.SECP256R1, 384: ec.SECP384R1, 521: ec.SECP521R1,
}  # fmt: skip
_KINDS = {
    "ssh-rsa": "rsa", "ssh-ed25519": "ed25519", "ecdsa-sha2-nistp256": "ec", "ecdsa-sha2-nistp384": "ec",
    "ecdsa-sha2-nistp521": "ec", "sk-ssh-ed25519@openssh.com": "ed25519-sk",
    "sk-ecdsa-sha2-nistp256@openssh.com": "ecdsa-sk",
}  # fmt: skip
_HARDWARE_PARTS = {"ed25519-sk": 3, "ecdsa-sk": 4}  # type, (curve,) key, application (OpenSSH's PROTOCOL.u2f)
_LONGEST = 32 * 1024  # characters of a private key; RSA with 16384 bits takes 13,000


@dataclass(frozen=True)
class PublicKey:
    """A client's public key: SSH's name of its type, the short one, its size in bits and its encoding."""

    type: str
    kind: str
    bits: int
    blob: bytes

    @property
    def digest(self) -> str:
        """Return the hex SHA-256 of the key, as it stands in key ids."""
        return hashlib.sha256(self.blob).hexdigest()


async def make(kind: str, bits: int, rsa_keys: RsaKeys) -> PrivateKey:
    """Return a new key of a kind (an SSH type, or rsa, ec, ed25519); raises InvalidRequest."""
    if kind in {"rsa", "ssh-rsa"}:
        if bits and not 2048 <= bits <= 8192:
            raise InvalidRequest(f"refusing to generate an rsa key of {bits} bits: expected 2048 to 8192")
        return await rsa_keys.take(bits or 4096)
    if kind in {"ed25519", "ssh-ed25519"}:
        return ed25519.Ed25519PrivateKey.generate()
    if kind == "ec" or kind.startswith("ecdsa-sha2-nistp"):
        text = kind.removeprefix("ecdsa-sha2-nistp")
        wanted = bits or 256 if kind == "ec" else int(text) if text.isdigit() else 0
        if wanted not in _CURVES:
            raise InvalidRequest(f"unknown ECDSA key pair algorithm and bits: {kind} / {bits}")
        return ec.generate_private_key(_CURVES[wanted]())
    raise InvalidRequest(f"unknown ssh key pair algorithm: {kind}")


def private_text(key: PrivateKey) -> str:
    """Return a private key as OpenSSH reads it, in the form that Vault uses for its kind."""
    openssh = isinstance(key, ed25519.Ed25519PrivateKey)
    form = PrivateFormat.OpenSSH if openssh else PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def load_private(text: str, *, checked: bool = False) -> PrivateKey:
    """Return the private key of a PEM text; raises InvalidRequest.

    ``checked`` is for keys that came through here before: checking a large RSA key takes half a second.
    """
    if len(text) > _LONGEST:  # the library's time goes with the square of it
        raise InvalidRequest(f"could not parse private_key provided value: expected at most {_LONGEST} characters")
    load: Any = load_ssh_private_key if "OPENSSH PRIVATE KEY" in text else load_pem_private_key
    try:
        key = load(text.encode(), None, unsafe_skip_rsa_key_validation=checked)
    except TypeError:
        raise InvalidRequest("could not parse private_key provided value: it is protected by a passphrase") from None
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidRequest("could not parse private_key provided value: expected PEM") from None
    if not isinstance(key, PrivateKey):
        raise InvalidRequest("could not parse private_key provided value: expected an RSA, ECDSA or Ed25519 key")
    return key


def public_line(key: PrivateKey) -> str:
    """Return the public half as a line of an authorized_keys file, with its newline."""
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() + "\n"


def public_blob(key: PrivateKey) -> bytes:
    """Return the public half as it stands in certificates."""
    return base64.b64decode(public_line(key).split()[1])


def parse_public(text: str, name: str = "public_key") -> PublicKey:
    """Read a public key: a line of authorized_keys, or its middle alone; raises InvalidRequest that names ``name``."""
    words = text.split()
    encoded = words[1] if len(words) > 1 else words[0] if words else ""
    try:
        blob = base64.b64decode(encoded, validate=True)
        kind, bits, name_of_type = _understood(blob)
    except (ValueError, binascii.Error, UnsupportedAlgorithm):
        expected = "an OpenSSH public key of the type RSA, ECDSA or Ed25519"
        raise InvalidRequest(f"failed to parse {name} as SSH key: expected {expected}") from None
    return PublicKey(name_of_type, kind, bits, blob)


def _understood(blob: bytes) -> tuple[str, int, str]:
    parts = wire.split(blob)
    type_ = parts[0].decode() if parts else ""
    kind = _KINDS.get(type_)
    if kind is None:
        raise ValueError(type_)
    if kind in _HARDWARE_PARTS:
        if len(parts) != _HARDWARE_PARTS[kind]:
            raise ValueError(type_)
        return kind, 256, type_
    key = load_ssh_public_key(f"{type_} {base64.b64encode(blob).decode()}".encode())
    return kind, getattr(key, "key_size", 256), type_
