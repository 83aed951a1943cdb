"""plugin list, info, register, deregister, reload, reload-status: the catalog of engines and auth methods."""

from typing import Any

from strongroom_cli import gotext, output
from strongroom_cli.command import FIELD, Command
from strongroom_cli.errors import CommandError, UsageError, trouble
from strongroom_cli.flags import Flag
from strongroom_cli.session import Session

_KINDS = ("auth", "database", "secret")
_SHOWN = ("args", "builtin", "command", "deprecation_status", "name", "sha256", "version")
_CATALOG = "sys/plugins/catalog"


def list_plugins(session: Session) -> int:
    """Print the catalog, or one kind of it."""
    kind = _kind(session.arguments[0], "Error parsing type: ") if session.arguments else ""
    with trouble("Error listing available plugins"):
        found: dict[str, Any] = session.learn("read", _CATALOG).data or {}
    details = [one for one in found.get("detailed") or () if kind in ("", one["type"])]
    shown = {key: value for key, value in found.items() if key != "detailed" and kind in ("", key)}
    detailed = session.options.on("detailed")
    document = {**shown, "details": [_ordered(one) for one in details]}
    columns = [
        ("Name", "name"), ("Type", "type"), ("Version", "version"), ("Deprecation Status", "deprecation_status"),
    ][: None if detailed else 3]  # fmt: skip
    if kind and not detailed:
        del columns[1]
    header = tuple(title for title, _ in columns)
    rows = [header, *(tuple(str(one.get(key) or "") for _, key in columns) for one in details)]
    return output.document(session, dict(sorted(document.items())), lambda: gotext.table(rows))


def _kind(text: str, what: str = "") -> str:
    kind = text.strip().lower()
    if kind not in _KINDS:
        raise CommandError(f'{what}"{text}" is not a supported plugin type')
    return kind


def _ordered(entry: dict[str, Any]) -> dict[str, Any]:
    first = ("type", "name", "version", "builtin", "deprecation_status")
    known = {key: entry[key] for key in first if key in entry}
    return {**known, **{key: entry[key] for key in sorted(entry) if key not in known}}


def info(session: Session) -> int:
    """Print one plugin."""
    path, name = _path(session)
    version = session.options.text("version")
    with trouble(f"Error reading plugin named {name}"):
        response = session.learn("read", path, query={"version": version} if version else None)
    known: dict[str, Any] = response.data or {}
    if not known:
        raise CommandError(f'No value found for plugin "{name}"')
    found = {key: known.get(key) for key in _SHOWN}
    if wanted := session.options.text("field"):
        return output.data_field(session, found, wanted)
    rows = [("Key", "Value"), *((key, gotext.text([] if found[key] is None else found[key])) for key in _SHOWN)]
    return output.document(session, found, lambda: gotext.table(rows))


def _path(session: Session) -> tuple[str, str]:
    """Return the catalog's path of TYPE NAME, or of NAME alone as it was once, and the name."""
    *kinds, name = (word.strip() for word in session.arguments)
    return "/".join((_CATALOG, *(_kind(kind) for kind in kinds), name)), name


def register(session: Session) -> int:
    """Put a plugin into the catalog."""
    options = session.options
    if not options.text("sha256"):
        raise UsageError("SHA256 is required for all plugins, please provide -sha256")
    path, name = _path(session)
    body = {
        "command": options.text("command") or name, "args": options.items("args"), "sha256": options.text("sha256"),
        "version": options.text("version"),
        **({"oci": True} if options.on("oci") else {}),
    }  # fmt: skip
    with trouble(f"Error registering plugin {name}"):
        session.call("write", path, body)
    session.say(f"Success! Registered plugin: {name}")
    return 0


def oci(session: Session) -> int:
    """Say why there is nothing to download, and nothing to remove."""
    raise CommandError(
        "plugins from OCI images are not supported: what the server mounts is part of it (plugin list)", 1
    )


