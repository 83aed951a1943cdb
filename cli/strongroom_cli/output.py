"""How answers are printed: as a table, as JSON or YAML in Vault's shape, or one field alone."""

from collections.abc import Callable, Sequence
from typing import Any

from strongroom_cli import gotext, mfa
from strongroom_cli.errors import CommandError, UsageError
from strongroom_cli.session import Session
from strongroom_client import Response
from strongroom_common import jsonx
from strongroom_common.environment import variable

_AUTH_KEYS = (
    "client_token", "accessor", "policies", "token_policies", "identity_policies", "metadata", "orphan", "entity_id",
    "lease_duration", "renewable", "mfa_requirement",
)  # fmt: skip
_WRAP_KEYS = ("token", "accessor", "ttl", "creation_time", "creation_path", "wrapped_accessor")


def document(session: Session, value: Any, table: Callable[[], str], *, sort: bool = False) -> int:
    """Print ``value`` in the asked-for format; ``table`` makes the text of the table. Returns 0.

    Keys keep their order in JSON unless ``sort`` is set: Vault prints its own structures in declared order.
    """
    kind = session.format
    if kind == "json":
        session.say(json_text(value, sort=sort))
    elif kind in ("yaml", "yml"):
        from strongroom_cli import yaml

        session.terminal.out.write(yaml.dumps(value))
    elif kind == "table":
        if text := table():
            session.say(text)
    elif kind == "pretty":
        raise UsageError("Could not parse output: cannot use the pretty formatter for this type")
    else:
        raise UsageError(f"This command does not support the -format={kind} option.")
    return 0


def json_text(value: Any, *, sort: bool = False) -> str:
    """Return indented JSON with Go's escapes, so that it can stand in HTML."""
    text = jsonx.dumps(value, indent=2, sort_keys=sort)
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def answer(session: Session, response: Response) -> int:
    """Print ``response``: its field if the command takes -field and one was asked for, else all of it. Returns 0."""
    if session.options.knows("field") and (name := session.options.text("field")):
        return field(session, response, name)
    if session.format == "raw":
        session.say(response.raw.decode("utf-8", "replace"))
        return 0
    code = document(session, envelope(response), lambda: table(response))
    if session.format == "table":
        warnings(session, response.warnings)
    return code


def envelope(response: Response) -> dict[str, Any]:
    """Return ``response`` as Vault's command line prints it in JSON, its keys in that order."""
    auth, wrap = response.auth, response.wrap_info
    data = response.data if response.data is not None or auth or wrap or not _bare(response) else response.body
    return {
        "request_id": response.request_id,
        "lease_id": response.lease_id,
        "lease_duration": response.lease_duration,
        "renewable": response.renewable,
        "data": sort_keys(data),
        "warnings": list(response.warnings) or None,
        **({"auth": _auth(auth)} if auth else {}),
        **({"wrap_info": {key: wrap.get(key, "") for key in _WRAP_KEYS}} if wrap else {}),
    }


def _auth(auth: dict[str, Any]) -> dict[str, Any]:
    shown = {key: sort_keys(auth.get(key)) for key in _AUTH_KEYS}
    return shown | {"mfa_requirement": auth.get("mfa_requirement")}  # a structure of Vault's own keeps its order


def _bare(response: Response) -> bool:
    """Tell whether the body itself is the data: some endpoints (sys/health) answer without the envelope."""
    return isinstance(response.body, dict) and not response.body.keys() & {"data", "auth", "wrap_info", "request_id"}


def sort_keys(value: Any) -> Any:
    """Return ``value`` with every object's keys sorted, as Go prints maps."""
    if isinstance(value, dict):
        return {key: sort_keys(value[key]) for key in sorted(value)}
    return [sort_keys(item) for item in value] if isinstance(value, list) else value


def table(response: Response) -> str:
    """Return ``response`` as a table of keys and values, "" where there is nothing in it."""
    found = rows(response)
    return pairs(found) if found else ""


