"""operator diagnose, validate-config, migrate: what is done with files here, without a server."""

from importlib import import_module
from typing import Any

from strongroom_cli import output
from strongroom_cli.command import Command
from strongroom_cli.errors import CommandError, UsageError
from strongroom_cli.flags import Flag
from strongroom_cli.session import Session
from strongroom_common.environment import variable


def validate(session: Session) -> int:
    """Say what is wrong with a server file."""
    part = _part("diagnose")
    return _told(session, part, part.validate(_paths(session)))


def diagnose(session: Session) -> int:
    """Say what is wrong with a server file and with where it would run."""
    part = _part("diagnose")
    skipped = [word.strip() for item in session.options.items("skip") for word in item.split(",")]
    return _told(session, part, part.diagnose(_paths(session), skipped))


def migrate(session: Session) -> int:
    """Copy a store into another one."""
    options = session.options
    path = options.text("config") or variable(session.terminal.environ, "MIGRATE_CONFIG_PATH")
    if not path:
        raise UsageError("Must specify exactly one config path using -config")
    part = _part("migrate")
    try:
        if options.on("reset"):
            part.reset(path)
            session.say("Success! Migration lock reset (if it was set).")
        else:
            count = part.migrate(path, options.text("start"))
            session.say(f"Success! All of the keys have been migrated: {count}.")
    except ValueError as error:  # SettingsError
        raise CommandError(f"Error loading configuration from {path}: {error}", 1) from error
    except (OSError, part.MigrationError, part.BackendError) as error:
        raise CommandError(f"Error migrating: {error}") from error
    return 0


def _paths(session: Session) -> list[str]:
    named = variable(session.terminal.environ, "CONFIG_PATH")
    paths = session.options.items("config") or ([named] if named else [])
    if not paths:
        raise CommandError("Must specify a configuration file using -config.", 3)
    return paths


def _part(name: str) -> Any:
    """Import a module of the server by its name, as programs are started: other commands need none."""
    try:
        return import_module(f"strongroom_server.{name}")
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
    "operator migrate": Command(
        migrate, "-config=PATH [options]",
        "Copies all that a store holds into another, empty one, while no server uses either. PATH names both:\n\n"
        "  storage_source \"sqlite\" {{ path = \"/data/old\" }}\n"
        "  storage_destination \"sqlite\" {{ path = \"/data/new\" }}",
        (Flag("config", "File that names the stores. Also VAULT_MIGRATE_CONFIG_PATH."),
         Flag("start", "Copy from this key on, to end a copy that was broken off."),
         Flag("reset", "Copy nothing; forget a copy that was broken off.", "bool"),
         Flag("max-parallel", "Kept for compatibility: entries are copied in batches.", "int", 10),
         Flag("log-level", "Kept for compatibility.")),
        formats=(), local=True,
    ),
}  # fmt: skip
