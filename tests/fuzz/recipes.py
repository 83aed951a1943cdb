"""Requests that the server is glad of, to be spoilt a little: one that is wrong from the start says little."""

import datetime
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jwt
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

Recipe = tuple[str, Mapping[str, Any]]
"""A path and a body; None in it stands for a value that the server itself answered under the field's name."""


@cache
def recipes() -> Mapping[str, Sequence[Recipe]]:
    """Return what is known of some templates."""
    groups = _read()["recipes"]
    groups["auth/oidc"] = groups["auth/jwt"]
    made = _material()
    found: dict[str, list[Recipe]] = {}
    for mount, rows in groups.items():
        for template, path, body in rows:
            found.setdefault(f"{mount}/{template}", []).append((f"{mount}/{path}", _filled(body, made)))
    return found


def seeds() -> Sequence[Recipe]:
    """Return what to put into a new server."""
    return [(path, body) for path, body in _read()["seeds"]]


def _read() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text())
    return found


def _filled(value: Any, made: Mapping[str, str]) -> Any:
    match value:
        case dict():
            return {name: _filled(item, made) for name, item in value.items()}
        case list():
            return [_filled(item, made) for item in value]
        case str() if value.startswith("$"):
            return made[value[1:]]
    return value


def _material() -> dict[str, str]:
    """Make keys and certificates in PEM, a signing request, an SSH key and a JSON web token."""
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "example.com")]),
    )
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=9))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, ssh = serialization.Encoding.PEM, ed25519.Ed25519PrivateKey.generate().public_key()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    claims = {"sub": "a", "aud": "a", "exp": int(now.timestamp()) + 90_000, "iss": "me", "groups": ["a"]}
    made = {
        "private": private,
        "public": key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo).decode(),
        "certificate": certificate.public_bytes(pem).decode(),
        "csr": x509.CertificateSigningRequestBuilder(name).sign(key, hashes.SHA256()).public_bytes(pem).decode(),
        "ssh": ssh.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode(),
        "jwt": jwt.encode(claims, private, "ES256"),
    }
    return made | {"bundle": made["certificate"] + private}