def titled(title: str, content: dict[str, Any]) -> str:
    """Return an object as a table under a banner."""
    width = max((len(key.encode()) for key in content), default=0) + 9  # the longest key, the gap, and "Value"
    return gotext.banner(title, width) + "\n" + pairs(data_rows(content))


def heading(title: str, path: str) -> str:
    """Return ``path`` under a banner."""
    return f"{gotext.banner(title, len(path.encode()))}\n{path}\n"


def pairs(entries: Sequence[tuple[str, str]]) -> str:
    """Return a table of two columns under Key and Value."""
    return gotext.table([("Key", "Value"), *entries])


def rows(response: Response) -> list[tuple[str, str]]:
    """Return what a table shows of ``response``: lease, token, wrapping, data."""
    found = _lease_rows(response)
    if response.auth and response.auth.get("mfa_requirement"):
        return mfa.rows(response.auth["mfa_requirement"])
    if response.auth:
        found += _auth_rows(response.auth)
    if response.wrap_info:
        found += _wrap_rows(response.wrap_info)
    return found + data_rows(response.data if response.data is not None else response.body if _bare(response) else {})


def data_rows(data: Any) -> list[tuple[str, str]]:
    """Return the rows for an object, sorted by key."""
    return [(key, gotext.field(key, data[key])) for key in sorted(data)] if isinstance(data, dict) else []


def _lease_rows(response: Response) -> list[tuple[str, str]]:
    if not response.lease_duration:
        return []
    lasts = gotext.duration(response.lease_duration)
    if not response.lease_id:
        return [("refresh_interval", lasts)]
    renewable = gotext.text(response.renewable)
    return [("lease_id", response.lease_id), ("lease_duration", lasts), ("lease_renewable", renewable)]


def _auth_rows(auth: dict[str, Any]) -> list[tuple[str, str]]:
    metadata = auth.get("metadata") or {}
    return [
        ("token", auth.get("client_token") or ""),
        ("token_accessor", auth.get("accessor") or ""),
        ("token_duration", gotext.duration(auth.get("lease_duration") or 0)),
        ("token_renewable", gotext.text(bool(auth.get("renewable")))),
        ("token_policies", gotext.quoted(auth.get("token_policies") or ())),
        ("identity_policies", gotext.quoted(auth.get("identity_policies") or ())),
        ("policies", gotext.quoted(auth.get("policies") or ())),
        *((f"token_meta_{key}", gotext.text(metadata[key])) for key in sorted(metadata)),
    ]


def _wrap_rows(wrap: dict[str, Any]) -> list[tuple[str, str]]:
    found = [
        ("wrapping_token:", wrap.get("token") or ""),
        ("wrapping_accessor:", wrap.get("accessor") or ""),
        ("wrapping_token_ttl:", gotext.duration(wrap.get("ttl") or 0)),
        ("wrapping_token_creation_time:", gotext.timestamp(wrap.get("creation_time") or "")),
        ("wrapping_token_creation_path:", wrap.get("creation_path") or ""),
    ]
    return found + ([("wrapped_accessor:", wrap["wrapped_accessor"])] if wrap.get("wrapped_accessor") else [])


def field(session: Session, response: Response, name: str) -> int:
    """Print one field of ``response`` and nothing else; raises UsageError where it has none of that name."""
    fields = _named(response)
    if fields.get(name) is None:
        raise UsageError(f'Field "{name}" not present in secret')
    return value(session, fields[name])


def data_field(session: Session, data: dict[str, Any], name: str) -> int:
    """Print one field of an object; raises UsageError where it has none of that name."""
    if data.get(name) is None:
        raise UsageError(f'Field "{name}" not present in map')
    return value(session, data[name])


