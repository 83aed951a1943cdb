"""transit/encrypt, decrypt, rewrap, datakey."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any

from msgspec import Raw

from strongroom_common.fields import Given
from strongroom_server.engines.transit import batches, columns, material
from strongroom_server.engines.transit.batches import Item, integer, optional64
from strongroom_server.engines.transit.key_types import key_type
from strongroom_server.engines.transit.keys import Keys
from strongroom_server.engines.transit.records import Key
from strongroom_server.engines.transit.store import Name
from strongroom_server.engines.transit.texts import NO_CONTEXT, decode64, encode64, split_version, versioned
from strongroom_server.sdk.engine import write
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.request import Operation, Request, Response


@dataclass(frozen=True)
class Body:
    """One operation, or many in ``batch_input`` (objects with the same fields, and a ``reference`` that comes back)."""

    plaintext: Annotated[str | None, "What to encrypt, in base64."] = field(default=None, repr=False)
    ciphertext: Annotated[str | None, "What to decrypt."] = None
    context: Annotated[str, "Context of a derived key, in base64."] = ""
    associated_data: Annotated[str, "Data that is not encrypted but must be the same again, in base64."] = ""
    key_version: Annotated[int, "Version to encrypt with; 0 is the latest."] = 0
    nonce: Annotated[str, "Has no effect: nonces are made here."] = ""
    padding_scheme: Annotated[str, "oaep or pkcs1v15, for RSA; oaep if left out."] = ""
    batch_input: Annotated[Any, "Many operations."] = field(default=None, repr=False)
    partial_failure_response_code: Annotated[int, "Status where some items of a batch failed."] = 0
    type: Annotated[str, "Type of a key that is made by encrypting with it."] = "aes256-gcm96"
    convergent_encryption: Annotated[bool, "Of a key that is made by encrypting with it."] = False


_ALSO = ("context", "associated_data", "key_version", "padding_scheme", "decrypt_padding_scheme",
         "encrypt_padding_scheme")  # fmt: skip
"""Fields of an operation besides what it works on."""


@dataclass(frozen=True)
class RewrapBody(Body):
    """What to rewrap; an RSA key's padding may be another one for the new ciphertext."""

    decrypt_padding_scheme: Annotated[str, "Padding of the old ciphertext: oaep or pkcs1v15."] = ""
    encrypt_padding_scheme: Annotated[str, "Padding of the new ciphertext: oaep or pkcs1v15."] = ""


@dataclass(frozen=True)
class DataKey:
    """What a data key shall be."""

    bits: Annotated[int, "Length: 128, 256 or 512."] = 256
    context: Annotated[str, "Context of a derived key, in base64."] = ""
    associated_data: Annotated[str, "Associated data, in base64."] = ""
    nonce: Annotated[str, "Has no effect: nonces are made here."] = ""
    key_version: Annotated[int, "Version to encrypt with; 0 is the latest."] = 0
    padding_scheme: Annotated[str, "oaep or pkcs1v15, for RSA; oaep if left out."] = ""


