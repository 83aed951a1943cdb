"""kv get, put, patch, delete, undelete, destroy, rollback, list, scan, enable-versioning."""

from typing import Any

from strongroom_cli import data, kvpath, output
from strongroom_cli.command import FIELD, MOUNT, Command
from strongroom_cli.commands.generic import clean, deleted, written
from strongroom_cli.errors import CommandError, UsageError, trouble
from strongroom_cli.flags import Flag
from strongroom_cli.session import Session
from strongroom_client import ApiError, Operation, PermissionDenied, Response

_VERSIONS = Flag("versions", "Version numbers, separated by commas; may be repeated.", "list")
_CAS = Flag("cas", "Write only if this is the current version; 0: only if there is none yet.", "int", -1)


def get(session: Session) -> int:
    """Print a secret."""
    where = kvpath.resolve(session, session.arguments[0])
    version = session.options.number("version")
    path = where.full("data")
    with trouble(f"Error reading {path}"):
        response = session.find("read", path, query={"version": version} if version and where.v2 else None)
    if response is None:
        doubled = where.v2 and where.name.startswith(("data/", "metadata/"))
        right = f"{where.mount}{where.name.partition('/')[2]}"
        raise CommandError(
            f"No value found at {path}", 2, f"kv adds data/ by itself: kv get {right}" if doubled else ""
        )
    name = session.options.text("field")
    if name and response.wrap_info and not name.startswith(("wrapping_", "wrapped_")):
        raise CommandError(f"No data found at {path}")
    if name and not response.wrap_info:
        return _field(session, response, where.v2, path, name)
    if response.wrap_info or session.format != "table":
        return output.answer(session, response)
    output.warnings(session, response.warnings)
    content = response.data or {}
    if not where.v2:
        session.say(output.titled("Data", content))
        return 0
    session.say(output.heading("Secret Path", path))
    if content.get("metadata"):
        session.say(output.titled("Metadata", content["metadata"]) + "\n")
    if content.get("data"):
        session.say(output.titled("Data", content["data"]))
    return 0


def _field(session: Session, response: Response, v2: bool, path: str, name: str) -> int:
    content = response.data or {}
    if not v2:
        return output.field(session, response, name)
    inner = content.get("data")
    if not inner:
        raise CommandError(f"No data found at {path}")
    if name == "data" and "data" not in inner:  # all of it
        return output.value(session, inner)
    return output.data_field(session, inner, name)


def put(session: Session) -> int:
    """Write a secret."""
    content = data.parse(session.arguments[1:], session.read_stdin)
    if not content:
        raise UsageError("Must supply data")
    where = kvpath.resolve(session, session.arguments[0])
    path = where.full("data")
    body = {"data": content, "options": _options(session)} if where.v2 else content
    with trouble(f"Error writing data to {path}"):
        response = session.call("write", path, body)
    return _written(session, response, path) if where.v2 else written(session, response, path)


def _options(session: Session) -> dict[str, int]:
    cas = session.options.number("cas")
    return {"cas": cas} if cas >= 0 else {}


def _written(session: Session, response: Response, path: str) -> int:
    if response.wrap_info or session.options.text("field") or session.format != "table":
        return output.answer(session, response)
    session.say(output.heading("Secret Path", path))
    session.say(output.titled("Metadata", response.data or {}))
    output.warnings(session, response.warnings)
    return 0


def patch(session: Session) -> int:
    """Change some fields of a secret and keep the others."""
    method = session.options.text("method")
    if method not in ("", "patch", "rw"):
        raise CommandError(f"Unsupported method provided to -method flag: {method}")
    content: dict[str, Any] = data.parse(session.arguments[1:], session.read_stdin)
    content.update(dict.fromkeys(session.options.items("remove-data")))
    if not content:
        raise UsageError("Must supply data")
    where = kvpath.resolve(session, session.arguments[0])
    if not where.v2:
        raise CommandError("K/V engine mount must be version 2 for patch support")
    path = where.full("data")
    if method == "rw":
        return _read_then_write(session, path, content)
    with trouble(f"Error writing data to {path}"):
        try:
            response = session.call("patch", path, {"data": content, "options": _options(session)})
        except ApiError as error:
            # servers before PATCH answer 405; a token without the patch capability 403
            if method or not (error.status == 405 or isinstance(error, PermissionDenied)):
                raise
            return _read_then_write(session, path, content)
    return _written(session, response, path)


def _read_then_write(session: Session, path: str, content: dict[str, Any]) -> int:
    with trouble(f"Error doing pre-read at {path}"):
        response = session.look(path)
    found = (response.data or {}) if response else {}
    if not found.get("data"):
        nothing = f"No data found at {path}; patch only works on existing data"
        raise CommandError(nothing if found else f"No value found at {path}")
    merged = {**found["data"], **content}
    kept = {key: value for key, value in merged.items() if key not in content or content[key] is not None}
    options = _options(session) or {"cas": found["metadata"]["version"]}
    with trouble(f"Error writing data to {path}"):
        written_response = session.call("write", path, {"data": kept, "options": options})
    return _written(session, written_response, path)


def delete(session: Session) -> int:
    """Delete the newest version, or those that -versions names."""
    where = kvpath.resolve(session, session.arguments[0])
    versions = _versions(session)
    path = where.full("data")
    with trouble(f"Error deleting {path}"):
        if versions and where.v2:
            response = session.call("write", where.full("delete"), {"versions": versions})
        else:
            response = session.call("delete", path)
    return deleted(session, response, path)


def _versions(session: Session) -> list[str]:
    """Return the version numbers of -versions; "1,2" and "1" "2" are the same."""
    return [part.strip() for item in session.options.items("versions") for part in item.split(",") if part.strip()]


