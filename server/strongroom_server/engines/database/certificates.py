"""Keys and client certificates for users of databases that ask for those in place of a password."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from strongroom_server.engines.database import usernames

# The first is what holds where none is said.
_BITS = {"rsa": ("2048", "3072", "4096"), "ec": ("256", "224", "384", "521"), "ed25519": ("",)}
_SIGNATURE_BITS = ("256", "384", "512")
_REQUIRED = ("common_name_template", "ca_cert", "ca_private_key")
_SETTINGS = (*_REQUIRED, "key_type", "key_bits", "signature_bits")


def checked(config: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of a client certificate, complete; raises ValueError."""
    config = {name: config.get(name, "") for name in _SETTINGS}
    for name in _REQUIRED:
        if not config[name]:
            raise ValueError(f"missing required {name}")
    if config["key_type"] not in _BITS:
        raise ValueError("invalid key_type")
    bits = _BITS[config["key_type"]]
    if config["key_bits"] in {"", "0"} or bits == ("",):
        config["key_bits"] = bits[0]
    if config["key_bits"] not in bits:
        raise ValueError("invalid key_bits")
    if config["signature_bits"] in {"", "0"}:
        config["signature_bits"] = _SIGNATURE_BITS[0]
    if config["signature_bits"] not in _SIGNATURE_BITS:
        raise ValueError("invalid signature_bits")
    _load(config)
    usernames.check(config["common_name_template"])
    return config


def _load(config: Mapping[str, str]) -> tuple[Any, Any]:
    from cryptography.hazmat.primitives import serialization
    from cryptography.x509 import load_pem_x509_certificate

    try:
        certificate = load_pem_x509_certificate(config.get("ca_cert", "").encode())
        key = serialization.load_pem_private_key(config.get("ca_private_key", "").encode(), None)
    except (ValueError, TypeError):
        raise ValueError("ca_cert and ca_private_key must be PEM") from None
    if certificate.public_key() != key.public_key():
        raise ValueError("ca_private_key is not the key of ca_cert")
    return certificate, key


def rsa_pair(bits: int) -> tuple[str, str]:
    """Return a new private key (PKCS #8) and its public key (X.509), both PEM."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, bits)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return _private_pem(key), public.decode()


def issue(config: Mapping[str, str], username: str, days: tuple[float, float]) -> dict[str, Any]:
    """Return a certificate for ``username`` from the first to the second of ``days``, with its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    authority, authority_key = _load(config)
    key = _new_key(config)
    begin, end = (datetime.fromtimestamp(moment, UTC) for moment in days)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, username)]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(min(end, authority.not_valid_after_utc))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    )
    algorithm: Any = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}[config["signature_bits"]]
    signed = certificate.sign(authority_key, None if _pure(authority_key) else algorithm)
    pem = signed.public_bytes(serialization.Encoding.PEM).decode()
    return {"client_certificate": pem, "private_key": _private_pem(key), "private_key_type": config["key_type"]}


def _new_key(config: Mapping[str, str]) -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if config["key_type"] == "rsa":
        return rsa.generate_private_key(65537, int(config["key_bits"]))
    if config["key_type"] == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    curves = {"224": ec.SECP224R1(), "256": ec.SECP256R1(), "384": ec.SECP384R1(), "521": ec.SECP521R1()}
    return ec.generate_private_key(curves[config["key_bits"]])


def _pure(key: Any) -> bool:
    """Tell whether a key signs without a digest of one's choice."""
    from cryptography.hazmat.primitives.asymmetric import ed448, ed25519

    return isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey)


def _private_pem(key: Any) -> str:
    from cryptography.hazmat.primitives import serialization

    return str(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode())  # fmt: skip
