"""The seal of people: the root key exists only as shares, of which a threshold must be brought together.

Shares are byte-compatible with Vault's: for each byte of the secret a value over GF(2^8), then one byte that says
which share it is. A single share is the secret itself, as Vault has it. Too few or wrong shares give some other
key: it is the keyring that does not open.
"""

from collections.abc import Sequence

from strongroom_server.sdk.backend import Settings
from strongroom_server.sdk.errors import SealError
from strongroom_server.sdk.seal import Blob, Seal

MAX_SHARES = 255


class ShamirSeal:
    """Has no key of its own, so it wraps nothing."""

    kind = "shamir"
    stored = False

    async def wrap(self, plaintext: bytes) -> Blob:
        """Raise SealError."""
        raise SealError("a Shamir seal stores no root key: it is split into shares")

    async def unwrap(self, blob: Blob) -> bytes:
        """Raise SealError."""
        raise SealError("a Shamir seal stores no root key: it comes from shares")


def split(secret: bytes, shares: int, threshold: int) -> list[bytes]:
    """Split ``secret`` so that any ``threshold`` of the ``shares`` give it back; raises SealError on wrong numbers."""
    if not 1 <= shares <= MAX_SHARES:
        raise SealError(f"{shares} shares: expected 1 to {MAX_SHARES}")
    if not 1 <= threshold <= shares:
        raise SealError(f"a threshold of {threshold} of {shares} shares: expected 1 to {shares}")
    if shares == 1:
        return [secret]
    if threshold == 1:
        raise SealError("a threshold of 1 needs 1 share: with more, each would be the key itself")
    import shamir

    return [bytes(share) for share in shamir.split(secret, shares, threshold)]


def combine(shares: Sequence[bytes]) -> bytes:
    """Return the secret of ``shares``; raises SealError where they cannot belong together (twice the same, lengths)."""
    if len(shares) == 1:
        return shares[0]
    import shamir

    try:
        return bytes(shamir.combine([bytearray(share) for share in shares]))
    except ValueError as error:
        raise SealError(f"the shares do not fit together: {error}") from None


async def open_seal(settings: Settings) -> Seal:
    """Return the seal; it has no settings."""
    return ShamirSeal()
