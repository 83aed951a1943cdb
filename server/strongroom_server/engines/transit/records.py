"""A stored key: its settings and its versions. Old versions stay until they are trimmed."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from strongroom_common.clock import rfc3339
from strongroom_server.engines.transit import material
from strongroom_server.engines.transit.key_types import KeyType, key_type
from strongroom_server.lib.x509 import load_certificate, pem
from strongroom_server.sdk.errors import InvalidRequest


@dataclass(frozen=True)
class Version:
    """One version. ``secret`` is raw bytes or PKCS #8; an imported public key has none and ``public`` as DER."""

    secret: bytes | None = field(repr=False)
    hmac_key: bytes = field(repr=False)
    created: float
    public: bytes | None = None
    chain: tuple[bytes, ...] = ()
    """Certificates of the public half as DER: its own first, that of an authority last."""


@dataclass(frozen=True)
class Moment:
    """When something was done with a key, and what the latest version was then."""

    time: float
    version: int

    def facts(self) -> dict[str, Any]:
        """Return what is shown of it."""
        return {"time": rfc3339(self.time), "version": self.version}


def chain_text(chain: Iterable[bytes]) -> str:
    """Return certificates as PEM."""
    return "\n".join(pem(load_certificate(der)) for der in chain)


@dataclass(frozen=True)
class Key:
    """A named key. Version numbers begin at 1; ``minimum_*`` 0 is "not set"."""

    name: str
    type: str
    versions: dict[int, Version] = field(repr=False)
    latest: int = 1
    derived: bool = False
    convergent: bool = False
    exportable: bool = False
    allow_plaintext_backup: bool = False
    deletion_allowed: bool = False
    minimum_decryption: int = 1
    minimum_encryption: int = 0
    minimum_available: int = 0
    auto_rotate_period: int = 0
    imported: bool = False
    allow_rotation: bool = False
    soft_deleted: bool = False
    key_size: int = 0
    backed_up: Moment | None = None
    restored: Moment | None = None
    counter_kdf: bool = False
    """Whether keys are derived as before there was HKDF here; imported ones are, with the peer too."""

    @property
    def kind(self) -> KeyType:
        """Return the key's type."""
        return key_type(self.type)

    def with_version(self, version: Version) -> "Key":
        """Return the key with one more version, the latest."""
        number = self.latest + 1
        return replace(self, versions={**self.versions, number: version}, latest=number)

    def for_new(self, asked: int, what: str = "encryption") -> int:
        """Return the version that encrypts or signs: the one asked for, or the latest; raises InvalidRequest."""
        if asked < 0:
            raise InvalidRequest(f"requested version for {what} is negative")
        if asked > self.latest:
            raise InvalidRequest(f"requested version for {what} is higher than the latest key version")
        if asked and asked < self.minimum_encryption:
            raise InvalidRequest(f"requested version for {what} is less than the minimum encryption key version")
        if asked and asked not in self.versions:
            raise InvalidRequest(f"requested version for {what} has been trimmed")
        return asked or self.latest

    def for_old(self, number: int, what: str) -> int:
        """Return the version of a ciphertext or signature; raises InvalidRequest for one that is barred."""
        number = number or 1  # the first ciphertexts of Vault said v0
        if number > self.latest:
            raise InvalidRequest(f"invalid {what}: version is too new")
        if number < self.minimum_decryption:
            raise InvalidRequest("ciphertext or signature version is disallowed by policy (too old)")
        if number not in self.versions:
            raise InvalidRequest(f"invalid {what}: version has been trimmed")
        return number

    def usable(self) -> "Key":
        """Return the key itself; raises InvalidRequest where it is deleted softly."""
        if self.soft_deleted:
            raise InvalidRequest("refusing to use soft-deleted key")
        return self

    def facts(self, context: bytes | None = None) -> dict[str, Any]:
        """Return what a read shows; public keys of a derived key are those of ``context``."""
        kind = self.kind
        data: dict[str, Any] = {
            "allow_plaintext_backup": self.allow_plaintext_backup,
            "auto_rotate_period": self.auto_rotate_period,
            "deletion_allowed": self.deletion_allowed,
            "derived": self.derived,
            "exportable": self.exportable,
            "imported_key": self.imported,
            "latest_version": self.latest,
            "min_available_version": self.minimum_available,
            "min_decryption_version": self.minimum_decryption,
            "min_encryption_version": self.minimum_encryption,
            "name": self.name,
            "soft_deleted": self.soft_deleted,
            "supports_decryption": kind.encrypts,
            "supports_derivation": kind.derives,
            "supports_encryption": kind.encrypts,
            "supports_signing": kind.signs,
            "type": self.type,
        }
        if self.derived:
            older = {"kdf": "hmac-sha256-counter", "kdf_mode": "hmac-sha256-counter"}
            data |= {
                **(older if self.counter_kdf else {"kdf": "hkdf_sha256"}),
                "convergent_encryption": self.convergent,
            }
        if self.convergent:
            data["convergent_encryption_version"] = -1
        if self.imported:
            data["imported_key_allow_rotation"] = self.allow_rotation
        data |= {name: moment.facts() for name, moment in (("backup_info", self.backed_up),
                                                           ("restore_info", self.restored)) if moment}  # fmt: skip
        if self.type == "hmac":
            data["key_size"] = self.key_size
        data["keys"] = {
            str(number): self._shown(version, context)
            for number, version in sorted(self.versions.items())
            if number >= self.minimum_decryption
        }
        return data

    def _shown(self, version: Version, context: bytes | None) -> Any:
        if not self.kind.asymmetric:
            return int(version.created)
        return {
            "certificate_chain": chain_text(version.chain),
            "creation_time": rfc3339(version.created),
            "name": material.PUBLIC_NAMES.get(self.type, self.type),
            "public_key": self._public_text(version, context),
        }

    def _public_text(self, version: Version, context: bytes | None) -> str:
        if self.derived and not context:
            return ""
        return material.public_text(self.kind, version.secret, version.public, context if self.derived else None)
