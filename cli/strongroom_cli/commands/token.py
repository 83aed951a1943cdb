"""token create, lookup, renew, revoke, capabilities."""

from typing import Any

from strongroom_cli import gotext, output
from strongroom_cli.command import FIELD, Command
from strongroom_cli.errors import UsageError, trouble
from strongroom_cli.flags import Flag
from strongroom_cli.session import Session

_ACCESSOR = Flag("accessor", "The argument is a token's accessor, not the token.", "bool")


def create(session: Session) -> int:
    """Make a token."""
    options = session.options
    body: dict[str, Any] = {
        "policies": options.items("policy") or None,
        "meta": options.pairs("metadata") or None,
        "num_uses": options.number("use-limit"),
        "renewable": options.on("renewable") and options.text("type") != "batch",
        "no_parent": options.on("orphan"),
        "no_default_policy": options.on("no-default-policy"),
        **{name: text for name in ("id", "type") if (text := options.text(name))},
    }
    for flag, name in (("entity-alias", "entity_alias"), ("display-name", "display_name")):
        if options.given(flag):
            body[name] = options.text(flag)
    for flag, name in (("ttl", "ttl"), ("explicit-max-ttl", "explicit_max_ttl"), ("period", "period")):
        if options.given(flag):
            body[name] = f"{int(options.seconds(flag))}s"
    role = options.text("role")
    with trouble("Error creating token"):
        response = session.call("post", "auth/token/create" + (f"/{role}" if role else ""), body)
    return output.answer(session, response)


def lookup(session: Session) -> int:
    """Print what a token is."""
    by_accessor = session.options.on("accessor")
    _check_accessor(session)
    with trouble("Error looking up token"):
        if not session.arguments:
            response = session.call("read", "auth/token/lookup-self")
        elif by_accessor:
            response = session.call("post", "auth/token/lookup-accessor", {"accessor": session.arguments[0].strip()})
        else:
            response = session.call("post", "auth/token/lookup", {"token": session.arguments[0].strip()})
    return output.answer(session, response)


def renew(session: Session) -> int:
    """Extend a token's life."""
    _check_accessor(session)
    increment = {"increment": int(session.options.seconds("increment"))}
    with trouble("Error renewing token"):
        if not session.arguments:
            response = session.call("write", "auth/token/renew-self", increment)
        elif session.options.on("accessor"):
            body = {"accessor": session.arguments[0].strip(), **increment}
            response = session.call("write", "auth/token/renew-accessor", body)
        else:
            body = {"token": session.arguments[0].strip(), **increment}
            response = session.call("write", "auth/token/renew", body)
    return output.answer(session, response)


def _check_accessor(session: Session) -> None:
    if session.options.on("accessor") and not session.arguments:
        raise UsageError("Not enough arguments with -accessor (expected 1, got 0)")


_MODES = ("", "orphan", "path")


def revoke(session: Session) -> int:
    """End a token, and its children unless asked otherwise."""
    options, count = session.options, len(session.arguments)
    mode = options.text("mode")
    if options.on("self") and count:
        raise UsageError(f"Too many arguments with -self (expected 0, got {count})")
    if not options.on("self") and count != 1:
        word = "Not enough" if count < 1 else "Too many"
        raise UsageError(f"{word} arguments (expected 1 or -self, got {count})")
    if options.on("self") and options.on("accessor"):
        raise UsageError("Cannot use -self with -accessor")
    if mode not in _MODES:
        raise UsageError(f"Invalid mode: {mode}; expected orphan or path")
    if mode and (options.on("self") or options.on("accessor")):
        raise UsageError(f"Cannot use {'-self' if options.on('self') else '-accessor'} with -mode={mode}")
    path, body = _revocation(session, mode, session.arguments[0].strip() if count else "")
    with trouble("Error revoking token"):
        session.call("write", path, body)
    session.say("Success! Revoked token (if it existed)")
    return 0


def _revocation(session: Session, mode: str, which: str) -> tuple[str, dict[str, str] | None]:
    if session.options.on("self"):
        return "auth/token/revoke-self", None
    if session.options.on("accessor"):
        return "auth/token/revoke-accessor", {"accessor": which}
    if mode == "orphan":
        return "auth/token/revoke-orphan", {"token": which}
    if mode == "path":
        return f"sys/leases/revoke-prefix/{which.strip('/')}", None
    return "auth/token/revoke", {"token": which}


def capabilities(session: Session) -> int:
    """Print what a token may do at a path."""
    count = len(session.arguments)
    by_accessor = session.options.on("accessor")
    if by_accessor and count != 2:
        raise UsageError(f"Not enough arguments with -accessor (expected 2, got {count})")
    if not 1 <= count <= 2:
        word = "Not enough" if count < 1 else "Too many"
        raise UsageError(f"{word} arguments (expected 1-2, got {count})")
    path = session.arguments[-1].strip()
    with trouble("Error listing capabilities"):
        if count == 1:
            response = session.learn("post", "sys/capabilities-self", {"path": path})
        else:
            kind = "accessor" if by_accessor else "token"
            endpoint = "sys/capabilities-accessor" if by_accessor else "sys/capabilities"
            response = session.learn("post", endpoint, {"path": path, kind: session.arguments[0].strip()})
    found = response.data or response.body or {}
    names = sorted(found.get("capabilities") or found.get(path) or ())
    return output.document(session, names, lambda: gotext.text(", ".join(names)))


COMMANDS = {
    "token create": Command(
        create, "[options]",
        "Makes a token, by default a child of the one in use and with its policies.\n\n"
        "  {program} token create -policy=app -ttl=24h",
        (FIELD,
         Flag("policy", "Policy of the token; may be repeated.", "list"),
         Flag("ttl", "How long it lives at first.", "duration"),
         Flag("explicit-max-ttl", "How long it lives at most, whatever is renewed.", "duration"),
         Flag("period", "Makes it periodic: each renewal gives this long again.", "duration"),
         Flag("use-limit", "How many requests it is good for; 0: any number.", "int"),
         Flag("renewable", "Whether it can be renewed.", "bool", True),
         Flag("orphan", "Not a child of the token in use.", "bool"),
         Flag("no-default-policy", "Without the policy named default.", "bool"),
         Flag("display-name", "Name for the audit log."),
         Flag("metadata", "KEY=VALUE to keep with it; may be repeated.", "pairs"),
         Flag("type", "service or batch.", default="service"),
         Flag("role", "Token role to make it with."),
         Flag("entity-alias", "Entity alias to tie it to; needs -role."),
         Flag("id", "The token itself; made up if not given.")),
    ),
    "token lookup": Command(
        lookup, "[options] [TOKEN | ACCESSOR]", "Prints what a token is; your own if none is given.",
        (FIELD, _ACCESSOR), 0, 1,
    ),
    "token renew": Command(
        renew, "[options] [TOKEN]", "Extends a token's life; your own if none is given.",
        (FIELD, _ACCESSOR, Flag("increment", "By how long; the server may give less.", "duration", alias="i")), 0, 1,
    ),
    "token revoke": Command(
        revoke, "[options] [TOKEN | ACCESSOR]",
        "Ends a token, all its children and their leases.",
        (_ACCESSOR, Flag("self", "End the token in use.", "bool"),
         Flag("mode", "orphan: its children live on; path: all tokens of an auth method's path.")),
        0, None, (),
    ),
    "token capabilities": Command(
        capabilities, "[options] [TOKEN] PATH",
        "Prints what a token may do at PATH; your own token if none is given.", (_ACCESSOR,), 0, None,
    ),
}  # fmt: skip
