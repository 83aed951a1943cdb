"""The barrier's keys: one a term, the newest encrypts, all decrypt. No I/O here.

The keyring itself is stored as one entry under the root key, with term 0, which no key of the ring has.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom_server.barrier import cipher
from strongroom_server.barrier.cipher import CannotDecrypt
from strongroom_server.lib.randomness import Randomness
from strongroom_server.sdk import codec
from strongroom_server.sdk.backend import Change

_ROOT_TERM = 0


@dataclass(slots=True)
class Term:
    """One key. ``installed`` is in seconds since the epoch; ``encryptions`` is what has been counted durably."""

    number: int
    key: bytearray = field(repr=False)
    installed: float
    encryptions: int = 0


@dataclass(slots=True)
class _Stored:
    terms: list[Term]


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """What may be known of the active key. ``installed`` is in seconds since the epoch."""

    term: int
    installed: float
    encryptions: int


def new_root_key() -> bytes:
    """Return a fresh root key."""
    return os.urandom(cipher.KEY_SIZE)


class Keyring:
    """The keys, ready to use. ``terms`` is in ascending order and never empty."""

    def __init__(self, terms: list[Term]) -> None:
        self._terms = terms
        self._ciphers = {term.number: AESGCM(term.key) for term in terms}
        self._active = terms[-1].number
        self._cipher = self._ciphers[self._active]
        self._nonces = Randomness(cipher.NONCE_SIZE)
        self.encryptions = terms[-1].encryptions

    @classmethod
    def create(cls, now: float) -> "Keyring":
        """Return a ring with a random key of term 1."""
        return cls([_new_term(1, now)])

    def rotated(self, now: float) -> "Keyring":
        """Return a ring with a new active key; what the others encrypted stays readable."""
        return Keyring([*self._counted(), _new_term(self._active + 1, now)])

    def encrypt(self, entries: Mapping[str, bytes | None]) -> list[Change]:
        """Return what stores plain ``entries``, given by path, under the active key; None removes one."""
        self.encryptions += len(entries)
        return cipher.encrypt(self._cipher, self._active, entries, self._nonces)

    def decrypt(self, path: str, entry: bytes) -> bytes:
        """Return the plaintext of ``entry``; raises CannotDecrypt."""
        term = cipher.term_of(entry)
        key = self._ciphers.get(term)
        if key is None:
            raise CannotDecrypt(f"no key of term {term}")
        return cipher.decrypt(key, path, entry)

    def info(self) -> KeyInfo:
        """Describe the active key."""
        active = self._terms[-1]
        return KeyInfo(active.number, active.installed, self.encryptions)

    def sealed(self, root_key: bytes, path: str) -> Change:
        """Return what stores the ring at ``path`` under ``root_key``."""
        stored = codec.encode(_Stored(self._counted()))
        (change,) = cipher.encrypt(AESGCM(root_key), _ROOT_TERM, {path: stored}, self._nonces)
        return change

    @classmethod
    def opened(cls, root_key: bytes, path: str, entry: bytes) -> "Keyring":
        """Return the ring stored in ``entry``; raises CannotDecrypt where ``root_key`` is not its key."""
        try:
            if cipher.term_of(entry) != _ROOT_TERM:
                raise CannotDecrypt("not a keyring")
            plaintext = cipher.decrypt(AESGCM(root_key), path, entry)
            return cls(codec.decode(_Stored, plaintext).terms)
        except (ValueError, msgspec.MsgspecError) as error:  # AESGCM refuses keys of a wrong length with ValueError
            raise CannotDecrypt(f"the root key does not open the keyring: {error}") from None

    def wipe(self) -> None:
        """Zero the keys that this object holds. Copies inside the cipher library go when it is collected."""
        for term in self._terms:
            term.key[:] = bytes(len(term.key))
        self._ciphers = {}

    def _counted(self) -> list[Term]:
        active = self._terms[-1]
        return [*self._terms[:-1], Term(active.number, active.key, active.installed, self.encryptions)]


def _new_term(number: int, now: float) -> Term:
    return Term(number, bytearray(os.urandom(cipher.KEY_SIZE)), now)
