"""Passwords: by a password policy, else twenty letters, digits and dashes with one of each kind at least."""

import secrets
import string

from strongroom_server.sdk.system import System

LENGTH = 20
_KINDS = (string.ascii_lowercase, string.ascii_uppercase, string.digits, "-")
_ALL = "".join(_KINDS)
_NAMES = string.ascii_letters + string.digits


async def make(system: System, policy: str) -> str:
    """Return a new password; raises InvalidRequest where there is no such policy."""
    return await system.generate_password(policy) if policy else default()


def default() -> str:
    """Return a password by the policy that holds where none is configured: about 119 bits."""
    while True:  # most have all kinds; choosing again keeps each of those as likely as the other
        password = "".join(secrets.choice(_ALL) for _ in range(LENGTH))
        if all(set(password) & set(kind) for kind in _KINDS):
            return password


def letters(length: int) -> str:
    """Return random letters and digits, for names."""
    return "".join(secrets.choice(_NAMES) for _ in range(length))
