"""kv metadata get, put, patch, delete."""

from typing import Any

from strongroom_cli import kvpath, output
from strongroom_cli.command import FIELD, MOUNT, Command
from strongroom_cli.commands.generic import deleted, written
from strongroom_cli.errors import CommandError, UsageError, trouble
from strongroom_cli.flags import Flag
from strongroom_cli.session import Session
from strongroom_common.durations import go_duration

_SETTINGS = (
    Flag("max-versions", "How many versions to keep.", "int"),
    Flag("cas-required", "Refuse writes without -cas.", "bool"),
    Flag("delete-version-after", "Delete each version this long after it was written.", "duration"),
    Flag("custom-metadata", "KEY=VALUE to keep beside the secret; may be repeated.", "pairs"),
    Flag("metadata-cas-required", "Refuse changes of the metadata without -cas.", "bool"),
    Flag("cas", "Write only if this is the metadata's current version.", "int", -1),
)


def _resolve(session: Session) -> str:
    where = kvpath.resolve(session, session.arguments[0])
    if not where.v2:
        raise UsageError("Metadata not supported on KV Version 1")
    return where.full("metadata")


def get(session: Session) -> int:
    """Print a secret's metadata and its versions."""
    path = _resolve(session)
    with trouble(f"Error reading {path}"):
        response = session.find("read", path)
    if response is None or not (response.data or response.wrap_info):
        if response is not None:
            output.warnings(session, response.warnings)
        raise CommandError(f"No value found at {path}")
    if response.wrap_info or session.options.text("field") or session.format != "table":
        return output.answer(session, response)
    content: dict[str, Any] = dict(response.data or {})
    versions = content.pop("versions", None) or {}
    blocks = [output.heading("Metadata Path", path).rstrip(), output.titled("Metadata", content)]
    blocks += [output.titled(f"Version {number}", versions[number]) for number in sorted(versions, key=int)]
    session.say("\n\n".join(blocks))
    return 0


def put(session: Session) -> int:
    """Set a secret's settings; custom metadata is replaced."""
    body = _settings(session)
    path = _resolve(session)
    with trouble(f"Error writing data to {path}"):
        response = session.call("write", path, body)
    return written(session, response, path)


def patch(session: Session) -> int:
    """Change a secret's settings; what is not named stays."""
    body = _settings(session)
    removed = dict.fromkeys(session.options.items("remove-custom-metadata"))
    body["custom_metadata"] = {**body.get("custom_metadata", {}), **removed}
    path = _resolve(session)
    with trouble(f"Error writing data to {path}"):
        response = session.call("patch", path, body)
    return written(session, response, path)


def _settings(session: Session) -> dict[str, Any]:
    options = session.options
    body: dict[str, Any] = {}
    if options.number("max-versions") >= 0 and options.given("max-versions"):  # less is as if it were not given
        body["max_versions"] = options.number("max-versions")
    if options.given("cas-required"):
        body["cas_required"] = options.on("cas-required")
    if options.given("metadata-cas-required"):
        body["metadata_cas_required"] = options.on("metadata-cas-required")
    if options.number("cas") >= 0:
        body["metadata_cas"] = options.number("cas")
    if options.seconds("delete-version-after") >= 0 and options.given("delete-version-after"):
        seconds = options.seconds("delete-version-after")
        body["delete_version_after"] = go_duration(seconds) if seconds == int(seconds) else f"{seconds}s"
    if options.given("custom-metadata"):
        body["custom_metadata"] = options.pairs("custom-metadata")
    return body


def delete(session: Session) -> int:
    """Delete all versions and the metadata of a secret."""
    path = _resolve(session)
    with trouble(f"Error deleting {path}"):
        response = session.call("delete", path)
    return deleted(session, response, path)


_PATHS = "KEY is MOUNT/NAME, or NAME with -mount=MOUNT."

COMMANDS = {
    "kv metadata get": Command(
        get, "[options] KEY", f"Prints a secret's settings and versions. {_PATHS}", (MOUNT, FIELD), 1, 1,
    ),
    "kv metadata put": Command(
        put, "[options] KEY", f"Sets a secret's settings; no data is written. {_PATHS}",
        (MOUNT, *_SETTINGS), 1, 1,
    ),
    "kv metadata patch": Command(
        patch, "[options] KEY", f"Changes some of a secret's settings and keeps the others. {_PATHS}",
        (MOUNT, *_SETTINGS,
         Flag("remove-custom-metadata", "Key of custom metadata to remove; may be repeated.", "list")),
        1, 1,
    ),
    "kv metadata delete": Command(
        delete, "[options] KEY", f"Deletes a secret with all its versions, for good. {_PATHS}", (MOUNT,), 1, 1,
    ),
    "kv metadata destroy": Command(
        delete, "[options] KEY", f"The same as kv metadata delete: nothing can be recovered after it. {_PATHS}",
        (MOUNT,), 1, 1,
    ),
}  # fmt: skip
