"""The codes of a key (RFC 6238 over RFC 4226)."""

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.twofactor.hotp import HOTP

from strongroom_server.engines.totp.keys import Key, secret_bytes

_HASHES: dict[str, type[hashes.SHA1 | hashes.SHA256 | hashes.SHA512]] = {
    "SHA1": hashes.SHA1, "SHA256": hashes.SHA256, "SHA512": hashes.SHA512,
}  # fmt: skip


def step(key: Key, now: float) -> int:
    """Return the number of the period that ``now`` (seconds since 1970) lies in."""
    return int(now) // key.period


def code(key: Key, number: int) -> str:
    """Return the code of the period with this number; short keys are allowed, as other services make them."""
    secret = secret_bytes(key.key.reveal())
    maker = HOTP(secret, key.digits, _HASHES[key.algorithm](), enforce_key_length=False)
    return maker.generate(number).decode()
