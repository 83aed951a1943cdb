"""transit/export, backup, restore, import: keys on their way out and in."""

import os
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.keywrap import (
    InvalidUnwrap,
    aes_key_unwrap_with_padding,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
)

from strongroom_common.fields import Given, Seconds
from strongroom_server.engines.transit import backups, exports, material
from strongroom_server.engines.transit.key_types import KeyType, key_type, to_pkcs8
from strongroom_server.engines.transit.keys import check_period
from strongroom_server.engines.transit.records import Key, Moment, Version
from strongroom_server.engines.transit.signing import Signing
from strongroom_server.engines.transit.store import Name
from strongroom_server.engines.transit.texts import decode64, encode64
from strongroom_server.lib.x509 import load_public_key
from strongroom_server.sdk.engine import read, write
from strongroom_server.sdk.errors import Internal, InvalidRequest, NotFound
from strongroom_server.sdk.storage import Change

_WRAPPING = "import/wrapping_key"
_HASHES: dict[str, Any] = {
    "SHA1": hashes.SHA1, "SHA224": hashes.SHA224, "SHA256": hashes.SHA256, "SHA384": hashes.SHA384,
    "SHA512": hashes.SHA512,
}  # fmt: skip
_RSA_WRAPPED = 512  # bytes that the wrapping key's 4096 bits give


@dataclass(frozen=True)
class Restore:
    """A backup to restore."""

    backup: Annotated[str, "What backup returned."] = field(default="", repr=False)
    force: Annotated[bool, "Replace a key of the same name."] = False
    name: Annotated[str, "Name of the restored key; empty is its own."] = ""


@dataclass(frozen=True)
class Wrapped:
    """A key from elsewhere, wrapped for this mount."""

    ciphertext: Annotated[str, "The key wrapped by the mount's wrapping key, in base64."] = ""
    public_key: Annotated[str, "A public key alone, as PEM, where there is no ciphertext."] = ""
    hash_function: Annotated[str, "Hash function of the OAEP step."] = "SHA256"


@dataclass(frozen=True)
class Import(Wrapped):
    """A key, and how it is to be kept."""

    type: Annotated[str, "Type of the key."] = "aes256-gcm96"
    allow_rotation: Annotated[bool, "Whether it may be rotated here."] = False
    derived: Annotated[bool, "Derive a key for each context."] = False
    exportable: Annotated[bool, "Whether the key may leave the server."] = False
    allow_plaintext_backup: Annotated[bool, "Whether a backup in plaintext may be made."] = False
    auto_rotate_period: Annotated[Seconds, "Rotate after this long."] = Seconds(0)
    context: Annotated[str, "Has no effect here."] = ""


@dataclass(frozen=True)
class ImportVersion(Wrapped):
    """One more version of a key."""

    version: Annotated[int, "A version whose private half this is; 0 makes a new version."] = 0


@dataclass(frozen=True)
class ExportQuery:
    """Query of an export."""

    format: Annotated[str, "raw, der or pem; empty is what each type of key has always had."] = ""


@dataclass(frozen=True)
class ByokQuery:
    """Query of an export that is wrapped."""

    hash: Annotated[str, "Hash function of the OAEP step."] = "SHA256"


