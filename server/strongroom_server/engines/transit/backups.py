"""Backups in Vault's form, so that a key goes from one server to the other (its keysutil.KeyData)."""

from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom_common.clock import rfc3339
from strongroom_server.engines.transit import material
from strongroom_server.engines.transit.key_types import BY_CODE, to_pkcs8
from strongroom_server.engines.transit.records import Key, Version
from strongroom_server.engines.transit.texts import decode64, encode64
from strongroom_server.lib.x509 import load_public_key
from strongroom_server.sdk import codec
from strongroom_server.sdk.errors import InvalidRequest

_CURVES: dict[str, Any] = {"ecdsa-p256": ec.SECP256R1, "ecdsa-p384": ec.SECP384R1, "ecdsa-p521": ec.SECP521R1}
_EMPTY = {
    "key": None, "hmac_key": None, "time": "0001-01-01T00:00:00Z", "ec_x": None, "ec_y": None, "ec_d": None,
    "rsa_key": None, "rsa_public_key": None, "public_key": "", "convergent_version": 0, "creation_time": 0,
    "certificate_chain": None, "external_key_ref": "",
}  # fmt: skip


_OF_VAULT = {(11, True): 10}
"""Vault counts hmac keys, which alone have a size, as OpenBao counts xchacha20 ones."""


def type_of(key: Any) -> str:
    """Return the key type of a private or public key."""
    if isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey):
        return f"rsa-{key.key_size}"
    if isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey):
        return {256: "ecdsa-p256", 384: "ecdsa-p384", 521: "ecdsa-p521"}.get(key.key_size, "an unknown curve")
    if isinstance(key, ed25519.Ed25519PrivateKey | ed25519.Ed25519PublicKey):
        return "ed25519"
    return type(key).__name__


def dump(key: Key, now: float) -> bytes:
    """Return a key with all versions as a backup."""
    entries = {number: _entry(key, version) for number, version in key.versions.items()}
    policy = {
        "name": key.name,
        "keys": {str(n): entry for n, entry in sorted(entries.items()) if n >= key.minimum_decryption},
        "derived": key.derived,
        "kdf": 1 if key.derived and not key.counter_kdf else 0,
        "convergent_encryption": key.convergent,
        "exportable": key.exportable,
        "min_decryption_version": key.minimum_decryption,
        "min_encryption_version": key.minimum_encryption,
        "latest_version": key.latest,
        "archive_version": key.latest,
        "archive_min_version": key.minimum_available,
        "min_available_version": key.minimum_available,
        "deletion_allowed": key.deletion_allowed,
        "convergent_version": -1 if key.convergent else 0,
        "type": key.kind.code,
        "backup_info": {"time": rfc3339(now), "version": key.latest},
        "restore_info": key.restored.facts() if key.restored else None,
        "allow_plaintext_backup": key.allow_plaintext_backup,
        "version_template": "",
        "storage_prefix": "",
        "auto_rotate_period": key.auto_rotate_period * 10**9,
        "Imported": key.imported,
        "AllowImportedKeyRotation": key.allow_rotation,
        "soft_deleted": key.soft_deleted,
    } | ({"key_size": key.key_size} if key.key_size else {})
    first = key.minimum_available or 0
    archived = [entries.get(number, _EMPTY) for number in range(first, key.latest + 1)]
    return codec.encode({"policy": policy, "archived_keys": {"keys": archived}})


def _entry(key: Key, version: Version) -> dict[str, Any]:
    entry = {
        **_EMPTY,
        "hmac_key": encode64(version.hmac_key),
        "time": rfc3339(version.created),
        "creation_time": int(version.created),
        "certificate_chain": [encode64(der) for der in version.chain] or None,
        "convergent_version": 3 if key.convergent else 0,
    }
    secret = version.secret
    if secret is None:
        return entry | _public_entry(key, version)
    if key.kind.symmetric or key.type == "hmac":
        return {**entry, "key": encode64(secret)}
    if key.type == "ed25519":
        public = material.public_text(key.kind, secret, None)
        return {**entry, "key": encode64(secret + decode64(public)), "public_key": public}
    private = material.private_key(secret)
    if isinstance(private, ec.EllipticCurvePrivateKey):
        numbers = private.private_numbers()
        point = numbers.public_numbers
        return {**entry, "ec_x": point.x, "ec_y": point.y, "ec_d": numbers.private_value,
                "public_key": material.public_text(key.kind, secret, None)}  # fmt: skip
    if isinstance(private, rsa.RSAPrivateKey):
        return {**entry, "rsa_key": _rsa(private)}
    return {**entry, "key": encode64(secret)}


