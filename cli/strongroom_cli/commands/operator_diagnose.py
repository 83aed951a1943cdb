"""operator diagnose, validate-config: look at a server file here, without a server."""

from importlib import import_module
from typing import Any

from strongroom_cli import output
from strongroom_cli.command import Command
from strongroom_cli.errors import CommandError, UsageError
from strongroom_cli.flags import Flag
from strongroom_cli.session import Session
from strongroom_common.environment import variable

_MODULE = "strongroom_server.diagnose"  # by name, as programs are started: the commands need no server's modules


def validate(session: Session) -> int:
    """Say what is wrong with a server file."""
    part = _part()
    return _told(session, part, part.validate(_paths(session)))


def diagnose(session: Session) -> int:
    """Say what is wrong with a server file and with where it would run."""
    part = _part()
    skipped = [word.strip() for item in session.options.items("skip") for word in item.split(",")]
    return _told(session, part, part.diagnose(_paths(session), skipped))


def _paths(session: Session) -> list[str]:
    named = variable(session.terminal.environ, "CONFIG_PATH")
    paths = session.options.items("config") or ([named] if named else [])
    if not paths:
        raise CommandError("Must specify a configuration file using -config.", 3)
    return paths


def _part() -> Any:
    try:
        return import_module(_MODULE)
    except ModuleNotFoundError as error:
        hint = "Install it with: pip install 'strongroom[server]'"
        raise UsageError(f"this command needs the server, which is not installed\n\nHint: {hint}") from error


def _told(session: Session, part: Any, found: list[Any]) -> int:
    document = [{"name": one.name, "status": one.status, "message": one.message} for one in found]
    output.document(session, document, lambda: "\n".join(map(str, found)))
    code: int = part.exit_code(found)
    return code


_CONFIG = Flag("config", "Server file or folder of them; may be repeated. Also VAULT_CONFIG_PATH.", "list")

COMMANDS = {
    "operator diagnose": Command(
        diagnose, "-config=PATH [options]",
        "Checks a server file, and on this machine what it names: storage, seal, certificates, addresses.\n\n"
        "Exit code: 0 if all is well, 1 if something fails, 2 if there are warnings.",
        (_CONFIG, Flag("skip", "Check to leave out: listener, storage, autounseal; may be repeated.", "list"),
         Flag("debug", "Kept for compatibility: all that is known is printed anyhow.", "bool")),
        local=True,
    ),
    "operator validate-config": Command(
        validate, "-config=PATH [options]",
        "Reads a server file and says what is wrong with it.\n\n"
        "Exit code: 0 if all is well, 1 if it cannot be used, 2 if there are warnings.",
        (_CONFIG,), local=True,
    ),
}  # fmt: skip
