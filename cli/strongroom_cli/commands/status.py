"""status, version, version-history, print token, path-help."""

from typing import Any

from strongroom_cli import gotext, output, sealstatus
from strongroom_cli.command import FIELD, Command
from strongroom_cli.errors import CommandError, trouble
from strongroom_cli.session import Session
from strongroom_client.exchange import API_VERSION


def status(session: Session) -> int:
    """Print whether the server is sealed; exit code 0 if open, 2 if sealed, 1 if there is no answer."""
    with trouble("Error checking seal status", code=1):
        seal = session.call("read", "sys/seal-status").body
        leader = {} if seal["sealed"] else session.call("read", "sys/leader").body
    document = sealstatus.document(seal, leader)
    if name := session.options.text("field"):
        output.data_field(session, document, name)
    else:
        output.document(session, document, lambda: sealstatus.table(seal, leader))
    return 2 if seal["sealed"] else 0


def version(session: Session) -> int:
    """Print this program's version; under the name ``vault`` first the Vault release that it stands for."""
    from importlib.metadata import version as installed

    own = f"Strongroom v{installed('strongroom')}"
    session.say(f"Vault v{API_VERSION} ({own})" if session.program == "vault" else own)
    return 0


def version_history(session: Session) -> int:
    """Print which versions the server has had."""
    with trouble("Error reading version history"):
        response = session.learn("list", "sys/version-history")
    found: dict[str, Any] = (response.data or {}).get("key_info") or {}
    built = ("commit_date", "Commit Date") if any("commit_date" in one for one in found.values()) else (
        "build_date", "Build Date")  # OpenBao tells the one, Vault the other  # fmt: skip
    lines = [
        (key, found[key].get("timestamp_installed") or "", found[key].get(built[0]) or "")
        for key in (response.data or {}).get("keys") or ()
    ]
    rows = [("Version", "Installation Time", built[1]), *lines]
    return output.document(session, output.envelope(response), lambda: gotext.table(rows))


def print_token(session: Session) -> int:
    """Print the token in use."""
    session.say(session.client.token)
    return 0


def path_help(session: Session) -> int:
    """Print the server's help for a path."""
    path = session.arguments[0].strip().strip("/")
    with trouble("Error retrieving help"):
        response = session.call("read", path, query={"help": "1"})
    body = response.body if isinstance(response.body, dict) else {}
    text = body.get("help") or (response.data or {}).get("help")
    if not text:
        raise CommandError(f"No help found at {path}")
    document = (response.body or {}).get("openapi") or {"help": text}
    return output.document(session, document, lambda: str(text).rstrip("\n"))


COMMANDS = {
    "status": Command(
        status, "[options]",
        "Prints whether the server is initialized and sealed, and who leads.\n\n"
        "Exit code: 0 if it is unsealed, 2 if it is sealed, 1 if it does not answer.", (FIELD,),
    ),
    "version": Command(version, "", "Prints this program's version.", formats=(), local=True),
    "version-history": Command(version_history, "[options]", "Prints which versions the server has had."),
    "print token": Command(
        print_token, "", "Prints the token in use: from VAULT_TOKEN or kept by login; as it is, whatever the format.",
        formats=("table", "json", "yaml", "raw"),
    ),
    "path-help": Command(path_help, "[options] PATH", "Prints the server's own help for PATH.", (), 1, 1),
}  # fmt: skip
