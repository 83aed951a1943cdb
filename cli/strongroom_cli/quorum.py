"""What several key holders do together, one key each: where it stands, and the next key."""

from typing import Any

from strongroom_cli.errors import UsageError
from strongroom_cli.flags import Flag
from strongroom_cli.session import Session
from strongroom_client import Response

NONCE = Flag("nonce", "Which operation the key is for; shown when it was started.")
STATUS = Flag("status", "Print how far it is.", "bool")
CANCEL = Flag("cancel", "Give it up and forget the keys given so far.", "bool")


def state(session: Session, path: str) -> dict[str, Any]:
    """Return what the server says of itself at ``path``."""
    return told(session.look(path))


def told(response: Response | None) -> dict[str, Any]:
    """Return what such an answer holds: Vault sends it bare, OpenBao in part within the usual envelope."""
    if response is None:
        return {}
    found: dict[str, Any] = response.data if isinstance(response.data, dict) else response.body or {}
    return found


def share(session: Session, nonce: str, what: str) -> tuple[str, str]:
    """Return nonce and key share; a share from the command line or a pipe must come with the nonce it is for."""
    given = session.options.text("nonce")
    if session.arguments:
        word = session.arguments[0].strip()
        key = session.read_stdin().strip() if word == "-" else word
        if not given:
            raise UsageError("Missing nonce value: specify it via the -nonce flag")
        return given, key
    session.warn(f"{what} operation nonce: {nonce}")
    return given or nonce, session.ask_secret("Unseal Key (will be hidden): ")
