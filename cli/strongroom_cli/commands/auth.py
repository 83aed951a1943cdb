"""auth enable, disable, list, move, tune, help."""

from typing import Any

from strongroom_cli import loginmethods
from strongroom_cli.command import Command
from strongroom_cli.commands.generic import clean
from strongroom_cli.errors import UsageError, trouble
from strongroom_cli.flags import Flag, Options
from strongroom_cli.mounts import ENABLE_FLAGS, TUNE_FLAGS, auth_detailed, config, move, print_mounts, tuning
from strongroom_cli.session import Session


def enable(session: Session) -> int:
    """Mount an auth method."""
    options = session.options
    kind = session.arguments[0].strip()
    if kind == "plugin":
        kind = options.text("plugin-name")
    path = clean(options.text("path") or kind) + "/"
    body = {
        "type": kind,
        "description": options.text("description"),
        "local": options.on("local"),
        "seal_wrap": options.on("seal-wrap"),
        "config": config(options),
        "options": _options(options) or None,
    }
    with trouble(f"Error enabling {kind} auth"):
        session.call("post", f"sys/auth/{path.rstrip('/')}", body)
    session.say(f"Success! Enabled {kind} auth method at: {path}")
    return 0


def _options(options: Options) -> dict[str, str]:
    version = {"version": str(options.number("version"))} if options.given("version") else {}
    return {**options.pairs("options"), **version}


def disable(session: Session) -> int:
    """Unmount an auth method."""
    path = clean(session.arguments[0]) + "/"
    with trouble(f"Error disabling auth method at {path}"):
        session.call("delete", f"sys/auth/{path.rstrip('/')}")
    session.say(f"Success! Disabled the auth method (if it existed) at: {path}")
    return 0


def list_mounts(session: Session) -> int:
    """Print the mounted auth methods."""
    with trouble("Error listing enabled authentications"):
        response = session.learn("read", "sys/auth")
    return print_mounts(session, response, auth_detailed if session.options.on("detailed") else _simple)


def _simple(mounts: dict[str, dict[str, str]]) -> list[tuple[str, ...]]:
    lines = [
        (path, m["type"], m.get("accessor") or "", m.get("description") or "", m.get("plugin_version") or "")
        for path, m in mounts.items()
    ]
    return [("Path", "Type", "Accessor", "Description", "Version"), *lines]


def move_mount(session: Session) -> int:
    """Move an auth method to another path."""
    return move(session, "auth method", "auth/")


def tune(session: Session) -> int:
    """Change an auth method's settings."""
    path = clean(session.arguments[0]) + "/"
    settings = _options(session.options)
    lockout = _lockout(session.options)
    parts = {"options": settings, "user_lockout_config": lockout}
    body = {**tuning(session.options), **{name: part for name, part in parts.items() if part}}
    with trouble(f"Error tuning auth method {path}"):
        session.call("post", f"sys/mounts/auth/{path}tune", body)
    session.say(f"Success! Tuned the auth method at: {path}")
    return 0


def _lockout(options: Options) -> dict[str, Any]:
    """Return what was said about locking out users, in the API's names."""
    found: dict[str, Any] = {}
    if options.given("user-lockout-threshold"):
        found["lockout_threshold"] = str(options.number("user-lockout-threshold"))
    for flag, name in (("duration", "lockout_duration"), ("counter-reset-duration", "lockout_counter_reset_duration")):
        if options.given(f"user-lockout-{flag}"):
            found[name] = f"{int(options.seconds(f'user-lockout-{flag}'))}s"
    if options.given("user-lockout-disable"):
        found["lockout_disable"] = options.on("user-lockout-disable")
    return found


def explain(session: Session) -> int:
    """Print how to log in with an auth method."""
    name = clean(session.arguments[0])
    if name not in loginmethods.METHODS:
        with trouble("Error listing authentication methods"):
            mounts = session.learn("read", "sys/auth").data or {}
        if f"{name}/" not in mounts:
            raise UsageError(f'No auth method available on the server at "{name}/"')
        name = mounts[f"{name}/"]["type"]
    method = loginmethods.METHODS.get(name)
    if method is None:
        raise UsageError(f'The auth method "{name}" has no login here; write to auth/{name}/login instead')
    session.say(method.explain(session.program, name))
    return 0


_VERSION = Flag("version", "Version of the method, for those that have several.", "int")
_LOCKOUT_FLAGS = (
    Flag("user-lockout-threshold", "Failed logins until a user is locked out.", "int"),
    Flag("user-lockout-duration", "How long that lasts.", "duration"),
    Flag("user-lockout-counter-reset-duration", "When failed logins are forgotten.", "duration"),
    Flag("user-lockout-disable", "Lock nobody out.", "bool"),
)

COMMANDS = {
    "auth enable": Command(
        enable, "[options] TYPE",
        "Mounts an auth method, at a path of its type's name unless -path says otherwise.\n\n"
        "  {program} auth enable userpass",
        (Flag("path", "Where to mount it, below auth/."), _VERSION, *ENABLE_FLAGS, *TUNE_FLAGS), 1, 1, (),
    ),
    "auth disable": Command(
        disable, "[options] PATH", "Unmounts an auth method; the tokens that it issued are revoked.", (), 1, 1, (),
    ),
    "auth list": Command(
        list_mounts, "[options]", "Lists the mounted auth methods.", (Flag("detailed", "Print all settings.", "bool"),),
    ),
    "auth move": Command(
        move_mount, "[options] SOURCE DESTINATION",
        "Moves an auth method to another path; the tokens that it issued are revoked, its settings kept.", (), 2, 2, (),
    ),
    "auth tune": Command(
        tune, "[options] PATH", "Changes an auth method's settings.",
        (_VERSION, *TUNE_FLAGS, *_LOCKOUT_FLAGS), 1, 1, (),
    ),
    "auth help": Command(explain, "[options] TYPE | PATH", "Tells how to log in with an auth method.", (), 1, 1, ()),
}  # fmt: skip
