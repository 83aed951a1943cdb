"""read, write, list, scan, delete, patch: any path of the API."""

from strongroom_cli import data, output
from strongroom_cli.command import FIELD, Command
from strongroom_cli.errors import CommandError, UsageError, trouble
from strongroom_cli.flags import Flag
from strongroom_cli.session import Session
from strongroom_client import Operation, Response

_FORCE = Flag("force", "Send the request even without data.", "bool", alias="f")

_PAGE = (
    Flag("after", "Begin behind this name, where the endpoint has pages."),
    Flag("limit", "List no more names than this, where the endpoint has pages.", "int", -1),
    Flag("detailed", "Print what the server says of each name. Also VAULT_DETAILED.", "bool"),
)


def clean(path: str) -> str:
    """Return ``path`` without blanks and slashes around it."""
    return path.strip().strip("/")


def read(session: Session) -> int:
    """Print what is at a path."""
    path = clean(session.arguments[0])
    query = data.parse(session.arguments[1:], session.read_stdin)
    with trouble(f"Error reading {path}"):
        response = session.find("read", path, query=query)
    if response is None:
        raise CommandError(f"No value found at {path}")
    return output.answer(session, response)


def write(session: Session) -> int:
    """Create or update a path."""
    return _write(session, "write")


def patch(session: Session) -> int:
    """Change part of what is at a path."""
    return _write(session, "patch")


def _write(session: Session, operation: Operation) -> int:
    path = clean(session.arguments[0])
    content = data.parse(session.arguments[1:], session.read_stdin)
    if not content and not session.options.on("force"):
        raise UsageError("Must supply data or use -force")
    with trouble(f"Error writing data to {path}"):
        response = session.call(operation, path, content or None)
    return written(session, response, path)


def written(session: Session, response: Response, path: str) -> int:
    """Print the answer to a write, or that it went well where there is nothing in it."""
    if not (output.rows(response) or response.warnings):
        if session.format == "table":
            session.say(f"Success! Data written to: {path}")
        return 0
    return output.answer(session, response)


def list_names(session: Session) -> int:
    """Print the names below a path."""
    return _names(session, "list", "listing")


def scan(session: Session) -> int:
    """Print all names below a path, those in folders included."""
    return _names(session, "scan", "scanning")


def _names(session: Session, operation: Operation, doing: str) -> int:
    path, options = clean(session.arguments[0]), session.options
    query = {"after": options.text("after")} if options.text("after") else {}
    if options.number("limit") > 0:
        query["limit"] = str(options.number("limit"))
    with trouble(f"Error {doing} {path}"):
        response = session.find(operation, path, query=query)
    return output.names(session, response, path)


def delete(session: Session) -> int:
    """Delete what is at a path."""
    path = clean(session.arguments[0])
    query = data.parse(session.arguments[1:], session.read_stdin)
    with trouble(f"Error deleting {path}"):
        response = session.call("delete", path, query=query)
    return deleted(session, response, path)


def deleted(session: Session, response: Response, path: str) -> int:
    """Print that a delete went well, or its answer where there is something in it."""
    if response.raw.strip() and output.rows(response):
        return output.answer(session, response)
    if session.format == "table":
        session.say(f"Success! Data deleted (if it existed) at: {path}")
        output.warnings(session, response.warnings)
    return 0


COMMANDS = {
    "read": Command(
        read, "[options] PATH [KEY=VALUE...]",
        "Reads what is at PATH and prints it. KEY=VALUE pairs become query parameters.\n\n"
        "  {program} read database/creds/app",
        (FIELD,), 1, None, ("table", "json", "yaml", "raw"),
    ),
    "write": Command(
        write, "[options] PATH [DATA...]",
        "Writes DATA to PATH. DATA is KEY=VALUE; KEY=@FILE and KEY=- take the value from a file or from standard\n"
        "input, @FILE and - a whole JSON object.\n\n"
        "  {program} write auth/userpass/users/ann password=- token_ttl=1h",
        (FIELD, _FORCE), 1, None, ("table", "json", "yaml", "raw"),
    ),
    "patch": Command(
        patch, "[options] PATH [DATA...]",
        "Merges DATA into what is at PATH (RFC 7396); what DATA does not name stays. DATA is as for write.",
        (FIELD, _FORCE), 1, None, ("table", "json", "yaml", "raw"),
    ),
    "list": Command(list_names, "[options] PATH", "Lists the names below PATH.", _PAGE, 1, 1),
    "scan": Command(scan, "[options] PATH", "Lists all names below PATH, through its folders.", _PAGE, 1, 1),
    "delete": Command(
        delete, "[options] PATH [KEY=VALUE...]",
        "Deletes what is at PATH. KEY=VALUE pairs become query parameters.", (FIELD,), 1, None,
    ),
}  # fmt: skip
