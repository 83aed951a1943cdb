"""Keys wrapped for a transit engine, as PKCS#11's CKM_RSA_AES_KEY_WRAP does it and the engine's documentation has it.

The key goes under an ephemeral AES key (RFC 5649), that one under the engine's RSA wrapping key (RSA-OAEP).
https://developer.hashicorp.com/vault/docs/secrets/transit/key-wrapping-guide
``cryptography`` is imported when a key is wrapped, so that the other commands neither need it nor wait.
"""

import base64
import os

from strongroom_cli.errors import CommandError


def wrapped(material: bytes, public_key: str) -> str:
    """Return ``material`` under the public key (PEM), in Base64; raises CommandError where that is no RSA key."""
    try:
        from cryptography.hazmat.primitives import hashes, keywrap, serialization
        from cryptography.hazmat.primitives.asymmetric import padding, rsa
    except ModuleNotFoundError as error:
        what = "this command wraps keys and needs the module cryptography, which is not installed"
        raise CommandError(what, 1, "Install it with: pip install 'strongroom[server]'") from error
    try:
        wrapping = serialization.load_pem_public_key(public_key.encode())
    except ValueError as error:
        raise CommandError(f"failed to fetch wrapping key: {error}", 3) from error
    if not isinstance(wrapping, rsa.RSAPublicKey):
        raise CommandError("failed to fetch wrapping key: expected an RSA key", 3)
    ephemeral = os.urandom(32)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    whole = wrapping.encrypt(ephemeral, oaep) + keywrap.aes_key_wrap_with_padding(ephemeral, material)
    return base64.b64encode(whole).decode()
