"""pki health-check: what is unsafe, dear or about to end in a PKI mount."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from strongroom_cli import data, gotext, output
from strongroom_cli.command import Command
from strongroom_cli.commands.generic import clean
from strongroom_cli.errors import CommandError, UsageError, describe, trouble
from strongroom_cli.flags import Flag
from strongroom_cli.pkihealth import issuers, roles, settings, tuning, upkeep
from strongroom_cli.pkihealth.findings import DENIED, INVALID_VERSION, LEAST, Finding, exit_code
from strongroom_cli.pkihealth.mount import Mount, Unreadable
from strongroom_cli.session import Session
from strongroom_client import BadRequest, ClientError, NotFound
from strongroom_common import jsonx
from strongroom_common.clock import SystemClock

Check = Callable[[Mount, Mapping[str, Any]], list[Finding]]
CHECKS: dict[str, Check] = {
    check.__name__: check
    for check in (
        issuers.ca_validity_period, issuers.crl_validity_period, issuers.hardware_backed_root,
        issuers.root_issued_leaves, roles.role_allows_localhost, roles.role_allows_glob_wildcards,
        roles.role_no_store_false, tuning.audit_visibility, tuning.allow_if_modified_since, upkeep.enable_auto_tidy,
        upkeep.tidy_last_run, upkeep.too_many_certs, upkeep.enable_acme_issuance, tuning.allow_acme_headers,
    )
}  # fmt: skip


def health_check(session: Session) -> int:
    """Run the checks, print what they find; the exit code tells the worst of it."""
    indicator = session.options.text("return-indicator")
    if indicator not in LEAST:
        known = "default, informational, warning, critical, and permission"
        raise UsageError(f"Invalid flag -return-indicator={indicator}; known options are {known}")
    if session.options.on("list"):
        return _list(session)
    if not session.arguments:
        raise UsageError("Not enough arguments (expected mount path, got nothing)")
    if len(session.arguments) > 1:
        raise UsageError(f"Too many arguments (expected only mount path, got {len(session.arguments)} arguments)")
    chosen = settings.merged(_changes(session), enabled=not session.options.on("default-disabled"))
    mount = Mount(session, clean(session.arguments[0]), SystemClock().now())
    _be_pki(session, mount)
    found = {name: _run(name, mount, chosen[name]) for name in chosen}
    _print(session, found)
    return exit_code([finding for findings in found.values() for finding in findings], indicator)


def _list(session: Session) -> int:
    if session.format in ("yaml", "yml"):
        raise UsageError("YAML output format is not supported by the --list command")
    if session.format == "table":
        session.say("Default health check config:")
    session.say(output.json_text(settings.DEFAULTS, sort=True))
    return 0


def _changes(session: Session) -> dict[str, Any]:
    path = session.options.text("health-config")
    if not path:
        return {}
    try:
        changes = jsonx.loads(data.read_file(path))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"Failed to read configuration file {path}: open {path}: {reason}") from error
    except ValueError as error:
        raise UsageError(f"Failed to parse configuration file {path}: {error}") from error
    if not isinstance(changes, dict):
        raise UsageError(f"Failed to parse configuration file {path}: expected a JSON object")
    return changes


def _be_pki(session: Session, mount: Mount) -> None:
    """Raise CommandError unless there is a PKI mount with issuers."""
    try:
        session.client.read(f"{mount.path}/cert/ca")
    except BadRequest:  # there is no default issuer
        pass
    except NotFound as error:
        reason = "".join(error.errors[:1]).rstrip(".").rpartition(". ")[2] or "nothing there"
        what = f"refusing to run PKI health-check on non-PKI mount: path cert/ca did not exist: {reason}"
        raise CommandError(what, 1) from error
    except ClientError as error:
        raise CommandError(f"detection of PKI mount failed:\n\t{describe(error)}", 1, error.hint) from error
    with trouble("Failed to run health check: failed to fetch resources ca_validity_period", 1):
        if not _has_issuers(mount):
            what = "this mount lacks any configured issuers, limiting health check usefulness"
            raise CommandError(f"Failed to run health check: failed to fetch resources ca_validity_period: {what}", 1)


def _has_issuers(mount: Mount) -> bool:
    try:
        return bool(mount.names("issuers"))
    except Unreadable:  # each check tells for itself what it could not see
        return True


def _run(name: str, mount: Mount, chosen: Mapping[str, Any]) -> list[Finding]:
    try:
        with trouble(f"Failed to run health check: failed to fetch resources {name}", 1):
            return CHECKS[name](mount, chosen)
    except Unreadable as refusal:
        if refusal.old:
            text = (
                "The server does not have this path, so that this health check cannot run: it is of an older release."
            )
            return [Finding(INVALID_VERSION, refusal.endpoint, text)]
        text = "This token lacks permission to read the endpoint for this mount. Without this information, this health "
        return [Finding(DENIED, refusal.endpoint, f"{text}check is unable to function.")]


def _print(session: Session, found: Mapping[str, Sequence[Finding]]) -> None:
    if session.format != "table":
        facts = {name: [finding.facts() for finding in found[name]] for name in sorted(found)}
        output.document(session, facts, str)
        return
    for name, findings in found.items():
        rows = [("status", "endpoint", "message"), *((one.status, one.endpoint, one.message) for one in findings)]
        session.say(f"{name}\n{'-' * len(name)}\n{gotext.table(rows)}\n\n")


COMMANDS = {
    "pki health-check": Command(
        health_check, "[options] MOUNT",
        "Checks the PKI engine at MOUNT against good practice and for failures ahead. Not every advice fits every\n"
        "mount: -health-config names a JSON file with other parameters for the checks, or none of them.\n\n"
        "  {program} pki health-check -health-config=mine.json pki-root\n\n"
        "Exit codes:\n\n"
        "  0  All is well.\n"
        "  1  The command line or its configuration is wrong.\n"
        "  2  There is informational advice.\n"
        "  3  There is a warning.\n"
        "  4  Something is critical.\n"
        "  5  The server is too old for some checks.\n"
        "  6  The token may not read what some checks need.",
        (Flag("default-disabled", "Run only the checks that the configuration file enables.", "bool"),
         Flag("health-config", "JSON file with parameters of the checks."),
         Flag("list", "Print all checks with their parameters, and check nothing.", "bool"),
         Flag("return-indicator", "From what on the exit code is not 0: permission (the token, or the server's age,\n"
              "kept checks from running), critical, warning, informational, or default, the same as informational.",
              default="default")),
        0, None,
    ),
}  # fmt: skip
