"""Passwords: by a password policy, else twenty letters, digits and dashes with one of each kind at least."""

import secrets
import string

from strongroom_server.sdk.system import System

LENGTH = 20
_KINDS = (string.ascii_lowercase, string.ascii_uppercase, string.digits, "-")
_SETS = tuple(frozenset(kind) for kind in _KINDS)
_ALL = "".join(_KINDS)
_NAMES = string.ascii_letters + string.digits


async def make(system: System, policy: str) -> str:
    """Return a new password; raises InvalidRequest where there is no such policy."""
    return await system.generate_password(policy) if policy else default()


def default() -> str:
    """Return a password by the policy that holds where none is configured: about 119 bits."""
    while True:  # most have all kinds; choosing again keeps each of those as likely as the other
        password = _random(_ALL, LENGTH)
        if all(not kind.isdisjoint(password) for kind in _SETS):
            return password


def letters(length: int) -> str:
    """Return random letters and digits, for names."""
    return _random(_NAMES, length)


def _random(alphabet: str, length: int) -> str:
    """Return random characters, each as likely as the other: bytes beyond a multiple of their number are left out."""
    count = len(alphabet)
    limit, text = 256 // count * count, ""
    while len(text) < length:  # one call to the system for many characters
        text += "".join(alphabet[byte % count] for byte in secrets.token_bytes(length + 16) if byte < limit)
    return text[:length]
