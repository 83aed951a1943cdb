"""lease lookup, renew, revoke."""

from strongroom_cli import output
from strongroom_cli.command import FIELD, Command
from strongroom_cli.errors import CommandError, UsageError, trouble
from strongroom_cli.flags import Flag
from strongroom_cli.session import Session


def _lease(session: Session) -> str:
    if not session.arguments:
        raise UsageError("Missing ID!")
    return session.arguments[0].strip()


def lookup(session: Session) -> int:
    """Print what a lease is."""
    lease = _lease(session)
    with trouble(f"error looking up lease id {lease}"):
        response = session.call("write", "sys/leases/lookup", {"lease_id": lease})
    return output.answer(session, response)


def renew(session: Session) -> int:
    """Extend a lease."""
    lease = _lease(session)
    increment = int(session.options.seconds("increment"))
    with trouble(f"Error renewing {lease}"):
        response = session.call("write", "sys/leases/renew", {"lease_id": lease, "increment": increment})
    return output.answer(session, response)


def revoke(session: Session) -> int:
    """End a lease, or all below a prefix."""
    options, lease = session.options, _lease(session)
    force, prefix = options.on("force"), options.on("prefix")
    if force and not prefix:
        raise UsageError("Specifying -force requires also specifying -prefix")
    if force:
        return _force(session, lease)
    what = f"leases with prefix {lease}" if prefix else f"lease {lease}"
    body = {"sync": options.on("sync")}
    with trouble(f"Error revoking {what}"):
        if prefix:
            session.call("write", f"sys/leases/revoke-prefix/{lease.strip('/')}", body)
        else:
            session.call("write", "sys/leases/revoke", {**body, "lease_id": lease})
    if not options.on("sync"):
        session.say("All revocation operations queued successfully!")
    else:
        session.say(f"Success! Revoked {'any ' if prefix else ''}{what.replace(' prefix ', ' prefix: ')}")
    return 0


def _force(session: Session, prefix: str) -> int:
    session.warn("Warning! Force-removing leases can leave credentials alive that the server no\nlonger knows of!")
    with trouble(f"Error force revoking leases with prefix {prefix}"):
        session.call("write", f"sys/leases/revoke-force/{prefix.strip('/')}")
    session.say(f"Success! Force revoked any leases with prefix: {prefix}")
    return 0


def unwrap(session: Session) -> int:
    """Print what a wrapping token holds."""
    token = session.arguments[0].strip() if session.arguments else ""
    client = session.client
    if token and not client.token:
        client.token, token = token, ""
    with trouble("Error unwrapping"):
        response = session.call("write", "sys/wrapping/unwrap", {"token": token} if token else None)
    if not response.raw.strip():
        raise CommandError("Could not find wrapped response")
    return output.answer(session, response)


COMMANDS = {
    "lease lookup": Command(lookup, "[options] ID", "Prints what a lease is.", (), 0, 1),
    "lease renew": Command(
        renew, "[options] ID", "Extends a lease.",
        (Flag("increment", "By how long; the server may give less.", "duration", alias="i"),), 0, 1,
    ),
    "lease revoke": Command(
        revoke, "[options] ID | PREFIX", "Ends a lease, and with it the credentials that it is for.",
        (Flag("prefix", "The argument is a prefix: end all leases below it.", "bool"),
         Flag("force", "Forget the leases even if credentials cannot be taken back; with -prefix.", "bool", alias="f"),
         Flag("sync", "Wait until it is done.", "bool")),
        0, 1, (),
    ),
    "unwrap": Command(
        unwrap, "[options] [TOKEN]", "Prints what a wrapping token holds. A wrapping token is good once.",
        (FIELD,), 0, 1,
    ),
}  # fmt: skip
