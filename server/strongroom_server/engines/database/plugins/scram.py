"""SCRAM-SHA-256 verifiers as PostgreSQL stores them (RFC 5803; PostgreSQL, pg_authid.rolpassword).

Hashing costs milliseconds of a core; made here it is done by OpenSSL beside the event loop.
"""

import asyncio
import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

METHOD = "scram-sha-256"
ITERATIONS = 4096  # PostgreSQL's own, before it could be set

# CREATE/ALTER ROLE/USER … PASSWORD '{{password}}', but no user mapping, whose password is another server's.
_CLAUSE = re.compile(
    r"""((?:\A|;)\s*(?:create|alter)\s+(?:role|user)\s+(?!mapping\b)(?:[^;'$]|'[^';$]*')*?\bpassword\s+)'{{password}}'""",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Parameters:
    """How a server hashes: whether by SCRAM, and in how many rounds."""

    on: bool = True
    iterations: int = ITERATIONS


def replaceable(statement: str) -> bool:
    """Tell whether the password stands in a place where its verifier does as well, outside of dollar bodies."""
    return "$" not in statement and _CLAUSE.search(statement) is not None


def replaced(statement: str) -> str:
    """Return the statement with ``{{verifier}}`` in such a place."""
    return _CLAUSE.sub(r"\1'{{verifier}}'", statement) if "$" not in statement else statement


async def verifier(password: str, parameters: Parameters) -> str:
    """Return the verifier of a password; one that is not ASCII (it would need SASLprep) is left for PostgreSQL."""
    if not password.isascii():
        return password
    return await asyncio.to_thread(_verifier, password, secrets.token_bytes(16), parameters.iterations)


def _verifier(password: str, salt: bytes, iterations: int) -> str:
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    salt64, stored64, server64 = (base64.b64encode(part).decode() for part in (salt, stored, server))
    return f"SCRAM-SHA-256${iterations}:{salt64}${stored64}:{server64}"
