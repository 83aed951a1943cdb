"""transit/sign, verify, hmac."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any

from cryptography.hazmat.primitives.asymmetric import utils

from strongroom_common.fields import Given
from strongroom_server.engines.transit import batches, columns, material
from strongroom_server.engines.transit.batches import Item, integer, optional64
from strongroom_server.engines.transit.encryption import Encryption
from strongroom_server.engines.transit.records import Key
from strongroom_server.engines.transit.store import Name
from strongroom_server.engines.transit.texts import (
    NO_CONTEXT,
    decode64,
    encode64,
    split_version,
    url_decode64,
    url_encode64,
    versioned,
)
from strongroom_server.sdk.engine import write
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.request import Response

Algorithm = Annotated[str, "Hash algorithm."]


_USUAL_HASH = "sha2-256"


@dataclass(frozen=True)
class MacBody:
    """One message, or many in ``batch_input``."""

    input: Annotated[str | None, "The message, in base64."] = field(default=None, repr=False)
    algorithm: Annotated[str, "Hash algorithm; sha2-256 if left out. For signatures the older name of its field."] = ""
    key_version: Annotated[int, "Version to use; 0 is the latest."] = 0
    batch_input: Annotated[Any, "Many operations."] = None


@dataclass(frozen=True)
class Body(MacBody):
    """One operation, or many in ``batch_input``."""

    signature: Annotated[str, "The signature to verify."] = ""
    hmac: Annotated[str, "The HMAC to verify."] = ""
    context: Annotated[str, "Context of a derived key, in base64."] = ""
    hash_algorithm: Annotated[str, "sha1, sha2-224 to sha2-512, sha3-224 to sha3-512, or none."] = _USUAL_HASH
    prehashed: Annotated[bool, "The message is a hash already."] = False
    signature_algorithm: Annotated[str, "pss or pkcs1v15, for RSA."] = ""
    marshaling_algorithm: Annotated[str, "asn1 or jws, for ECDSA."] = "asn1"
    salt_length: Annotated[str, "auto, hash or a number of bytes, for PSS."] = "auto"


@dataclass(frozen=True, slots=True)
class Way:
    """How messages are signed: what holds for all items of a request. ``salt`` is the library's."""

    algorithm: Any
    prehashed: bool
    scheme: str
    jws: bool
    salt: Any

    @classmethod
    def of(cls, key: Key, body: Given[Body], path_algorithm: str | None, *, verifying: bool = False) -> "Way":
        """Read it from a request; raises InvalidRequest that names what is wrong."""
        asked, name = body.value, _hash_name(body, path_algorithm)
        if asked.marshaling_algorithm not in {"asn1", "jws"}:
            raise InvalidRequest(f'invalid marshaling type "{asked.marshaling_algorithm}": expected asn1 or jws')
        if name == "none":
            hashes_itself = not key.type.startswith(("rsa", "ecdsa"))
            if not hashes_itself and not (asked.prehashed and asked.signature_algorithm == "pkcs1v15"):
                raise InvalidRequest(
                    "hash_algorithm=none requires both prehashed=true and signature_algorithm=pkcs1v15"
                )
        elif name not in material.HASHES:
            raise InvalidRequest(f'invalid hash algorithm "{name}"')
        return cls(material.HASHES.get(name), asked.prehashed, asked.signature_algorithm,
                   asked.marshaling_algorithm == "jws",
                   material.pss_salt(asked.salt_length, verifying=verifying))  # fmt: skip


class Signing(Encryption):
    """Signing for those who hold no key."""

    @write("sign/{name}")
    @write("sign/{name}/{path_algorithm:segment}")
    async def sign(self, name: Name, body: Given[Body], path_algorithm: Algorithm | None = None) -> Response:
        """Sign."""
        key = (await self.key(name)).usable()
        if not key.kind.signs:
            raise InvalidRequest(f"key type {key.type} does not support signing")
        way, asked = Way.of(key, body, path_algorithm), body.value
        shown_as = "public_key" if asked.batch_input is None else "publickey"
        return _answer(body, lambda item: sign(key, way, item, asked.key_version, shown_as), {"key_version": 0})

    @write("verify/{name}")
    @write("verify/{name}/{path_algorithm:segment}")
    async def verify(self, name: Name, body: Given[Body], path_algorithm: Algorithm | None = None) -> Response:
        """Tell whether a signature or an HMAC is good."""
        key = (await self.key(name)).usable()
        if _by_hmac(body.value):
            algorithm = _mac_algorithm(_hash_name(body, path_algorithm))
            return _answer(body, lambda item: {"valid": verify_hmac(key, algorithm, item)}, {"valid": False})
        if not key.kind.signs:
            raise InvalidRequest(f"key type {key.type} does not support verification")
        way = Way.of(key, body, path_algorithm, verifying=True)
        return _answer(body, lambda item: {"valid": verify(key, way, item)}, {"valid": False})

    @write("hmac/{name}")
    @write("hmac/{name}/{path_algorithm:segment}")
    async def make_hmac(self, name: Name, body: Given[MacBody], path_algorithm: Algorithm | None = None) -> Response:
        """Make an HMAC by a key's own HMAC key."""
        key, asked = (await self.key(name)).usable(), body.value
        algorithm = _mac_algorithm(path_algorithm or asked.algorithm or _USUAL_HASH)
        if "input" not in body.sent and asked.batch_input is None:
            raise InvalidRequest("missing input for HMAC")

        def one(item: Item) -> dict[str, Any]:
            number = key.for_new(integer(item, "key_version") or asked.key_version, "HMAC")
            made = material.mac(key.versions[number].hmac_key, algorithm, _message(item, "missing input for HMAC"))
            return {"hmac": versioned(number, encode64(made))}

        if asked.batch_input is not None and not asked.key_version:
            results = columns.make_hmac(key, asked.batch_input, algorithm)
            if results is not None:
                return Response({"batch_results": results})
        return _answer(body, one)


