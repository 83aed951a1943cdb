"""The program that makes RSA keys for ``rsa_keys``: a size in, the DER of a key out."""

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from strongroom_server.lib.child_program import serve

_NICENESS = 10  # keys are made ahead: whatever else there is to do comes first


def make(wish: bytes) -> bytes:
    """Return a new key of so many bits, as DER of PKCS #8."""
    key = rsa.generate_private_key(65537, int(wish))
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


if __name__ == "__main__":
    serve(make, _NICENESS)
