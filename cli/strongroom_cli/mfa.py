"""The second factor of a login (HTTP API, "Login MFA"): asked for where somebody sits at the terminal."""

from typing import Any

from strongroom_cli import gotext
from strongroom_cli.errors import CommandError, describe
from strongroom_cli.session import Session
from strongroom_client import ClientError, Response

_LATER = (
    "A login request was issued that is subject to MFA validation. Please make sure to validate the login by sending "
    "another request to sys/mfa/validate endpoint."
)
_HINT = "A code is good once and for a short time: begin the login anew, with the code that is shown next."


def finished(session: Session, response: Response) -> Response | None:
    """Return the answer with the token of a login that needs a second factor; None where it must be finished later.

    It is asked for where one method is the only way and a person is there. Raises CommandError where it is wrong.
    """
    requirement = (response.auth or {})["mfa_requirement"]
    method = _only_method(requirement)
    if method is None or session.options.on("non-interactive") or not session.terminal.stdin.isatty():
        session.warn(gotext.wrapped(_LATER) + "\n")
        return None
    session.warn("Initiating Interactive MFA Validation...")
    typed = []
    if method.get("uses_passcode"):
        prompt = f'Enter the passphrase for methodID "{method["id"]}" of type "{method["type"]}": '
        typed = [session.ask_secret(prompt)]
    else:
        session.warn("Asking for MFA validation by the service. You should receive a push notification shortly.")
    payload = {"mfa_request_id": requirement["mfa_request_id"], "mfa_payload": {method["id"]: typed}}
    try:
        return session.client.write("sys/mfa/validate", payload)
    except ClientError as error:
        raise CommandError(describe(error), 2, _HINT if getattr(error, "status", 0) == 403 else error.hint) from error


def _only_method(requirement: dict[str, Any]) -> dict[str, Any] | None:
    constraints = list((requirement.get("mfa_constraints") or {}).values())
    methods: list[dict[str, Any]] = constraints[0].get("any") or [] if len(constraints) == 1 else []
    return methods[0] if len(methods) == 1 else None


def rows(requirement: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what a table shows of a login that waits for its second factor."""
    found = [("mfa_request_id", requirement.get("mfa_request_id") or "")]
    for name, constraint in sorted((requirement.get("mfa_constraints") or {}).items()):
        for method in constraint.get("any") or []:
            about = f"mfa_constraint_{name}_{method['type']}"
            found.append((f"{about}_id", method["id"]))
            found.append((f"{about}_uses_passcode", gotext.text(bool(method.get("uses_passcode")))))
            if method.get("name"):
                found.append((f"{about}_name", method["name"]))
    return found
