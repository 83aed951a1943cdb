"""namespace list, create, lookup, patch, delete."""

from strongroom_cli import gotext, output
from strongroom_cli.command import FIELD, Command
from strongroom_cli.commands.generic import clean
from strongroom_cli.errors import CommandError, trouble
from strongroom_cli.flags import Flag
from strongroom_cli.session import Session
from strongroom_client import NotFound

_CUSTOM = Flag("custom-metadata", "KEY=VALUE to keep with it; may be repeated.", "pairs")


def list_namespaces(session: Session) -> int:
    """Print the child namespaces."""
    with trouble("Error listing namespaces"):
        response = session.find("list", "sys/namespaces")
    keys = ((response.data or {}) if response else {}).get("keys") or []
    if not keys:
        raise CommandError("No namespaces found")
    return output.document(session, keys, lambda: gotext.table([("Keys",), *((key,) for key in keys)]))


def create(session: Session) -> int:
    """Make a namespace."""
    path = clean(session.arguments[0])
    with trouble("Error creating namespace"):
        response = session.call(
            "post", f"sys/namespaces/{path}", {"custom_metadata": session.options.pairs("custom-metadata")}
        )
    return output.answer(session, response)


def patch(session: Session) -> int:
    """Change a namespace."""
    path = clean(session.arguments[0])
    changes = {
        **session.options.pairs("custom-metadata"),
        **dict.fromkeys(session.options.items("remove-custom-metadata")),
    }
    with trouble("Error patching namespace"):
        response = session.call("patch", f"sys/namespaces/{path}", {"custom_metadata": changes})
    return output.answer(session, response)


def lookup(session: Session) -> int:
    """Print a namespace."""
    path = clean(session.arguments[0])
    with trouble("Error looking up namespace"):
        try:
            response = session.call("read", f"sys/namespaces/{path}")
        except NotFound as error:
            raise CommandError("Namespace not found") from error
    return output.answer(session, response)


def delete(session: Session) -> int:
    """Delete a namespace with all that is in it."""
    path = clean(session.arguments[0]) + "/"
    with trouble("Error deleting namespace"):
        response = session.call("delete", f"sys/namespaces/{path}")
    if (response.data or {}).get("status"):
        session.say(f"Success! Namespace deletion scheduled: {path}")
    else:
        session.say(f"Success! Namespace deleted: {path}")
    return 0


COMMANDS = {
    "namespace list": Command(list_namespaces, "[options]", "Lists the child namespaces."),
    "namespace create": Command(create, "[options] PATH", "Makes a namespace.", (FIELD, _CUSTOM), 1, 1),
    "namespace patch": Command(
        patch, "[options] PATH", "Changes a namespace's metadata.",
        (FIELD, _CUSTOM, Flag("remove-custom-metadata", "Key to remove; may be repeated.", "list")), 1, 1,
    ),
    "namespace lookup": Command(lookup, "[options] PATH", "Prints a namespace.", (), 1, 1),
    "namespace delete": Command(delete, "[options] PATH", "Deletes a namespace with all that is in it.", (), 1, 1, ()),
}  # fmt: skip