class Encryption(Keys):
    """Encrypting for those who hold no key."""

    @write("encrypt/{name}", exists="key_exists")
    async def encrypt(self, name: Name, body: Given[Body], request: Request) -> Response:
        """Encrypt; a key that is not there is made where the policy grants create."""
        if (at_once := self._at_once(columns.encrypt, name, body)) is not None:
            return at_once
        items, single = _items(body, "plaintext", "missing plaintext to encrypt")
        key = await self.look_up(name)
        if key is None:
            key = await self._upsert(name, body.value, items, request)
        usable = key.usable()
        return _answer(items, lambda item: encrypt(usable, item), body, single=single)

    def _at_once(self, results: Callable[[Key, Any], Raw | None], name: str, body: Given[Any]) -> Response | None:
        """Return the answer to a batch that can be served by columns, with a key that is in memory."""
        key, batch = self._keys.get(name), body.value.batch_input
        found = None if key is None or batch is None else results(key, batch)
        return None if found is None else Response({"batch_results": found})

    async def _upsert(self, name: str, asked: Body, items: list[dict[str, Any]], request: Request) -> Key:
        if request.operation is not Operation.CREATE or (await self.settings()).disable_upsert:
            raise InvalidRequest("encryption key not found")
        derived = any(item.get("context") for item in items)
        if asked.convergent_encryption and not derived:
            raise InvalidRequest("convergent encryption requires derivation to be enabled, so context is required")
        kind = key_type(asked.type)
        if not kind.symmetric:
            raise InvalidRequest(f"unknown key type {kind.name}: expected one that encrypts and decrypts by one secret")
        return await self.make(Key(name, kind.name, {}, derived=derived, convergent=asked.convergent_encryption))

    @write("decrypt/{name}")
    async def decrypt(self, name: Name, body: Given[Body]) -> Response:
        """Decrypt."""
        if (at_once := self._at_once(columns.decrypt, name, body)) is not None:
            return at_once
        items, single = _items(body, "ciphertext", "missing ciphertext to decrypt")
        key = (await self.key(name)).usable()

        def one(item: Item) -> dict[str, Any]:
            return {"plaintext": encode64(decrypt(key, item))}

        return _answer(items, one, body, single=single, failure={"plaintext": ""})

    @write("rewrap/{name}")
    async def rewrap(self, name: Name, body: Given[RewrapBody]) -> Response:
        """Decrypt and encrypt again by the latest version, without showing the plaintext.

        A batch is always answered by 200; what failed says so itself.
        """
        if (at_once := self._at_once(columns.rewrap, name, body)) is not None:
            return at_once
        items, single = _items(body, "ciphertext", "")
        key = (await self.key(name)).usable()

        def one(item: Item) -> dict[str, Any]:
            plaintext = decrypt(key, {**item, "padding_scheme": item.get("decrypt_padding_scheme")})
            new = {"plaintext": encode64(plaintext), "padding_scheme": item.get("encrypt_padding_scheme")}
            return encrypt(key, {**item, **new})

        return Response(one(items[0]) if single else {"batch_results": batches.run(items, one)[0]})

    @write("datakey/{form}/{name}")
    async def make_data_key(self, form: Annotated[str, "plaintext or wrapped."], name: Name,
                            body: Given[DataKey]) -> dict[str, Any]:  # fmt: skip
        """Make a key for use elsewhere, and encrypt it by this one."""
        if form not in {"plaintext", "wrapped"}:
            raise InvalidRequest("Invalid path, must be 'plaintext' or 'wrapped'")
        asked = body.value
        if asked.bits not in {128, 256, 512}:
            raise InvalidRequest("invalid bit length: expected 128, 256 or 512")
        key = (await self.key(name)).usable()
        fresh = encode64(os.urandom(asked.bits // 8))
        made = encrypt(key, {"plaintext": fresh, "context": asked.context, "key_version": asked.key_version,
                             "associated_data": asked.associated_data,
                             "padding_scheme": asked.padding_scheme})  # fmt: skip
        return {**made, "plaintext": fresh} if form == "plaintext" else made


def encrypt(key: Key, item: Item) -> dict[str, Any]:
    """Return ciphertext and key version of one item; raises InvalidRequest."""
    plaintext = decode64(item["plaintext"])
    kind = key.kind
    if not kind.encrypts:
        raise InvalidRequest(f"message encryption not supported for key type {key.type}")
    number = key.for_new(integer(item, "key_version"))
    version = key.versions.get(number)
    if version is None:
        raise InvalidRequest("requested version for encryption has been trimmed")
    scheme = _padding(key, item)
    if kind.symmetric and version.secret is not None:
        secret, context = _derivation(key, version.secret, item)
        sealed = material.seal(kind, secret, plaintext, context=context,
                               convergent=key.convergent, associated=optional64(item, "associated_data"))  # fmt: skip
    else:
        _refuse_associated(key, item)
        sealed = material.rsa_encrypt(material.public_of(kind, version.secret, version.public), plaintext, scheme)
    return {"ciphertext": versioned(number, encode64(sealed)), "key_version": number}


def decrypt(key: Key, item: Item) -> bytes:
    """Return the plaintext of one item; raises InvalidRequest."""
    kind = key.kind
    if not kind.encrypts:
        raise InvalidRequest(f"message decryption not supported for key type {key.type}")
    if not item.get("ciphertext"):
        raise InvalidRequest("missing ciphertext to decrypt")
    number, text = split_version(item["ciphertext"], "ciphertext")
    version = key.versions[key.for_old(number, "ciphertext")]
    sealed = _sealed(text)
    if version.secret is None:
        raise InvalidRequest("the private half of this key is not here: it cannot decrypt")
    scheme = _padding(key, item)
    if kind.symmetric:
        secret, context = _derivation(key, version.secret, item)
        return material.unseal(kind, secret, sealed, context=context,
                               convergent=key.convergent, associated=optional64(item, "associated_data"))  # fmt: skip
    _refuse_associated(key, item)
    return material.rsa_decrypt(material.private_key(version.secret), sealed, scheme)


def _sealed(text: str) -> bytes:
    try:
        return decode64(text)
    except InvalidRequest:
        raise InvalidRequest("invalid ciphertext: could not decode base64") from None


def _derivation(key: Key, secret: bytes, item: Item) -> tuple[bytes, bytes | None]:
    """Return the secret, and the context by which it is yet to be derived, None where it is not."""
    context = optional64(item, "context")
    if key.derived and context is None:
        raise InvalidRequest(NO_CONTEXT)
    if not key.derived or context is None:
        return secret, None
    return (material.counted(secret, context), None) if key.counter_kdf else (secret, context)


def _refuse_associated(key: Key, item: Item) -> None:
    if item.get("associated_data"):
        raise InvalidRequest(f"'associated_data' provided for non-AEAD cipher suite {key.type}")


def _padding(key: Key, item: Item) -> str:
    """Return the padding asked for, "" for the usual one; raises InvalidRequest for keys that have none."""
    scheme = item.get("padding_scheme") or ""
    if scheme and key.kind.symmetric:
        raise InvalidRequest(f"'padding_scheme' provided for key type {key.type}: expected an RSA key")
    return str(scheme)


def _items(body: Given[Any], wanted: str, missing: str) -> tuple[list[dict[str, Any]], bool]:
    """Return the operations asked for, and whether it is a single one; raises InvalidRequest.

    With the word ``missing`` empty the operations look themselves for what is wanted.
    """
    asked = body.value
    if asked.batch_input is not None:
        items = batches.items_of(asked.batch_input)
        if missing and not all(wanted in item for item in items):
            raise InvalidRequest(missing)
        if missing and len({bool(item.get("context")) for item in items}) > 1:
            raise InvalidRequest("context should be set either in all the request blocks or in none")
        return items, False
    value = getattr(asked, wanted)
    if missing and (wanted not in body.sent or (wanted == "ciphertext" and not value)):
        raise InvalidRequest(missing)
    value = value or ""
    return [{wanted: value, **{name: getattr(asked, name) for name in _ALSO if name in body.sent}}], True


def _answer(
    items: list[dict[str, Any]], one: Any, body: Given[Body], *, single: bool, failure: Item = MappingProxyType({})
) -> Response:
    if single:
        return Response(one(items[0]))
    return batches.answer(items, one, body.value.partial_failure_response_code, failure)
