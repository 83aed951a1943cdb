"""transit/derive-key: two parties with EC keys agree on a symmetric one (ECDH: NIST SP 800-56A; HKDF: RFC 5869)."""

import os
from dataclasses import dataclass
from typing import Annotated

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from strongroom_common.fields import Given
from strongroom_server.engines.transit import material
from strongroom_server.engines.transit.key_types import KeyType, key_type
from strongroom_server.engines.transit.records import Key, Version
from strongroom_server.engines.transit.store import Name
from strongroom_server.engines.transit.transfer import Transfer
from strongroom_server.lib.x509 import load_public_key
from strongroom_server.sdk.engine import write
from strongroom_server.sdk.errors import InvalidRequest


@dataclass(frozen=True)
class Agreement:
    """Whose keys meet, and what comes of it."""

    peer_public_key: Annotated[str, "The other party's EC public key, in PEM."] = ""
    base_key_name: Annotated[str, "Name of one's own key, of an ecdsa type."] = ""
    base_key_version: Annotated[int, "Its version; 0 is the latest."] = 0
    key_derivation_algorithm: Annotated[str, "ecdh."] = "ecdh"
    derived_key_type: Annotated[
        str, "Type of the key that is made: aes128-gcm96, aes256-gcm96, chacha20-poly1305 or xchacha20-poly1305."
    ] = "aes256-gcm96"


class KeyAgreement(Transfer):
    """Agrees on keys."""

    @write("derive-key/{name}")
    async def derive_key(self, name: Name, body: Given[Agreement]) -> None:
        """Agree on a key and keep it as an imported one, or as the next version of it."""
        asked = body.value
        if not asked.peer_public_key:
            raise InvalidRequest("peer public key not provided")
        if asked.key_derivation_algorithm != "ecdh":
            raise InvalidRequest(f"key derivation algorithm {asked.key_derivation_algorithm} not supported")
        kind = key_type(asked.derived_key_type)
        if not kind.symmetric:
            raise InvalidRequest(f"unknown key type {kind.name}: expected a symmetric one")
        base = await self.look_up(asked.base_key_name) if asked.base_key_name else None
        if base is None:
            raise InvalidRequest("specified base key not found")
        secret = _agreed(_own(base.usable(), asked.base_key_version), _peer(asked.peer_public_key), kind)
        async with self.locked(name):
            await self._kept(name, kind, Version(secret, os.urandom(32), self.system.clock.now()))

    async def _kept(self, name: str, kind: KeyType, version: Version) -> None:
        known = await self.look_up(name)
        if known is None:
            await self.keep(Key(name, kind.name, {1: version}, imported=True))
        elif known.type != kind.name:
            raise InvalidRequest(f"error importing key: there is a key {name!r} of type {known.type}")
        else:
            await self.keep(known.usable().with_version(version))


def _own(key: Key, number: int) -> ec.EllipticCurvePrivateKey:
    if not key.type.startswith("ecdsa"):
        raise InvalidRequest(f"base key type {key.type} does not support key agreement")
    version = key.versions[key.for_new(number, "the base key")]
    if version.secret is None:
        raise InvalidRequest("the private half of the base key is not here")
    private: ec.EllipticCurvePrivateKey = material.private_key(version.secret)
    return private


def _peer(text: str) -> ec.EllipticCurvePublicKey:
    try:
        public = load_public_key(text)
    except ValueError as error:
        raise InvalidRequest(f"failed to parse supplied peer public key PEM: {error}") from None
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise InvalidRequest("failed to parse supplied peer public key PEM: expected an EC key")
    return public


def _agreed(own: ec.EllipticCurvePrivateKey, peer: ec.EllipticCurvePublicKey, kind: KeyType) -> bytes:
    if own.curve.name != peer.curve.name:
        raise InvalidRequest(f"base private key of curve {own.curve.name} does not match peer public key curve")
    length = len(kind.make(0))
    return HKDF(hashes.SHA256(), length, salt=None, info=None).derive(own.exchange(ec.ECDH(), peer))
