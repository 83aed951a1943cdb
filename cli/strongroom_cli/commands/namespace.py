"""namespace list, scan, create, lookup, patch, delete, lock, unlock, and seals of their own."""

from typing import Any, Literal

from strongroom_cli import gotext, output, pgp
from strongroom_cli.command import FIELD, Command
from strongroom_cli.commands.generic import clean
from strongroom_cli.errors import CommandError, UsageError, trouble
from strongroom_cli.flags import Flag, Options
from strongroom_cli.pgp import PGP_KEYS
from strongroom_cli.session import Session
from strongroom_client import NotFound, Response

_DETAILED = Flag("detailed", "Print what is known of each.", "bool")
_CUSTOM = Flag("custom-metadata", "KEY=VALUE to keep with it; may be repeated.", "pairs")

_SEAL = (
    Flag("seal", "File with a seal stanza: the namespace gets a seal of its own."),
    Flag("key-shares", "How many shares of its own seal to make.", "int", alias="n"),
    Flag("key-threshold", "How many of them unseal it.", "int", alias="t"),
    PGP_KEYS,
)


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
    keys = sorted(data.get("keys") or ())
    if not keys:
        raise CommandError("No namespaces found")
    rows = data.get("key_info") or {}
    if not (session.options.on("detailed") and rows):
        return output.document(
            session, sorted(keys), lambda: gotext.table([("Keys",), *((key,) for key in sorted(keys))])
        )
    names = sorted({name for row in rows.values() for name in row})
    cells = [(key, *(gotext.text(rows[key].get(name)) for name in names)) for key in sorted(rows)]
    return output.document(session, data, lambda: gotext.table([("Keys", *names), *cells]))


def create(session: Session) -> int:
    """Make a namespace."""
    path, body = clean(session.arguments[0]), {"custom_metadata": session.options.pairs("custom-metadata")}
    seal = _seal(session.options)
    with trouble("Error creating namespace"):
        response = session.call("post", f"sys/namespaces/{path}", {**body, **seal})
    shares = (response.data or {}).get("key_shares") or []
    if shares and session.format == "table" and not session.options.text("field"):
        lines = [f"Unseal Key {number}: {share}" for number, share in enumerate(shares, 1)]
        session.say("\n".join(lines) + f"\n\n{response.data.pop('key_threshold')} of these unseal the namespace.\n")
        del response.data["key_shares"]
    return _shown(session, response)


def _seal(options: Options) -> dict[str, Any]:
    """Return what the flags say of a seal of the namespace's own."""
    if path := options.text("seal"):
        try:
            with open(path, encoding="utf-8") as file:
                return {"seal": file.read()}
        except OSError as error:
            raise UsageError(f"-seal={path}: {error.strerror}") from error
    if not (options.given("key-shares") or options.given("key-threshold")):
        return {}
    shares, threshold = options.number("key-shares"), options.number("key-threshold")
    keys = pgp.keys(options.items("pgp-keys"))
    return {
        "seal": f'seal "shamir" {{\n  shares = {shares}\n  threshold = {threshold}\n}}',
        **({"pgp_keys": keys} if keys else {}),
    }


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


def seal(session: Session) -> int:
    """Seal a namespace that has a seal of its own."""
    path = clean(session.arguments[0])
    with trouble("Error sealing namespace"):
        session.call("write", f"sys/namespaces/{path}/seal")
    session.say(f'Success! Namespace "{path}" is sealed.')
    return 0


def unseal(session: Session) -> int:
    """Give a key of a namespace's own seal."""
    path, *keys = (argument.strip() for argument in session.arguments)
    if session.options.on("reset"):
        body: dict[str, Any] = {"reset": True}
    else:
        key = keys[0] if keys else "-"
        if key == "-":
            key = session.ask_secret("Unseal Key (will be hidden): ") if not keys else session.read_stdin().strip()
        body = {"key": key, "reset": False}
    with trouble("Error unsealing"):
        response = session.call("write", f"sys/namespaces/{clean(path)}/unseal", body)
    return _seal_status(session, response)


def seal_status(session: Session) -> int:
    """Print the state of a namespace's own seal."""
    with trouble("Error checking seal status"):
        response = session.call("read", f"sys/namespaces/{clean(session.arguments[0])}/seal-status")
    return _seal_status(session, response)


def _seal_status(session: Session, response: Response) -> int:
    status = response.data or response.body or {}
    if session.options.knows("field") and (name := session.options.text("field")):
        return output.data_field(session, status, name)
    rows = [("Seal Type", "type"), ("Initialized", "initialized"), ("Sealed", "sealed"), ("Total Shares", "n"),
            ("Threshold", "t")]  # fmt: skip
    found = [(title, gotext.text(status.get(name))) for title, name in rows]
    if status.get("sealed"):
        found.append(("Unseal Progress", f"{status.get('progress')}/{status.get('t')}"))
        found.append(("Unseal Nonce", status.get("nonce") or ""))
    return output.document(session, status, lambda: output.pairs(found))


def delete_sealed(session: Session) -> int:
    """Delete a namespace whose seal is closed."""
    path = clean(session.arguments[0])
    query = {"force": "true"} if session.options.on("force") else None
    with trouble("Error deleting namespace"):
        session.call("delete", f"sys/namespaces/{path}/delete-sealed", query=query)
    session.say(f"Success! Namespace deletion scheduled: {path}/")
    return 0


def lock(session: Session) -> int:
    """Lock a namespace and print the key that unlocks it."""
    with trouble("Error locking namespace"):
        response = session.call("write", _lock_path(session, "lock"))
    if response.wrap_info:
        return output.answer(session, response)
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
    "namespace create": Command(create, "[options] PATH", "Makes a namespace.", (FIELD, _CUSTOM, *_SEAL), 1, 1),
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
        "(-unlock-key), or with the right to do everything there.", (), 0, 1,
    ),
    "namespace seal": Command(
        seal, "[options] PATH", "Seals a namespace that has a seal of its own.", (), 1, 1, (),
    ),
    "namespace unseal": Command(
        unseal, "[options] PATH [KEY]", "Gives a key of a namespace's own seal.",
        (Flag("reset", "Forget the keys that were given so far.", "bool"),), 1, 2,
    ),
    "namespace seal-status": Command(
        seal_status, "[options] PATH", "Prints the state of a namespace's own seal.", (FIELD,), 1, 1,
    ),
    "namespace delete-sealed": Command(
        delete_sealed, "[options] PATH", "Deletes a namespace whose own seal is closed, and leaves its leases.",
        (Flag("force", "With the namespaces below it.", "bool"),), 1, 1, (),
    ),
}  # fmt: skip
