"""Encrypting a share or a token for the person who shall have it, and for no one else.

Keys come as ``operator init -pgp-keys`` sends them: the binary OpenPGP certificate in base64 (RFC 9580).
"""

import base64
from dataclasses import dataclass

from strongroom_server.sdk.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class Sealed:
    """A message that one certificate's holder can read."""

    message: bytes
    fingerprint: str


def encrypt(plaintext: bytes, key: str) -> Sealed:
    """Encrypt for the certificate ``key``; raises InvalidRequest where it is none or cannot encrypt."""
    from pysequoia import Cert
    from pysequoia import encrypt as sequoia_encrypt

    try:
        certificate = Cert.from_bytes(base64.b64decode(key, validate=True))
        message = sequoia_encrypt(recipients=[certificate], bytes=plaintext, armor=False)
    except Exception as error:  # the library raises plain exceptions of several kinds
        raise InvalidRequest("a PGP key could not be used: expected a binary OpenPGP certificate in base64") from error
    return Sealed(message, certificate.fingerprint)
