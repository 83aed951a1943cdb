"""What secrets engines and auth methods share on the command line: settings, tables, moving."""

import time
from collections.abc import Callable
from typing import Any

from strongroom_cli import gotext, output
from strongroom_cli.errors import CommandError, trouble
from strongroom_cli.flags import Flag, Options
from strongroom_cli.session import Session
from strongroom_client import Response

_LIST_SETTINGS = (
    "audit-non-hmac-request-keys", "audit-non-hmac-response-keys", "passthrough-request-headers",
    "allowed-response-headers",
)  # fmt: skip
TUNE_FLAGS = (
    Flag("default-lease-ttl", "Lifetime of leases and tokens that ask for none.", "duration"),
    Flag("max-lease-ttl", "Longest lifetime of leases and tokens.", "duration"),
    Flag("description", "What it is for."),
    Flag("listing-visibility", "unauth shows it in the user interface before login; hidden does not."),
    Flag("audit-non-hmac-request-keys", "Request key that audit keeps in plain text; may be repeated.", "list"),
    Flag("audit-non-hmac-response-keys", "Response key that audit keeps in plain text; may be repeated.", "list"),
    Flag("passthrough-request-headers", "Request header that the engine sees; may be repeated.", "list"),
    Flag("allowed-response-headers", "Response header that the engine may set; may be repeated.", "list"),
    Flag("options", "KEY=VALUE for the engine itself; may be repeated.", "pairs"),
    Flag("plugin-version", "Version of the plugin to run."),
    Flag("token-type", "Kind of token that an auth method issues."),
)
ENABLE_FLAGS = (
    Flag("local", "Do not replicate it.", "bool"),
    Flag("seal-wrap", "Wrap its critical values by the seal.", "bool"),
    Flag("external-entropy-access", "Kept for compatibility.", "bool"),
    Flag("force-no-cache", "Do not cache its entries.", "bool"),
    Flag("plugin-name", "Name of a plugin; TYPE is then plugin."),
)
_ORDER = (
    "uuid", "type", "description", "accessor", "config", "options", "local", "seal_wrap", "external_entropy_access",
    "plugin_version", "running_plugin_version", "running_sha256", "deprecation_status",
)  # fmt: skip
_CONFIG_ORDER = ("default_lease_ttl", "max_lease_ttl", "force_no_cache")


def config(options: Options) -> dict[str, Any]:
    """Return the mount settings that were given on the command line, in the API's names."""
    found: dict[str, Any] = {}
    for name in ("default-lease-ttl", "max-lease-ttl"):
        if options.given(name):
            found[name.replace("-", "_")] = f"{int(options.seconds(name))}s"
    if options.given("force-no-cache"):
        found["force_no_cache"] = options.on("force-no-cache")
    for name in ("listing-visibility", "plugin-version", "token-type"):
        if options.given(name):
            found[name.replace("-", "_")] = options.text(name)
    for name in _LIST_SETTINGS:
        if options.given(name):
            found[name.replace("-", "_")] = options.items(name)
    return found


def tuning(options: Options) -> dict[str, Any]:
    """Return what of ``config`` and the description was given, for a mount that is there already."""
    described = {"description": options.text("description")} if options.given("description") else {}
    return {**config(options), **described}


def in_order(entry: dict[str, Any], first: tuple[str, ...]) -> dict[str, Any]:
    """Return ``entry`` with the keys of ``first`` first, then the others."""
    known = {key: entry[key] for key in first if key in entry}
    return {**known, **{key: entry[key] for key in sorted(entry) if key not in known}}


def print_mounts(session: Session, response: Response, rows: Callable[[dict[str, Any]], list[tuple[str, ...]]]) -> int:
    """Print a mount table; ``rows`` makes its header and lines."""
    mounts = response.data if isinstance(response.data, dict) else {}
    listed = {}
    for path in sorted(mounts):
        entry = in_order(mounts[path], _ORDER)
        entry.setdefault("deprecation_status", "")
        entry["config"] = in_order(entry.get("config") or {}, _CONFIG_ORDER)
        listed[path] = entry
    return output.document(session, listed, lambda: gotext.table(rows(listed)))


def simple(mounts: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return the lines of ``secrets list``."""
    lines = [(path, m["type"], m.get("accessor") or "", m.get("description") or "") for path, m in mounts.items()]
    return [("Path", "Type", "Accessor", "Description"), *lines]


def detailed(mounts: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return the lines of ``secrets list -detailed``."""
    header = (
        "Path", "Plugin", "Accessor", "Default TTL", "Max TTL", "Force No Cache", *_TAIL,
    )  # fmt: skip
    lines = [
        (path, m["type"], m.get("accessor") or "", *_ttls(m), gotext.text(m["config"].get("force_no_cache")), *_tail(m))
        for path, m in mounts.items()
    ]
    return [header, *lines]


_TAIL = (
    "Replication", "Seal Wrap", "External Entropy Access", "Options", "Description", "UUID", "Version",
    "Running Version", "Running SHA256", "Deprecation Status",
)  # fmt: skip


def auth_detailed(mounts: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return the lines of ``auth list -detailed``."""
    header = ("Path", "Plugin", "Accessor", "Default TTL", "Max TTL", "Token Type", *_TAIL)
    lines = [
        (path, m["type"], m.get("accessor") or "", *_ttls(m), m["config"].get("token_type") or "", *_tail(m))
        for path, m in mounts.items()
    ]
    return [header, *lines]


def _ttls(mount: dict[str, Any]) -> tuple[str, str]:
    if mount["type"] in ("system", "cubbyhole"):
        return "", ""
    settings = mount["config"]
    default, longest = settings.get("default_lease_ttl"), settings.get("max_lease_ttl")
    return str(default) if default else "system", str(longest) if longest else "system"


def _tail(mount: dict[str, Any]) -> tuple[str, ...]:
    return (
        "local" if mount.get("local") else "replicated",
        gotext.text(bool(mount.get("seal_wrap"))),
        gotext.text(bool(mount.get("external_entropy_access"))),
        gotext.text(mount.get("options") or {}),
        mount.get("description") or "",
        mount.get("uuid") or "",
        mount.get("plugin_version") or "",
        mount.get("running_plugin_version") or "",
        mount.get("running_sha256") or "",
        mount.get("deprecation_status") or "",
    )


def move(session: Session, what: str, prefix: str) -> int:
    """Move a mount and wait until the server has done it; ``prefix`` is "auth/" for auth methods."""
    old, new = (argument.strip().strip("/") + "/" for argument in session.arguments)
    body = {name: prefix + path.removeprefix(prefix) for name, path in (("from", old), ("to", new))}
    with trouble(f"Error moving {what} {old} to {new}"):
        response = session.learn("post", "sys/remount", body)
        migration = (response.data or {}).get("migration_id")
        if not migration:
            session.say(f"Success! Moved {what} from: {old} to: {new}")
            return 0
        session.say(f"Started moving {what} {old} to {new}, with migration ID {migration}")
        return _await_move(session, f"{what} {old} to {new}, with migration ID {migration}", migration)


def _await_move(session: Session, what: str, migration: str) -> int:
    waiting = False
    while True:
        found = session.look(f"sys/remount/status/{migration}")
        status = found.data["migration_info"]["status"] if found else "failure"
        if status == "success":
            session.say(f"Success! Finished moving {what}")
            return 0
        if status == "failure":
            raise CommandError(f"Failure! Error encountered moving {what}")
        if not waiting:
            session.say(f"Waiting for terminal status in migration of {what}")
        waiting = True
        time.sleep(0.5)