def _public_entry(key: Key, version: Version) -> dict[str, Any]:
    public = material.public_of(key.kind, None, version.public)
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        return {"rsa_public_key": {"N": numbers.n, "E": numbers.e}}
    text = {"public_key": material.public_text(key.kind, None, version.public)}
    if isinstance(public, ec.EllipticCurvePublicKey):
        point = public.public_numbers()
        return {"ec_x": point.x, "ec_y": point.y} | text
    return text


def _rsa(private: rsa.RSAPrivateKey) -> dict[str, Any]:
    """Return the numbers as Go's crypto/rsa names them."""
    n = private.private_numbers()
    return {"N": n.public_numbers.n, "E": n.public_numbers.e, "D": n.d, "Primes": [n.p, n.q],
            "Precomputed": {"Dp": n.dmp1, "Dq": n.dmq1, "Qinv": n.iqmp, "CRTValues": []}}  # fmt: skip


def load(raw: bytes) -> Key:
    """Return the key of a backup; raises InvalidRequest for what is none."""
    try:
        data = codec.loads(raw)
        policy, archived = data["policy"], data["archived_keys"]["keys"]
        size = policy.get("key_size", 0)
        kind = BY_CODE[_OF_VAULT.get((policy["type"], bool(size)), policy["type"])]
        first = policy.get("min_available_version", 0)
        versions = {
            number: _version(kind.name, entry)
            for number, entry in enumerate(archived, first)
            if number and entry.get("creation_time")
        }
        versions |= {int(number): _version(kind.name, entry) for number, entry in policy["keys"].items()}
        key = Key(
            policy["name"], kind.name, versions, policy["latest_version"], policy["derived"],
            policy["convergent_encryption"], policy["exportable"], policy["allow_plaintext_backup"],
            policy["deletion_allowed"], max(policy["min_decryption_version"], 1), policy["min_encryption_version"],
            first, policy.get("auto_rotate_period", 0) // 10**9, policy.get("Imported", False),
            policy.get("AllowImportedKeyRotation", False), policy.get("soft_deleted", False), size,
            counter_kdf=policy["derived"] and kind.symmetric and not policy.get("kdf"),
        )  # fmt: skip
        _check(key)
        return key
    except (msgspec.DecodeError, KeyError, TypeError, ValueError, AttributeError):
        raise InvalidRequest("the backup could not be read: expected what backup returned") from None


def _check(key: Key) -> None:
    """Refuse what could not be used later; raises TypeError or ValueError."""
    if "/" in key.name or not isinstance(key.derived, bool):
        raise ValueError
    usable = range(key.minimum_decryption, key.latest + 1)
    if not usable or not all(number in key.versions for number in usable) or key.minimum_encryption > key.latest:
        raise ValueError


def _version(kind: str, entry: dict[str, Any]) -> Version:
    hmac_key, created = decode64(entry["hmac_key"]), float(entry["creation_time"])
    chain = tuple(decode64(der) for der in entry.get("certificate_chain") or ())
    secret, public = _secret(kind, entry), None
    if secret is None:
        public = _public(kind, entry).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Version(secret, hmac_key, created, public, chain)


def _secret(kind: str, entry: dict[str, Any]) -> bytes | None:
    if entry.get("rsa_key"):
        return to_pkcs8(_from_rsa(entry["rsa_key"]))
    if entry.get("ec_d"):
        return to_pkcs8(ec.derive_private_key(entry["ec_d"], _CURVES[kind]()))
    if not entry.get("key"):
        return None
    return _fitting(kind, decode64(entry["key"]))


def _fitting(kind: str, secret: bytes) -> bytes:
    """Return raw material; raises ValueError where it is not of its type."""
    if kind.startswith("ml-dsa"):
        material.private_key(secret)
        return secret
    secret = secret[:32] if kind == "ed25519" else secret  # as Go has it, the public key follows
    if kind != "hmac" and len(secret) != (16 if kind == "aes128-gcm96" else 32):
        raise ValueError
    return secret


def _public(kind: str, entry: dict[str, Any]) -> Any:
    if numbers := entry.get("rsa_public_key"):
        return rsa.RSAPublicNumbers(numbers["E"], numbers["N"]).public_key()
    if kind == "ed25519":
        return ed25519.Ed25519PublicKey.from_public_bytes(decode64(entry["public_key"]))
    return load_public_key(entry["public_key"])


def _from_rsa(fields: dict[str, Any]) -> rsa.RSAPrivateKey:
    p, q = fields["Primes"]
    d = fields["D"]
    public = rsa.RSAPublicNumbers(fields["E"], fields["N"])
    dp, dq, inverse = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)
    return rsa.RSAPrivateNumbers(p, q, d, dp, dq, inverse, public).private_key()
