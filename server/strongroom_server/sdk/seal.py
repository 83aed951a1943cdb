"""What protects the root key: shares that people hold (Shamir), or a key or service elsewhere that wraps it.

A seal is a module of ``strongroom_server.seals`` whose name is its type, with
``async def open_seal(settings) -> Seal`` where ``settings`` is the stanza's plain mapping.
"""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Blob:
    """A wrapped key. ``key_id`` says which outer key wrapped it; ``version`` marks the format."""

    ciphertext: bytes
    key_id: str = ""
    version: int = 1


class Seal(Protocol):
    """Wraps and unwraps the root key. ``stored`` tells whether the server can unseal without people's shares."""

    kind: str
    stored: bool

    async def wrap(self, plaintext: bytes) -> Blob:
        """Protect ``plaintext``; raises SealError."""
        ...

    async def unwrap(self, blob: Blob) -> bytes:
        """Return what was wrapped; raises SealError, also where the blob is not this seal's."""
        ...
