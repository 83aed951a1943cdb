"""SCRAM-SHA-256 verifiers as PostgreSQL stores them (RFC 5803; PostgreSQL, pg_authid.rolpassword).

Hashing takes milliseconds of a core: OpenSSL does it, beside the event loop.
"""

import asyncio
import base64
import hashlib
import hmac
import secrets

METHOD = "scram-sha-256"
ITERATIONS = 4096  # RFC 7677, 4: at least; PostgreSQL's own, before it could be set


async def verifier(password: str, iterations: int) -> str:
    """Return the verifier of a password in ASCII (others would need SASLprep, RFC 4013)."""
    return await asyncio.to_thread(_verifier, password, secrets.token_bytes(16), iterations)


def _verifier(password: str, salt: bytes, iterations: int) -> str:
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    salt64, stored64, server64 = (base64.b64encode(part).decode() for part in (salt, stored, server))
    return f"SCRAM-SHA-256${iterations}:{salt64}${stored64}:{server64}"
