"""secrets enable, disable, list, move, tune."""

from strongroom_cli.command import Command
from strongroom_cli.commands.generic import clean
from strongroom_cli.errors import UsageError, trouble
from strongroom_cli.flags import Flag
from strongroom_cli.mounts import ENABLE_FLAGS, TUNE_FLAGS, config, detailed, move, print_mounts, simple, tuning
from strongroom_cli.session import Session

_VERSION = Flag("version", "Version of the key/value engine: 1 or 2.", "int")


def enable(session: Session) -> int:
    """Mount a secrets engine."""
    options = session.options
    kind = session.arguments[0].strip()
    if kind == "plugin":
        kind = options.text("plugin-name")
    path = clean(options.text("path") or kind) + "/"
    settings = options.pairs("options")
    if options.given("version"):
        settings["version"] = str(options.number("version"))
    body = {
        "type": kind,
        "description": options.text("description"),
        "local": options.on("local"),
        "seal_wrap": options.on("seal-wrap"),
        "config": config(options),
        "options": settings or None,
    }
    with trouble("Error enabling"):
        session.call("post", f"sys/mounts/{path.rstrip('/')}", body)
    session.say(f"Success! Enabled the {kind} secrets engine at: {path}")
    return 0


def disable(session: Session) -> int:
    """Unmount a secrets engine."""
    path = clean(session.arguments[0]) + "/"
    with trouble(f"Error disabling secrets engine at {path}"):
        session.call("delete", f"sys/mounts/{path.rstrip('/')}")
    session.say(f"Success! Disabled the secrets engine (if it existed) at: {path}")
    return 0


def list_mounts(session: Session) -> int:
    """Print what is mounted."""
    with trouble("Error listing secrets engines"):
        response = session.learn("read", "sys/mounts")
    return print_mounts(session, response, detailed if session.options.on("detailed") else simple)


def move_mount(session: Session) -> int:
    """Move a mount to another path."""
    return move(session, "secrets engine", "")


def tune(session: Session) -> int:
    """Change a mount's settings."""
    options = session.options
    path = clean(session.arguments[0]) + "/"
    if options.given("cas-required"):
        return _tune_store(session, path)
    settings = options.pairs("options")
    if options.given("version"):
        settings["version"] = str(options.number("version"))
    body = {**tuning(options), **({"options": settings} if settings else {})}
    with trouble(f"Error tuning secrets engine {path}"):
        session.call("post", f"sys/mounts/{path}tune", body)
    session.say(f"Success! Tuned the secrets engine at: {path}")
    return 0


def _tune_store(session: Session, path: str) -> int:
    """Set cas_required where it belongs: in the key/value store's own configuration, not in the mount's."""
    if tuning(session.options) or session.options.pairs("options"):
        raise UsageError("-cas-required changes the key/value store itself; give it without other flags")
    with trouble(f"Error tuning secrets engine {path}"):
        session.call("post", f"{path}config", {"cas_required": session.options.on("cas-required")})
    session.say(f"Success! Tuned the secrets engine at: {path}")
    return 0


COMMANDS = {
    "secrets enable": Command(
        enable, "[options] TYPE",
        "Mounts a secrets engine, at a path of its type's name unless -path says otherwise.\n\n"
        "  {program} secrets enable -path=team -version=2 kv",
        (Flag("path", "Where to mount it."), _VERSION, *ENABLE_FLAGS, *TUNE_FLAGS), 1, 1, (),
    ),
    "secrets disable": Command(
        disable, "[options] PATH", "Unmounts a secrets engine; its data is deleted and its leases are revoked.",
        (), 1, 1, (),
    ),
    "secrets list": Command(
        list_mounts, "[options]", "Lists the mounted secrets engines.",
        (Flag("detailed", "Print all settings.", "bool"),),
    ),
    "secrets move": Command(
        move_mount, "[options] SOURCE DESTINATION",
        "Moves a secrets engine to another path; its leases are revoked, its data and settings kept.", (), 2, 2, (),
    ),
    "secrets tune": Command(
        tune, "[options] PATH",
        "Changes a mount's settings.\n\n  {program} secrets tune -default-lease-ttl=72h pki\n"
        "  {program} secrets tune -cas-required=true team",
        (_VERSION, Flag("cas-required", "Key/value version 2: refuse writes without -cas.", "bool"), *TUNE_FLAGS),
        1, 1, (),
    ),
}  # fmt: skip