def sign(key: Key, way: Way, item: Item, key_version: int, shown_as: str) -> dict[str, Any]:
    """Return the signature of one item, by its own key version or else this one; raises InvalidRequest.

    A derived key's public half goes with it, in the field ``shown_as``.
    """
    message = _message(item)
    number = key.for_new(integer(item, "key_version") or key_version, "signing")
    version = key.versions[number]
    if version.secret is None:
        raise InvalidRequest("the private half of this key is not here: it cannot sign")
    result: dict[str, Any] = {"key_version": number}
    if key.type == "ed25519":
        context = _context(key, item)
        signature = material.ed25519_key(version.secret, context).sign(message)
        if context is not None:
            result[shown_as] = material.public_text(key.kind, version.secret, None, context)
    else:
        private = material.private_key(version.secret)
        signature = _signed(private, message, way)
        if way.jws and key.type.startswith("ecdsa"):
            signature = material.to_jws(signature, private.key_size)
    return {**result, "signature": versioned(number, url_encode64(signature) if way.jws else encode64(signature))}


def _signed(private: Any, message: bytes, way: Way) -> bytes:
    try:
        return material.sign(private, message, algorithm=way.algorithm, prehashed=way.prehashed,
                             rsa_scheme=way.scheme, salt=way.salt)  # fmt: skip
    except ValueError as error:
        raise InvalidRequest(f"the message cannot be signed: {error}") from None


def verify(key: Key, way: Way, item: Item) -> bool:
    """Tell whether an item's signature is good; raises InvalidRequest for what is no signature."""
    number, text = split_version(item.get("signature"), "signature")
    version = key.versions[key.for_old(number, "signature")]
    try:
        signature = url_decode64(text) if way.jws else decode64(text)
    except InvalidRequest:
        raise InvalidRequest("invalid base64 signature value") from None
    if key.type.startswith("ecdsa"):
        signature = _asn1(signature, jws=way.jws)
    public = material.public_of(key.kind, version.secret, version.public, _context(key, item))
    return material.verify(public, signature, _message(item), algorithm=way.algorithm, prehashed=way.prehashed,
                           rsa_scheme=way.scheme, salt=way.salt)  # fmt: skip


def _asn1(signature: bytes, *, jws: bool) -> bytes:
    if jws:
        return material.from_jws(signature)
    try:
        utils.decode_dss_signature(signature)
    except ValueError:
        raise InvalidRequest("supplied signature is invalid") from None
    return signature


def verify_hmac(key: Key, algorithm: str, item: Item) -> bool:
    """Tell whether an item's HMAC is good; raises InvalidRequest for what is none."""
    number, text = split_version(item.get("hmac"), "HMAC to verify")
    version = key.versions[key.for_old(number, "HMAC")]
    made = material.mac(version.hmac_key, algorithm, _message(item))
    try:
        return hmac.compare_digest(made, decode64(text))
    except InvalidRequest as error:
        raise InvalidRequest(f"unable to decode verification HMAC as base64: {error}") from None


def _hash_name(body: Given[Body], path_algorithm: str | None) -> str:
    """Return the hash algorithm asked for: that of the path, else by the newer field, else by the older one."""
    newer = body.value.hash_algorithm if "hash_algorithm" in body.sent else ""
    return path_algorithm or newer or body.value.algorithm or _USUAL_HASH


def _mac_algorithm(name: str) -> str:
    if name not in material.HASHES:
        raise InvalidRequest(f"unsupported algorithm {name!r}")
    return name


def _message(item: Item, missing: str = "missing input") -> bytes:
    if "input" not in item:
        raise InvalidRequest(missing)
    try:
        return optional64(item, "input") or b""  # null is the empty message
    except InvalidRequest as error:
        raise InvalidRequest(f"unable to decode input as base64: {error}") from None


def _context(key: Key, item: Item) -> bytes | None:
    context = optional64(item, "context")
    if key.derived and context is None:
        raise InvalidRequest(NO_CONTEXT)
    return context if key.derived else None


def _single(asked: MacBody) -> dict[str, Any]:
    item = {"input": asked.input or "", "key_version": asked.key_version}
    if isinstance(asked, Body):
        item |= {"signature": asked.signature, "hmac": asked.hmac, "context": asked.context}
    return item


def _by_hmac(asked: Body) -> bool:
    """Tell whether HMACs are to be verified, not signatures, which count where there are both.

    Raises InvalidRequest where that is not clear.
    """
    batch = asked.batch_input is not None
    items = batches.items_of(asked.batch_input) if batch else [_single(asked)]
    given = {"signature" if item.get("signature") else "hmac" if item.get("hmac") else "" for item in items} - {""}
    if len(given) > 1:
        raise InvalidRequest("elements of batch_input must all provide 'signature' or all provide 'hmac'")
    if not given:
        raise InvalidRequest("no batch_input elements have 'signature' or 'hmac'" if batch else
                             "neither a 'signature' nor an 'hmac' were given to verify")  # fmt: skip
    (name,) = given
    if any(name not in item for item in items):
        raise InvalidRequest(f"some elements of batch_input are missing '{name}'")
    return name == "hmac"


def _answer(body: Given[Any], one: Callable[[Item], dict[str, Any]], failure: Item = MappingProxyType({})) -> Response:
    if body.value.batch_input is None:
        return Response(one(_single(body.value)))
    results, _ = batches.run(batches.items_of(body.value.batch_input), one, failure)
    return Response({"batch_results": results})
