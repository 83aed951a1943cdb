"""transit import, import-version: bring a key of one's own into a transit engine, wrapped so that it alone reads it."""

import base64
from typing import Any

from strongroom_cli import data, keywrap
from strongroom_cli.command import Command
from strongroom_cli.errors import UsageError, trouble
from strongroom_cli.session import Session


def import_key(session: Session) -> int:
    """Make a key of the given material."""
    return _import(session, "import")


def import_version(session: Session) -> int:
    """Give an imported key another version of the given material."""
    return _import(session, "import_version")


def _import(session: Session, verb: str) -> int:
    if len(session.arguments) < 2:
        wanted = "Wanted PATH to import into and KEY material."
        raise UsageError(f"Incorrect argument count (expected 2+, got {len(session.arguments)}). {wanted}")
    path, key, *rest = session.arguments
    mount, name = _target(path)
    material = _material(key)
    settings = data.parse(rest, session.read_stdin)
    session.say("Retrieving wrapping key.")
    with trouble("failed to fetch wrapping key", code=3):
        found = session.call("read", f"{mount}/wrapping_key").data or {}
    session.say("Wrapping source key with ephemeral key.\nEncrypting ephemeral key with wrapping key.")
    body: dict[str, Any] = {**settings, "ciphertext": keywrap.wrapped(material, str(found.get("public_key") or ""))}
    session.say("Submitting wrapped key.")
    with trouble("failed to call import", code=3):
        session.call("write", f"{mount}/keys/{name}/{verb}", body)
    session.say("Success!")
    return 0


def _target(path: str) -> tuple[str, str]:
    mount, found, name = path.strip().strip("/").rpartition("/keys/")
    if not found or not mount or not name or "/" in name:
        raise UsageError("expected transit path and key name in the form :path:/keys/:name:")
    return mount, name


def _material(text: str) -> bytes:
    if text.startswith("@"):
        try:
            text = data.read_file(text[1:])
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise UsageError(f"error reading key material file: open {text[1:]}: {reason}") from error
        except ValueError as error:
            raise UsageError(f"error reading key material file: {text[1:]}: expected Base64") from error
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError as error:
        raise UsageError(f"error base64 decoding source key material: {error}") from error


_HOW = (
    "KEY is the material in Base64, or @FILE: 32 bytes for AES, PKCS#8 in DER for the others. Further KEY=VALUE\n"
    "pairs go to the engine: type, exportable, derived, ….\n\n"
    "  {program} transit import transit/keys/mine @key.b64 type=rsa-2048"
)

COMMANDS = {
    "transit import": Command(
        import_key, "PATH KEY [options...]", f"Makes the key at PATH (MOUNT/keys/NAME) of KEY. {_HOW}", (), 0, None, (),
    ),
    "transit import-version": Command(
        import_version, "PATH KEY [options...]",
        f"Makes KEY the newest version of the imported key at PATH (MOUNT/keys/NAME). {_HOW}", (), 0, None, (),
    ),
}  # fmt: skip
