"""Public PGP keys from files, for shares and tokens that the server encrypts to their holders."""

import base64

from strongroom_cli.errors import UsageError
from strongroom_cli.flags import Flag

PGP_KEYS = Flag("pgp-keys", "Files with public PGP keys to encrypt the shares to, one a share; commas between.", "list")


def keys(given: list[str]) -> list[str] | None:
    """Read public keys from files, as base64 of their bytes; ``keybase:`` names are not looked up."""
    paths = [path.strip() for item in given for path in item.split(",") if path.strip()]
    keys = []
    for path in paths:
        try:
            with open(path.removeprefix("@"), "rb") as file:
                content = file.read()
        except OSError as error:
            raise UsageError(f"PGP key {path}: {error.strerror}") from error
        keys.append(_unarmored(content, path))
    return keys or None


def _unarmored(content: bytes, path: str) -> str:
    if not content.startswith(b"-----BEGIN PGP"):
        try:
            base64.b64decode(content.strip(), validate=True)
            return content.strip().decode()
        except ValueError:
            return base64.b64encode(content).decode()
    head, _, armored = content.decode("ascii", "replace").replace("\r", "").partition("\n\n")
    body = armored.partition("\n=")[0].partition("-----END")[0].replace("\n", "")
    if not body:
        raise UsageError(f"PGP key {path}: no key after {head.splitlines()[0]}")
    return body