def value(session: Session, found: Any) -> int:
    """Print one value: as it is, or as JSON or YAML. No newline unless a person looks at it."""
    kind, out = session.format, session.terminal.out
    if kind == "json":
        text = json_text(sort_keys(found))
    elif kind in ("yaml", "yml"):
        from strongroom_cli import yaml

        text = yaml.dumps(found)
    elif kind in ("table", "raw"):
        text = gotext.text(found)
    else:
        raise UsageError(f"This command does not support the -format={kind} option.")
    out.write(text + ("\n" if out.isatty() else ""))
    return 0


def _named(response: Response) -> dict[str, Any]:
    data = response.data if isinstance(response.data, dict) else response.body if _bare(response) else {}
    found = dict(data or {})
    if (wrap := response.wrap_info) is not None:
        return {
            "wrapping_token": wrap.get("token"),
            "wrapping_accessor": wrap.get("accessor"),
            "wrapping_token_ttl": wrap.get("ttl"),
            "wrapping_token_creation_time": gotext.timestamp(wrap.get("creation_time") or ""),
            "wrapping_token_creation_path": wrap.get("creation_path"),
            "wrapped_accessor": wrap.get("wrapped_accessor"),
        }
    lease = {
        "lease_id": response.lease_id,
        "lease_duration": response.lease_duration,
        "lease_renewable": response.renewable,
        "refresh_interval": response.lease_duration,
    }
    if (auth := response.auth) is None:
        return {**lease, **found}
    return {
        **lease,
        "token": auth.get("client_token"),
        "token_accessor": auth.get("accessor"),
        "token_duration": auth.get("lease_duration"),
        "token_renewable": auth.get("renewable"),
        "token_policies": auth.get("token_policies") or [],
        "identity_policies": auth.get("identity_policies") or [],
        "policies": auth.get("policies") or [],
        **found,
    }


def names(session: Session, response: Response | None, path: str, hint: str = "") -> int:
    """Print the keys of a list; where there are none say so on standard error, with ``hint``, and return 2."""
    keys = (response.data or {}).get("keys") if response and isinstance(response.data, dict) else None
    if response and (response.wrap_info or (not keys and response.warnings and session.format == "table")):
        return answer(session, response)
    if not keys:
        if session.format == "table":
            raise CommandError(f"No value found at {path}", 2, hint)
        session.say("{}")
        return 2
    keys = sorted(keys)
    if detailed(session) and response:
        info = response.data.get("key_info") or {}
        whole = envelope(response) if session.format == "json" else keys  # YAML has the names alone, as Vault's
        code = document(session, whole, lambda: gotext.table(_detailed_rows(keys, info)))
    else:
        code = document(session, keys, lambda: gotext.table([("Keys",), *((key,) for key in keys)]))
    if response and session.format == "table":
        warnings(session, response.warnings)
    return code


def detailed(session: Session) -> bool:
    """Tell whether a list shall show what the server says of each key."""
    if not session.options.knows("detailed"):
        return False
    said = variable(session.terminal.environ, "DETAILED").lower()
    return session.options.on("detailed") if session.options.given("detailed") else said in ("1", "t", "true")


def _detailed_rows(keys: Sequence[str], info: dict[str, dict[str, Any]]) -> list[tuple[str, ...]]:
    titles = sorted({title for facts in info.values() for title in facts})
    found = [("Keys", *titles)]
    for key in keys:
        facts = info.get(key, {})
        found.append((key, *(gotext.text(facts.get(title, "")) for title in titles)))
    return found


def warnings(session: Session, found: Sequence[str]) -> None:
    """Print the server's warnings on standard error."""
    if not found:
        return
    session.warn(warnings_text(found))


def warnings_text(found: Sequence[str]) -> str:
    """Return the block that shows the server's warnings."""
    blocks = [gotext.wrapped(f"* {warning}", 78, "  ") for warning in found]
    return "WARNING! The following warnings were returned from Strongroom:\n\n" + "\n\n".join(blocks) + "\n"
