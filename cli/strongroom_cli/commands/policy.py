"""policy list, read, write, delete, fmt, explain."""

from collections.abc import Iterator
from typing import Any

from strongroom_cli import data, output
from strongroom_cli.command import FIELD, Command
from strongroom_cli.errors import CommandError, UsageError, trouble
from strongroom_cli.flags import Flag
from strongroom_cli.session import Session
from strongroom_client import NotFound


def list_policies(session: Session) -> int:
    """Print the names of all policies."""
    with trouble("Error listing policies"):
        response = session.learn("list", "sys/policies/acl")
    names = (response.data or {}).get("keys") or []
    return output.document(session, names, lambda: "\n".join(names))


def read(session: Session) -> int:
    """Print a policy's text."""
    name = _name(session)
    with trouble(f"Error reading policy named {name}"):
        try:
            response = session.learn("read", f"sys/policies/acl/{name}")
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
        _check(text)
    except ValueError as error:
        raise UsageError(f"failed to parse policy: {error}") from error
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(formatted)
    session.say(f"Success! Formatted policy: {path}")
    return 0


_CAPABILITIES = (
    "create", "read", "update", "delete", "list", "scan", "patch", "sudo", "deny", "root", "recover", "subscribe",
)  # fmt: skip


def _check(text: str) -> None:
    """Raise ValueError for a capability that there is not; the rest is for the server to say."""
    from strongroom_common.hcl import blocks, parse, plain

    for block in blocks(parse(text), "path", 1):
        item, where = block.body.get("capabilities"), block.labels[0] if block.labels else ""
        given = plain(item.value) if item is not None else []
        for word in given if isinstance(given, list) else [given]:
            if word not in _CAPABILITIES:
                raise ValueError(f'path "{where}": path "{where}": invalid capability "{word}"')


def explain(session: Session) -> int:
    """Print why a request is allowed or refused; returns 0 where it is allowed, 2 where not."""
    options = session.options
    body: dict[str, Any] = {"path": session.arguments[0], "operation": options.text("operation") or "read"}
    if words := session.arguments[1:]:
        body["data"] = _sent(session, words)
    if session.client.wrap_ttl:  # it is the request's in question, not this one's
        body["wrap_ttl"], session.client.wrap_ttl = session.client.wrap_ttl, ""
    others = {name: value for name in ("accessor", "policies") if (value := options.text(name))}
    target = "sys/policies/explain" if others else "sys/policies/explain-self"
    try:
        with trouble("Error explaining"):
            response = session.call("write", target, body | others)
    except CommandError as error:
        if getattr(error.__cause__, "status", 0) == 403:
            error.hint = f"The token is unknown or has expired, or no policy of it grants update on {target}."
        raise
    found = response.data or {}
    output.document(session, found, lambda: "\n".join(_explanation(found)))
    return 0 if found.get("allowed") else 2


def _sent(session: Session, words: list[str]) -> dict[str, Any]:
    try:
        return data.parse(words, lambda: session.read_stdin().rstrip("\r\n"))
    except data.DataError as error:
        raise UsageError(str(error)) from error


def _explanation(found: dict[str, Any]) -> Iterator[str]:
    yield f"{found['operation']} {found['path']}: {'allowed' if found['allowed'] else 'denied'}"
    yield f"  because {found['reason']}"
    yield f"  with the policies {', '.join(found['policies']) or 'none'}"
    if rule := found.get("rule"):
        yield "\nThe rule that decides:"
        yield from _rule(rule)
    if others := found.get("also_matched"):
        yield "\nRules that fit too, and stand behind it:"
        for rule in others:
            yield from _rule(rule)
    for hint in found.get("hints") or ():
        yield f"\nHint: {hint}"
    if advice := found.get("advice"):
        yield f"\n{advice}"
    if snippet := found.get("add"):
        yield f"\n{snippet.rstrip()}"


def _rule(rule: dict[str, Any]) -> Iterator[str]:
    yield f'  path "{rule["path"]}" [{", ".join(rule["capabilities"])}]'
    yield from (f"    where {condition}" for condition in rule.get("conditions") or ())
    for source in rule["sources"]:
        yield f"    in policy {source['policy']}, line {source['line']}"


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
        fmt, "[options] PATH", "Formats a policy file in place, and refuses one with errors.", (), 1, 1, (),
    ),
    "policy explain": Command(
        explain, "[options] PATH [DATA K=V...]",
        "Tells why a request is allowed or refused: which rule of which policy decides, what else fits, and what would "
        "have to be added. It is about the token in use, or another by -accessor, or a set of -policies. What the "
        "request would send may follow the path, and -wrap-ttl is that of the request. Exits with 0 where it is "
        "allowed and 2 where it is not.\n\n"
        "  {program} policy explain -operation=update secret/data/app/db",
        (Flag("operation", "read, list, create, update, write, delete or patch. Default read."),
         Flag("accessor", "Accessor of the token that it is about."),
         Flag("policies", "Policies that it is about, with commas between them.")), 1, None,
    ),
}  # fmt: skip
