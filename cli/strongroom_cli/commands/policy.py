"""policy list, read, write, delete, fmt."""

from strongroom_cli import data, output
from strongroom_cli.command import FIELD, Command
from strongroom_cli.errors import CommandError, UsageError, trouble
from strongroom_cli.session import Session
from strongroom_client import NotFound


def list_policies(session: Session) -> int:
    """Print the names of all policies."""
    with trouble("Error listing policies"):
        response = session.call("list", "sys/policies/acl")
    names = (response.data or {}).get("keys") or []
    return output.document(session, names, lambda: "\n".join(names))


def read(session: Session) -> int:
    """Print a policy's text."""
    name = _name(session)
    with trouble(f"Error reading policy named {name}"):
        try:
            response = session.call("read", f"sys/policies/acl/{name}")
        except NotFound as error:
            raise CommandError(f"No policy named: {name}") from error
    text = str((response.data or {}).get("policy") or "")
    if session.options.text("field"):
        return output.data_field(session, {"policy": text}, session.options.text("field"))
    return output.document(session, {"policy": text}, text.strip)


def write(session: Session) -> int:
    """Write a policy from a file or standard input."""
    typed, source = session.arguments[0].strip(), session.arguments[1].strip()
    name = typed.lower()
    try:
        text = session.read_stdin() if source == "-" else data.read_file(source)
    except (OSError, ValueError) as error:
        reason = f"open {source}: {(error.strerror or '').lower()}" if isinstance(error, OSError) else error
        raise CommandError(f"Error opening policy file: {reason}") from error
    if name != typed:
        session.warn(f'Policy name was converted from "{typed}" to "{name}"')
    with trouble("Error uploading policy"):
        response = session.call("write", f"sys/policies/acl/{name}", {"policy": text})
    session.say(f"Success! Uploaded policy: {name}")
    output.warnings(session, response.warnings)
    return 0


def delete(session: Session) -> int:
    """Delete a policy."""
    name = _name(session)
    with trouble(f"Error deleting {name}"):
        session.call("delete", f"sys/policies/acl/{name}")
    session.say(f"Success! Deleted policy: {name}")
    return 0


def _name(session: Session) -> str:
    return session.arguments[0].strip().lower()


def fmt(session: Session) -> int:
    """Format a policy file in place."""
    from strongroom_cli import hclformat

    path = session.arguments[0].strip()
    try:
        text = data.read_file(path)
    except (OSError, ValueError) as error:
        reason = f"open {path}: {(error.strerror or '').lower()}" if isinstance(error, OSError) else error
        raise UsageError(f"Error reading source file: {reason}") from error
    try:
        formatted = hclformat.format_policy(text)
    except ValueError as error:
        raise UsageError(f"failed to parse policy: {error}") from error
    with open(path, "w", encoding="utf-8", newline="") as file:  # noqa: PTH123 pathlib costs start-up time
        file.write(formatted)
    session.say(f"Success! Formatted policy: {path}")
    return 0


COMMANDS = {
    "policy list": Command(list_policies, "[options]", "Lists the names of all policies."),
    "policy read": Command(read, "[options] NAME", "Prints a policy.", (FIELD,), 1, 1),
    "policy write": Command(
        write, "[options] NAME PATH",
        "Writes a policy from the file PATH; - is standard input.\n\n  {program} policy write app ./app.hcl",
        (), 2, 2, (),
    ),
    "policy delete": Command(
        delete, "[options] NAME", "Deletes a policy; tokens that have it lose what it grants at once.", (), 1, 1, (),
    ),
    "policy fmt": Command(
        fmt, "[options] PATH", "Formats a policy file in place, and refuses one with errors.", (), 1, 1, (), local=True,
    ),
}  # fmt: skip
