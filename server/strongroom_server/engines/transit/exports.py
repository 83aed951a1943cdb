"""Keys on their way out, pure: which versions, in which form, and wrapped for another mount."""

import os
import re
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from strongroom_server.engines.transit import material
from strongroom_server.engines.transit.key_types import to_pkcs8
from strongroom_server.engines.transit.records import Key, Version, chain_text
from strongroom_server.engines.transit.texts import encode64
from strongroom_server.sdk.errors import InvalidRequest

_FORMS = frozenset({"encryption-key", "signing-key", "hmac-key", "public-key", "certificate-chain"})
_FORMATS = frozenset({"", "raw", "der", "pem"})
_OLD = PrivateFormat.TraditionalOpenSSL


def check_form(form: str, encoding: str) -> None:
    """Refuse what is no form of a key, or no way to write one."""
    if form not in _FORMS:
        raise InvalidRequest(f"invalid export type: {form}")
    if encoding not in _FORMATS:
        raise InvalidRequest(f"invalid format: {encoding}")


def check(key: Key, form: str) -> None:
    """Refuse to show what may not leave, and what the key has not got."""
    if form == "certificate-chain" and not key.kind.signs:
        raise InvalidRequest("certificate chain not supported for keys that do not support signing")
    if form in {"public-key", "certificate-chain"}:
        return
    if not key.exportable:
        raise InvalidRequest("private key material is not exportable")
    if form == "encryption-key" and not key.kind.encrypts:
        raise InvalidRequest("encryption not supported for the key")
    if form == "signing-key" and not key.kind.signs:
        raise InvalidRequest("signing not supported for the key")


def numbers(key: Key, version: str | None) -> list[int]:
    """Return the versions that an export is of; raises InvalidRequest where there is no such one."""
    if not version:
        return sorted(number for number in key.versions if number >= key.minimum_decryption)
    if version != "latest" and not re.fullmatch("-?[0-9]{1,9}", version):
        raise InvalidRequest("invalid key version")
    number = key.latest if version == "latest" else int(version)
    if number < key.minimum_decryption:
        raise InvalidRequest("version for export is below minimum decryption version")
    if number not in key.versions:
        raise InvalidRequest("version does not exist or cannot be found")
    return [number]


def text(key: Key, version: Version, form: str, encoding: str) -> str:
    """Return one version as an export shows it.

    ``encoding`` "raw" is base64 of the secret alone, "der" and "pem" are PKCS #8 and SubjectPublicKeyInfo; "" is the
    form that each type has always had.
    """
    if form == "certificate-chain":
        if not version.chain:
            raise InvalidRequest("selected key version does not have a certificate chain imported")
        return chain_text(version.chain)
    if form == "public-key":
        return _public_text(key, version, encoding)
    if form == "hmac-key":
        return _raw(version.hmac_key, "HMAC", encoding)
    if version.secret is None:
        raise InvalidRequest("the private half of this key is not here")
    if key.kind.symmetric:
        return _raw(version.secret, key.type, encoding)
    return _private_text(key, version.secret, encoding)


def _raw(secret: bytes, what: str, encoding: str) -> str:
    if encoding not in {"", "raw"}:
        raise InvalidRequest(f"unknown format for {what} key; supported values are `` or `raw`")
    return encode64(secret)


def _public_text(key: Key, version: Version, encoding: str) -> str:
    if not key.kind.asymmetric:
        raise InvalidRequest(f"unknown key type {key.type} for export type public-key")
    public = material.public_of(key.kind, version.secret, version.public)
    if key.type == "ed25519" and encoding in {"", "raw"}:
        return encode64(public.public_bytes_raw())
    return _encoded(key, encoding or "pem", lambda way: public.public_bytes(way, PublicFormat.SubjectPublicKeyInfo))


def _private_text(key: Key, secret: bytes, encoding: str) -> str:
    private: Any = material.ed25519_key(secret, None) if key.type == "ed25519" else material.private_key(secret)
    if key.type == "ed25519" and encoding in {"", "raw"}:
        return encode64(secret + private.public_key().public_bytes_raw())
    form = PrivateFormat.PKCS8 if encoding or key.type.startswith("ml-dsa") else _OLD
    return _encoded(key, encoding or "pem", lambda way: private.private_bytes(way, form, NoEncryption()))


def _encoded(key: Key, encoding: str, write: Callable[[Encoding], bytes]) -> str:
    """Return DER in base64, or PEM: as Vault has it, with the last line's end for RSA only."""
    if encoding == "raw":
        raise InvalidRequest(f"unknown key format for {key.type} key; supported values are ``, `der`, or `pem`")
    if encoding == "der":
        return encode64(write(Encoding.DER))
    pem = write(Encoding.PEM).decode()
    return pem if key.type.startswith("rsa") else pem.rstrip("\n")


# -- wrapped ---------------------------------------------------------------------------------------------------------


def wrapping_key(target: Key) -> rsa.RSAPublicKey:
    """Return the public key that others are wrapped for."""
    if target.type.startswith("rsa"):
        newest = target.versions[target.latest]
        key: rsa.RSAPublicKey = material.public_of(target.kind, newest.secret, newest.public)
        return key
    raise InvalidRequest("unsupported key type in use; must be a rsa key")


def wrapped(key: Key, version: Version, public: rsa.RSAPublicKey, oaep: padding.OAEP) -> bytes:
    """Return a key under a fresh AES key, by AES-KWP (RFC 5649), after that one by OAEP."""
    if version.secret is None:
        raise InvalidRequest("the private half of this key is not here")
    secret = to_pkcs8(material.ed25519_key(version.secret, None)) if key.type == "ed25519" else version.secret
    ephemeral = os.urandom(32)
    return public.encrypt(ephemeral, oaep) + aes_key_wrap_with_padding(ephemeral, secret)
