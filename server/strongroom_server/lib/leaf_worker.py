"""The program that makes leaves for ``leaf_process``: keys, and the certificates for them."""

from functools import cached_property
from typing import NamedTuple

import msgspec
from cryptography.hazmat.primitives.serialization import load_der_private_key

from strongroom_server.lib.certificates import SERIAL_SIZE, Pattern, Signed, Template, assemble
from strongroom_server.lib.child_program import serve
from strongroom_server.lib.randomness import Randomness
from strongroom_server.lib.signing import Signing, signer
from strongroom_server.lib.x509 import PrivateKey, key_pem, load_key, new_key, public_part
from strongroom_server.sdk.errors import InvalidRequest


class Signatory(msgspec.Struct, array_like=True, frozen=True, dict=True):
    """Who signs, and how: parts of a pattern, and the issuer's key as PKCS #8 DER."""

    algorithm: bytes
    issuer: bytes
    key: bytes
    signing: Signing

    @cached_property
    def pattern(self) -> Pattern:
        """Return what all that is signed so has in common."""
        key = load_der_private_key(self.key, None, unsafe_skip_rsa_key_validation=True)  # it was checked when it came
        if not isinstance(key, PrivateKey):
            raise ValueError("expected a key that signs certificates")
        return Pattern(self.algorithm, self.issuer, signer(key, self.signing), Randomness(SERIAL_SIZE))

    def __repr__(self) -> str:
        return "Signatory(...)"


class Wish(NamedTuple):
    """A leaf that is wanted: its key's kind and size, and what its certificate says."""

    kind: str
    bits: int
    template: Template


class PrintedKey(NamedTuple):
    """A private key in its usual PEM, as ``x509.key_pem`` prints it."""

    pem: str
    kind: str

    @property
    def private(self) -> PrivateKey:
        """Return the key itself."""
        return load_key(self.pem)

    def __repr__(self) -> str:
        return "PrintedKey(...)"


class Leaf(NamedTuple):
    """A certificate and its key."""

    signed: Signed
    key: PrintedKey


class Question(NamedTuple):
    """A wish, and the number of who signs it, counted from the first there ever was; ``signatory`` where it is new."""

    number: int
    wish: Wish
    signatory: Signatory | None = None


class Program:
    """Makes what is wished; knows each signatory from when it was told."""

    def __init__(self) -> None:
        self._signatories: list[Signatory] = []
        self._read = msgspec.msgpack.Decoder(Question)
        self._write = msgspec.msgpack.Encoder()

    def answer(self, question: bytes) -> bytes:
        """Return a leaf, or None where it cannot be made: who asked tries again and can say why."""
        number, wish, signatory = self._read.decode(question)
        if signatory is not None:
            self._signatories.append(signatory)
        return self._write.encode(self._leaf(wish, self._signatories[number]))

    def _leaf(self, wish: Wish, by: Signatory) -> Leaf | None:
        kind, bits, template = wish
        try:
            key = new_key(kind, bits)
            signed = assemble(template.of(public_part(key)), by.pattern)
        except (InvalidRequest, ValueError):
            return None
        return Leaf(signed, PrintedKey(key_pem(key), kind))


if __name__ == "__main__":
    serve(Program().answer)