def undelete(session: Session) -> int:
    """Bring deleted versions back."""
    return _by_version(session, "undelete", "Undelete")


def destroy(session: Session) -> int:
    """Destroy versions for good."""
    return _by_version(session, "destroy", "Destroy")


def _by_version(session: Session, verb: str, title: str) -> int:
    versions = _versions(session)
    if not versions:
        raise UsageError(f'No versions provided, use the "-versions" flag to specify the version to {verb}.')
    where = kvpath.resolve(session, session.arguments[0])
    if not where.v2:
        raise UsageError(f"{title} not supported on KV Version 1")
    path = where.full(verb)
    with trouble(f"Error writing data to {path}"):
        response = session.call("write", path, {"versions": versions})
    return written(session, response, path)


def rollback(session: Session) -> int:
    """Write an older version again as the newest one."""
    version = session.options.number("version")
    if not session.options.given("version"):
        raise UsageError("Version flag must be specified")
    if version <= 0:
        raise UsageError(f"Invalid value {version} for the version flag")
    where = kvpath.resolve(session, session.arguments[0])
    if not where.v2:
        raise CommandError("K/V engine mount must be version 2 for rollback support")
    path = where.full("data")
    with trouble(f"Error doing pre-read at {path}"):
        current = session.look(path)
        old = session.look(path, {"version": version})
    metadata = ((current.data or {}) if current else {}).get("metadata")
    if metadata is None or old is None:
        raise CommandError(f"No value found at {path}")
    if not (old.data or {}).get("data"):
        gone = (old.data or {}).get("metadata") or {}
        how = "destroyed" if gone.get("destroyed") else "deleted"
        raise CommandError(f"Cannot roll back to a version that has been {how}")
    body = {"data": old.data["data"], "options": {"cas": metadata["version"]}}
    with trouble(f"Error writing data to {path}"):
        response = session.call("write", path, body)
    return output.answer(session, response)


def list_names(session: Session) -> int:
    """Print the names below a path of the store."""
    return _names(session, "list", "listing")


def scan(session: Session) -> int:
    """Print all names below a path of the store."""
    return _names(session, "scan", "scanning")


def _names(session: Session, operation: Operation, doing: str) -> int:
    if not session.arguments and not session.options.text("mount"):
        raise UsageError("Not enough arguments (expected 1, got 0)")
    where = kvpath.resolve(session, session.arguments[0] if session.arguments else "")
    path = where.full("metadata")
    with trouble(f"Error {doing} {path}"):
        response = session.find(operation, path)
    return output.names(session, response, path, "If it is a secret and no folder, kv get shows it.")


def enable_versioning(session: Session) -> int:
    """Turn a version 1 store into one of version 2."""
    mount = clean(session.arguments[0]) + "/"
    with trouble(f"Error tuning secrets engine {mount}"):
        session.call("post", f"sys/mounts/{mount}tune", {"options": {"version": "2"}})
    session.say(f"Success! Tuned the secrets engine at: {mount}")
    return 0


_PATHS = "KEY is the secret's path: MOUNT/NAME, or NAME with -mount=MOUNT."

COMMANDS = {
    "kv get": Command(
        get, "[options] KEY",
        f"Prints a secret. {_PATHS}\n\n  {{program}} kv get -mount=secret app\n"
        "  {program} kv get -field=password secret/app",
        (MOUNT, FIELD, Flag("version", "Version to read; the newest if not given.", "int")), 1, 1,
    ),
    "kv put": Command(
        put, "[options] KEY DATA...",
        f"Writes a secret; on version 2 a new version of it. {_PATHS}\n\n"
        "DATA is KEY=VALUE; KEY=@FILE and KEY=- take the value from a file or from standard input, @FILE and - a\n"
        "whole JSON object.\n\n  {program} kv put -mount=secret app user=ann password=@password.txt",
        (MOUNT, FIELD, _CAS), 1, None,
    ),
    "kv patch": Command(
        patch, "[options] KEY DATA...",
        f"Changes some fields of a secret and keeps the others. {_PATHS} DATA is as for kv put.",
        (MOUNT, FIELD, _CAS,
         Flag("method", "patch (one PATCH request) or rw (read, then write); the best that works if not given."),
         Flag("remove-data", "Field to remove; may be repeated.", "list")),
        1, None,
    ),
    "kv delete": Command(
        delete, "[options] KEY",
        f"Deletes a secret's newest version, or those of -versions; undelete brings them back. {_PATHS}",
        (MOUNT, FIELD, _VERSIONS), 1, 1,
    ),
    "kv undelete": Command(
        undelete, "[options] KEY", f"Brings deleted versions back. {_PATHS}", (MOUNT, _VERSIONS), 1, 1,
    ),
    "kv destroy": Command(
        destroy, "[options] KEY", f"Destroys versions for good. {_PATHS}", (MOUNT, _VERSIONS), 1, 1,
    ),
    "kv rollback": Command(
        rollback, "[options] KEY", f"Writes an older version again as the newest one. {_PATHS}",
        (MOUNT, FIELD, Flag("version", "Version to go back to.", "int")), 1, 1,
    ),
    "kv list": Command(list_names, "[options] PATH", "Lists the names below PATH.", (MOUNT,), 0, 1),
    "kv scan": Command(scan, "[options] PATH", "Lists all names below PATH, through its folders.", (MOUNT,), 0, 1),
    "kv enable-versioning": Command(
        enable_versioning, "[options] MOUNT", "Turns the version 1 store at MOUNT into one of version 2.", (), 1, 1,
    ),
}  # fmt: skip
