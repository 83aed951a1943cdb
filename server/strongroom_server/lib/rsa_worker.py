"""The program that makes RSA keys for ``rsa_keys``: a size a line in, the length and DER of a key out."""

import os
import sys
from contextlib import suppress

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from strongroom_server.lib.memory import forbid_dumps, lock

_NICENESS = 10


def main() -> None:
    """Serve until the other side closes."""
    os.nice(_NICENESS)
    forbid_dumps()
    with suppress(OSError):  # where the server itself may not lock its memory, nor may this
        lock()
    for line in sys.stdin:
        key = rsa.generate_private_key(65537, int(line))
        raw = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        sys.stdout.buffer.write(len(raw).to_bytes(4) + raw)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