def deregister(session: Session) -> int:
    """Take a plugin out of the catalog."""
    path, name = _path(session)
    version = session.options.text("version")
    with trouble(f"Error deregistering plugin named {name}"):
        session.call("delete", path, query={"version": version} if version else None)
    session.say(f"Success! Deregistered plugin (if it was registered): {name}")
    return 0


def reload(session: Session) -> int:
    """Start the mounts of a plugin, or some mounts, anew."""
    plugin, mounts = session.options.text("plugin"), session.options.items("mounts")
    if not plugin and not mounts:
        raise UsageError("Not enough arguments (expected 1, got 0)")
    if plugin and mounts:
        raise UsageError("Too many arguments (expected 1, got 2)")
    scope = session.options.text("scope")
    body = {**({"plugin": plugin} if plugin else {"mounts": mounts}), **({"scope": scope} if scope else {})}
    with trouble("Error reloading plugin/mounts"):
        response = session.call("write", "sys/plugins/reload/backend", body)
    what = f"plugin: {plugin}" if plugin else f"mounts: {gotext.text(mounts)}"
    identifier = (response.data or {}).get("reload_id") if response.data else None
    session.say(
        f"Success! Reloading {what}, reload_id: {identifier}" if identifier and scope else f"Success! Reloaded {what}"
    )
    return 0


def reload_status(session: Session) -> int:
    """Print how far a reload on all nodes has come."""
    identifier = session.arguments[0].strip()
    with trouble("Error retrieving plugin reload status"):
        response = session.learn("read", "sys/plugins/reload/backend/status", query={"reload_id": identifier})
    results: dict[str, Any] = (response.data or {}).get("results") or {}
    rows = [("Time", "Participant", "Success", "Message")]
    rows += [
        (str(one.get("timestamp") or ""), node, gotext.text(bool(one.get("success"))), str(one.get("error") or ""))
        for node, one in sorted(results.items())
    ]
    session.say(gotext.table(rows))
    return 0


_VERSION = Flag("version", "Version of the plugin.")
_OCI = (Flag("config", "Server file; may be repeated.", "list"), Flag("directory", "Folder of the plugins."))
_WHICH = "TYPE is auth, database or secret."

COMMANDS = {
    "plugin list": Command(
        list_plugins, "[options] [TYPE]", f"Lists what can be mounted. {_WHICH}",
        (Flag("detailed", "Print all that is known of each.", "bool"),), 0, 1,
    ),
    "plugin info": Command(
        info, "[options] TYPE NAME", f"Prints one plugin of the catalog. {_WHICH}", (FIELD, _VERSION), 1, 2,
    ),
    "plugin register": Command(
        register, "[options] TYPE NAME", f"Puts a plugin into the catalog of a server that takes plugins. {_WHICH}",
        (Flag("sha256", "SHA-256 of the program, in hexadecimal."), Flag("command", "The program; NAME if not given."),
         Flag("args", "Argument for the program; may be repeated.", "list"), _VERSION,
         Flag("oci", "The server's file names an image that holds it.", "bool")), 1, 2, (),
    ),
    "plugin init": Command(
        oci, "[options]", "Would download plugins that the server's file names; it knows none.",
        (*_OCI, Flag("timeout", "How long that may take.", "duration")), formats=(),
    ),
    "plugin prune": Command(
        oci, "[options]", "Would remove plugins that the server's file no longer names; it knows none.", _OCI,
        formats=(),
    ),
    "plugin deregister": Command(
        deregister, "[options] TYPE NAME", f"Takes a plugin out of the catalog. {_WHICH}", (_VERSION,), 1, 2, (),
    ),
    "plugin reload": Command(
        reload, "[options]", "Starts mounts anew: all of a plugin, or those that are named.",
        (Flag("plugin", "Name of the plugin."), Flag("mounts", "Path of a mount; may be repeated.", "list"),
         Flag("scope", "global: on all nodes.")), formats=(),
    ),
    "plugin reload-status": Command(
        reload_status, "[options] RELOAD_ID", "Prints how far a reload on all nodes has come.", (), 1, 1, (),
    ),
}  # fmt: skip