class Transfer(Signing):
    """Keys leave where their settings allow it, and come in wrapped."""

    @read("export/{form}/{name}")
    @read("export/{form}/{name}/{version:segment}")
    async def export(
        self, form: Annotated[str, "encryption-key, signing-key, hmac-key, public-key or certificate-chain."],
        name: Name, query: Given[ExportQuery], version: Annotated[str, "A version, or latest."] | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Show the key itself, where it is exportable."""
        exports.check_form(form, query.value.format)
        key = await self.look_up(name)
        if key is None:
            raise NotFound
        exports.check(key.usable(), form)
        exported = {str(number): exports.text(key, key.versions[number], form, query.value.format)
                    for number in exports.numbers(key, version)}  # fmt: skip
        return {"keys": exported, "name": name, "type": key.type}

    @read("byok-export/{destination}/{source}")
    @read("byok-export/{destination}/{source}/{version:segment}")
    async def export_wrapped(
        self, destination: Annotated[str, "Name of the RSA key to wrap for: the public wrapping key of another mount."],
        source: Annotated[str, "Name of the key to export."], query: Given[ByokQuery],
        version: Annotated[str, "A version, or latest."] | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Export a key wrapped for another mount, in the form that its import takes."""
        target, key = await self.look_up(destination), await self.look_up(source)
        if target is None:
            raise InvalidRequest("no such destination key to export to")
        if key is None:
            raise InvalidRequest("no such source key for export")
        if not key.usable().exportable:
            raise InvalidRequest("key is not exportable")
        public = exports.wrapping_key(target.usable())
        oaep = _oaep(query.value.hash)
        wrapped = {str(number): encode64(exports.wrapped(key, key.versions[number], public, oaep))
                   for number in exports.numbers(key, version)}  # fmt: skip
        return {"keys": wrapped, "name": source, "type": key.type}

    @read("backup/{name}")
    async def backup(self, name: Name) -> dict[str, str]:
        """Return the key with all its versions, where its settings allow that; 500, as clients expect, otherwise."""
        key = (await self.key(name)).usable()
        if not key.exportable:
            raise Internal("exporting is disallowed on the policy")
        if not key.allow_plaintext_backup:
            raise Internal("plaintext backup is disallowed on the policy")
        now = self.system.clock.now()
        async with self.locked(name):
            key = await self.keep(replace(await self.key(name), backed_up=Moment(now, key.latest)))
        return {"backup": encode64(backups.dump(key, now))}

    @write("restore")
    @write("restore/{name}")
    async def restore(self, body: Given[Restore], name: Name | None = None) -> None:
        """Take a backup in, under its own name or another one; 500, as clients expect, where that is taken."""
        if not body.value.backup:
            raise InvalidRequest("'backup' must be supplied")
        key = backups.load(decode64(body.value.backup))
        restored = Moment(self.system.clock.now(), key.latest)
        key = replace(key, name=name or body.value.name or key.name, restored=restored)
        async with self.locked(key.name):
            if not body.value.force and await self.look_up(key.name) is not None:
                raise Internal(f"key {key.name!r} already exists")
            await self.keep(key)

    # -- import -----------------------------------------------------------------------------------------------------

    @read("wrapping_key")
    async def read_wrapping_key(self) -> dict[str, str]:
        """Return the public key that a key is wrapped for before it comes in."""
        private = await self._wrapping_key()
        pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return {"public_key": pem.decode()}

    async def _wrapping_key(self) -> rsa.RSAPrivateKey:
        async with self.locked("/wrapping"):
            der = await self.storage.get(_WRAPPING)
            if der is None:
                private = await self.system.run_blocking(rsa.generate_private_key, 65537, 4096)
                der = to_pkcs8(private)
                await self.storage.commit([Change(_WRAPPING, der)])
        key: rsa.RSAPrivateKey = material.private_key(der)
        return key

    @write("keys/{name}/import")
    async def import_key(self, name: Name, body: Given[Import]) -> None:
        """Take a key in."""
        asked = body.value
        kind = key_type(asked.type)
        _check_import(kind, asked)
        async with self.locked(name):
            if await self.look_up(name) is not None:
                raise InvalidRequest("the import path cannot be used with an existing key; use import_version to add a "
                                     "version to an imported key")  # fmt: skip
            version = await self._imported(kind, asked)
            await self.keep(Key(
                name, kind.name, {1: version}, derived=asked.derived, exportable=asked.exportable,
                allow_plaintext_backup=asked.allow_plaintext_backup, auto_rotate_period=asked.auto_rotate_period,
                imported=True, allow_rotation=asked.allow_rotation,
                key_size=len(version.secret or b"") if kind.name == "hmac" else 0,
                counter_kdf=asked.derived and kind.symmetric,
            ))  # fmt: skip

    @write("keys/{name}/import_version")
    async def import_version(self, name: Name, body: Given[ImportVersion]) -> None:
        """Take in another version of an imported key, or the private half of one that has none."""
        asked = body.value
        async with self.locked(name):
            key = (await self.key(name)).usable()
            if not key.imported:
                raise InvalidRequest("the import_version endpoint can only be used with an imported key")
            version = await self._imported(key.kind, asked)
            await self.keep(_completed(key, asked.version, version) if asked.version else key.with_version(version))

    async def _imported(self, kind: KeyType, asked: Wrapped) -> Version:
        now = self.system.clock.now()
        if asked.public_key and not asked.ciphertext:
            return Version(None, os.urandom(32), now, _public(kind, asked.public_key))
        secret = await self._unwrapped(asked)
        return Version(_checked(kind, secret), secret if kind.name == "hmac" else os.urandom(32), now)

    async def _unwrapped(self, asked: Wrapped) -> bytes:
        wrapped = decode64(asked.ciphertext)
        if len(wrapped) <= _RSA_WRAPPED:
            raise InvalidRequest("provided ciphertext is too short")
        oaep = _oaep(asked.hash_function)
        private = await self._wrapping_key()
        try:  # an ephemeral AES key by OAEP, then the key by AES-KWP (RFC 5649) under it
            ephemeral = private.decrypt(wrapped[:_RSA_WRAPPED], oaep)
            if len(ephemeral) != 32:
                raise InvalidRequest("expected ephemeral AES key to be 256-bit")
            return aes_key_unwrap_with_padding(ephemeral, wrapped[_RSA_WRAPPED:])
        except (ValueError, InvalidUnwrap):
            raise InvalidRequest("the ciphertext could not be unwrapped: it needs this mount's wrapping key") from None


def _check_import(kind: KeyType, asked: Import) -> None:
    if asked.auto_rotate_period and not asked.allow_rotation:
        raise InvalidRequest("allow_rotation must be set to true if auto-rotation is enabled")
    check_period(asked.auto_rotate_period)
    if asked.derived and not kind.derives:
        raise InvalidRequest(f"key derivation not supported for keys of type {kind.name}")
    if asked.public_key and not asked.ciphertext and not kind.asymmetric:
        raise InvalidRequest("provided type does not support public_key import")


def _completed(key: Key, number: int, version: Version) -> Key:
    """Return the key with the private half of a version that had none."""
    known = key.versions.get(number)
    if known is None:
        raise InvalidRequest("no such key version")
    if known.secret is not None or version.secret is None:
        raise InvalidRequest("private key imported, key version cannot be updated")
    if material.public_of(key.kind, version.secret, None) != material.public_of(key.kind, None, known.public):
        raise InvalidRequest("private key does not belong to the public key of this version")
    whole = replace(known, secret=version.secret, public=None)
    return replace(key, versions={**key.versions, number: whole})


def _public(kind: KeyType, text: str) -> bytes:
    try:
        public = load_public_key(text)
    except ValueError:
        raise InvalidRequest("error parsing public key: expected PEM") from None
    if backups.type_of(public) != kind.name:
        raise InvalidRequest(f"invalid key type: expected {kind.name}, got {backups.type_of(public)}")
    der: bytes = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return der


def _checked(kind: KeyType, secret: bytes) -> bytes:
    """Return the material of an imported key; raises InvalidRequest where it is not of its type."""
    if not kind.asymmetric:
        sizes = {"aes128-gcm96": 16, "aes256-gcm96": 32, "chacha20-poly1305": 32, "xchacha20-poly1305": 32}
        if kind.name in sizes and len(secret) != sizes[kind.name]:
            raise InvalidRequest(f"invalid key size {len(secret)} bytes for key type {kind.name}")
        if kind.name == "hmac" and not 32 <= len(secret) <= 512:
            raise InvalidRequest(f"invalid key size {len(secret)} bytes for key type hmac")
        return secret
    try:
        private = material.private_key(secret)
    except (ValueError, TypeError):
        raise InvalidRequest("error parsing asymmetric key: expected PKCS #8") from None
    if backups.type_of(private) != kind.name:
        raise InvalidRequest(f"invalid key type: expected {kind.name}, got {backups.type_of(private)}")
    return private.private_bytes_raw() if kind.name == "ed25519" else secret


def _oaep(name: str) -> padding.OAEP:
    algorithm = _HASHES.get(name.upper().replace("-", ""))
    if algorithm is None:
        raise InvalidRequest(f"unsupported hash function: expected one of {', '.join(_HASHES)}")
    return padding.OAEP(mgf=padding.MGF1(algorithm()), algorithm=algorithm(), label=None)
