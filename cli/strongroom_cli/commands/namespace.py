"""namespace list, scan, create, lookup, patch, delete, lock, unlock."""

from typing import Literal

from strongroom_cli import gotext, output
from strongroom_cli.command import FIELD, Command
from strongroom_cli.commands.generic import clean
from strongroom_cli.errors import CommandError, UsageError, trouble
from strongroom_cli.flags import Flag
from strongroom_cli.session import Session
from strongroom_client import NotFound, Response

_DETAILED = Flag("detailed", "Print what is known of each.", "bool")
_CUSTOM = Flag("custom-metadata", "KEY=VALUE to keep with it; may be repeated.", "pairs")


def list_namespaces(session: Session) -> int:
    """Print the child namespaces."""
    return _listed(session, "list")


def scan(session: Session) -> int:
    """Print the namespaces below, and those below them."""
    return _listed(session, "scan")


def _listed(session: Session, operation: Literal["list", "scan"]) -> int:
    with trouble("Error listing namespaces"):
        response = session.find(operation, "sys/namespaces")
    data = (response.data or {}) if response else {}
    keys = data.get("keys") or []
    if not keys:
        raise CommandError("No namespaces found")
    rows = data.get("key_info") or {}
    if not (session.options.on("detailed") and rows):
        return output.document(session, keys, lambda: gotext.table([("Keys",), *((key,) for key in sorted(keys))]))
    names = sorted({name for row in rows.values() for name in row})
    cells = [(key, *(gotext.text(rows[key].get(name)) for name in names)) for key in sorted(rows)]
    return output.document(session, data, lambda: gotext.table([("Keys", *names), *cells]))


def create(session: Session) -> int:
    """Make a namespace."""
    path = clean(session.arguments[0])
    with trouble("Error creating namespace"):
        response = session.call(
            "post", f"sys/namespaces/{path}", {"custom_metadata": session.options.pairs("custom-metadata")}
        )
    return _shown(session, response)


def patch(session: Session) -> int:
    """Change a namespace."""
    path = clean(session.arguments[0])
    changes = {
        **session.options.pairs("custom-metadata"),
        **dict.fromkeys(session.options.items("remove-custom-metadata")),
    }
    if not changes:
        raise UsageError("Must supply at least one of -custom-metadata or -remove-custom-metadata")
    with trouble("Error patching namespace"):
        response = session.call("patch", f"sys/namespaces/{path}", {"custom_metadata": changes})
    return _shown(session, response)


def lookup(session: Session) -> int:
    """Print a namespace."""
    path = clean(session.arguments[0])
    with trouble("Error looking up namespace"):
        try:
            response = session.call("read", f"sys/namespaces/{path}")
        except NotFound as error:
            raise CommandError("Namespace not found") from error
    return _shown(session, response)


def _shown(session: Session, response: Response) -> int:
    """Print a namespace: alone where it is not a table, as the peer does."""
    if session.format == "table" or (session.options.knows("field") and session.options.text("field")):
        return output.answer(session, response)
    return output.document(session, output.sort_keys(response.data), lambda: "")


def delete(session: Session) -> int:
    """Delete a namespace with all that is in it."""
    path = clean(session.arguments[0])
    with trouble("Error deleting namespace"):
        response = session.call("delete", f"sys/namespaces/{path}")
    if (response.data or {}).get("status"):
        session.say(f"Success! Namespace deletion scheduled: {path}/")
    elif response.warnings:
        session.warn("\n".join(warning[:1].upper() + warning[1:] for warning in response.warnings))
    else:
        session.say(f"Success! Namespace deleted: {path}/")
    return 0


def lock(session: Session) -> int:
    """Lock a namespace and print the key that unlocks it."""
    with trouble("Error locking namespace"):
        response = session.call("write", _lock_path(session, "lock"))
    data = response.data or {}
    advice = "Namespace is now locked. Keep the key: only with it, or with sudo, are requests let through again."
    return output.document(session, data, lambda: f"Unlock Key: {data.get('unlock_key', '')}\n\n{advice}")


def unlock(session: Session) -> int:
    """Unlock a namespace."""
    key = session.options.text("unlock-key")
    with trouble("Error unlocking namespace"):
        response = session.call("write", _lock_path(session, "unlock"), {"unlock_key": key} if key else {})
    if response.warnings:
        session.warn("\n".join(response.warnings))
    else:
        session.say("Success! Namespace unlocked")
    return 0


def _lock_path(session: Session, verb: str) -> str:
    path = clean(session.arguments[0]) if session.arguments else ""
    return f"sys/namespaces/api-lock/{verb}/{path}".rstrip("/")


COMMANDS = {
    "namespace list": Command(list_namespaces, "[options]", "Lists the child namespaces.", (_DETAILED,)),
    "namespace scan": Command(scan, "[options]", "Lists the namespaces below, and those below them.", (_DETAILED,)),
    "namespace create": Command(create, "[options] PATH", "Makes a namespace.", (FIELD, _CUSTOM), 1, 1),
    "namespace patch": Command(
        patch, "[options] PATH", "Changes a namespace's metadata.",
        (FIELD, _CUSTOM, Flag("remove-custom-metadata", "Key to remove; may be repeated.", "list")), 1, 1,
    ),
    "namespace lookup": Command(lookup, "[options] PATH", "Prints a namespace.", (), 1, 1),
    "namespace delete": Command(delete, "[options] PATH", "Deletes a namespace with all that is in it.", (), 1, 1, ()),
    "namespace lock": Command(
        lock, "[options] [PATH]", "Refuses all requests in a namespace (this one without PATH) and below it.", (), 0, 1
    ),
    "namespace unlock": Command(
        unlock, "[options] [PATH]",
        "Lets requests in a namespace (this one without PATH) through again: with the key that lock printed "
        "(-unlock-key), or with the right to do everything there.", (), 0, 1, (),
    ),
}  # fmt: skip
