"""audit enable, disable, list."""

from typing import Any

from strongroom_cli import data, gotext, output
from strongroom_cli.command import Command
from strongroom_cli.commands.generic import clean
from strongroom_cli.errors import UsageError, trouble
from strongroom_cli.flags import Flag
from strongroom_cli.mounts import in_order
from strongroom_cli.session import Session


def enable(session: Session) -> int:
    """Enable an audit device."""
    if not session.arguments:
        raise UsageError("Error enabling audit device: audit type missing. Valid types: file, socket, syslog, http.")
    options = session.options
    kind = session.arguments[0].strip()
    path = clean(options.text("path") or kind)
    settings = data.parse_texts(session.arguments[1:], session.read_stdin)
    body = {
        "type": kind, "description": options.text("description"), "options": settings, "local": options.on("local"),
    }  # fmt: skip
    with trouble("Error enabling audit device"):
        session.call("write", f"sys/audit/{path}", body)
    session.say(f"Success! Enabled the {kind} audit device at: {path}/")
    return 0


def disable(session: Session) -> int:
    """Disable an audit device."""
    path = clean(session.arguments[0])
    with trouble("Error disabling audit device"):
        session.call("delete", f"sys/audit/{path}")
    session.say(f"Success! Disabled audit device (if it was enabled) at: {path}/")
    return 0


def list_devices(session: Session) -> int:
    """Print the enabled audit devices."""
    with trouble("Error listing audits"):
        response = session.learn("read", "sys/audit")
    found: dict[str, Any] = response.data or {}
    devices = {
        path: in_order(found[path], ("type", "description", "options", "local", "path")) for path in sorted(found)
    }
    if not devices and session.format == "table":
        session.say("No audit devices are enabled.")
        return 2
    rows = _detailed if session.options.on("detailed") else _simple
    return output.document(session, devices, lambda: gotext.table(rows(devices)))


def _simple(devices: dict[str, Any]) -> list[tuple[str, ...]]:
    lines = [(path, entry["type"], entry.get("description") or "") for path, entry in devices.items()]
    return [("Path", "Type", "Description"), *lines]


def _detailed(devices: dict[str, Any]) -> list[tuple[str, ...]]:
    lines = [
        (
            path,
            entry["type"],
            entry.get("description") or "",
            "local" if entry.get("local") else "replicated",
            " ".join(f"{key}={value}" for key, value in sorted((entry.get("options") or {}).items())),
        )
        for path, entry in devices.items()
    ]
    return [("Path", "Type", "Description", "Replication", "Options"), *lines]


COMMANDS = {
    "audit enable": Command(
        enable, "[options] TYPE [CONFIG K=V...]",
        "Enables an audit device. From then on the server answers only what a device has recorded.\n\n"
        "  {program} audit enable file file_path=/var/log/audit.log",
        (Flag("path", "Where to mount it, if not at its type's name."), Flag("description", "What it is for."),
         Flag("local", "Do not replicate it.", "bool")),
        0, None, (),
    ),
    "audit disable": Command(
        disable, "[options] PATH", "Disables an audit device; what it recorded stays where it is.", (), 1, 1, (),
    ),
    "audit list": Command(
        list_devices, "[options]", "Lists the enabled audit devices.",
        (Flag("detailed", "Print all settings.", "bool"),),
    ),
}  # fmt: skip
