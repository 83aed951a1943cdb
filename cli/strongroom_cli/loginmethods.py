"""How each auth method takes its credentials: which pairs the user gives, and what is sent where."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from strongroom_cli.errors import UsageError
from strongroom_cli.session import Session
from strongroom_client import Client, Response

SERVICE_ACCOUNT_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 a path


class Method(NamedTuple):
    """One way to log in. ``settings`` are (name, help); ``send`` does it."""

    about: str
    settings: Sequence[tuple[str, str]]
    send: Callable[[Session, Client, str, dict[str, str]], Response]

    def explain(self, program: str, name: str) -> str:
        """Return the help text."""
        lines = [f"Usage: {program} login -method={name} [CONFIG K=V...]", "", f"  {self.about}", "", "Configuration:"]
        for setting, help_text in self.settings:
            lines += ["", f"  {setting}=<string>", f"      {help_text}"]
        return "\n".join(lines)


def _need(given: dict[str, str], name: str, method: str) -> str:
    if not given.get(name):
        raise UsageError(f"'{name}' must be specified: login -method={method} {name}=...")
    return given[name]


def _token(session: Session, client: Client, _: str, given: dict[str, str]) -> Response:
    """Look the token up, so that a bad one is not kept; the answer takes the shape of a login."""
    client.token = given.get("token") or session.ask_secret("Token (will be hidden): ")
    if given.get("lookup", "true") != "true":
        return Response(200, auth={"client_token": client.token})
    client.wrap_ttl = ""  # the answer is for this program, which asks no one for a new token
    data: dict[str, Any] = session.call("read", "auth/token/lookup-self").data
    auth = {
        "client_token": client.token,
        "accessor": data.get("accessor"),
        "policies": data.get("policies"),
        "token_policies": data.get("policies"),
        "metadata": data.get("meta"),
        "lease_duration": data.get("ttl") or 0,
        "renewable": bool(data.get("renewable")),
        "orphan": bool(data.get("orphan")),
        "entity_id": data.get("entity_id") or "",
    }
    return Response(200, auth=auth)


def _password(session: Session, _: Client, mount: str, given: dict[str, str]) -> Response:
    import os

    environ = session.terminal.environ
    user = given.pop("username", "") or environ.get("LOGNAME", "") or environ.get("USER", "") or str(os.getuid())
    password = given.pop("password", "") or session.ask_secret("Password (will be hidden): ")
    return session.call("write", f"auth/{mount}/login/{user}", {**given, "password": password})


def _approle(session: Session, _: Client, mount: str, given: dict[str, str]) -> Response:
    _need(given, "role_id", "approle")
    return session.call("write", f"auth/{mount}/login", given)


def _kubernetes(session: Session, _: Client, mount: str, given: dict[str, str]) -> Response:
    _need(given, "role", "kubernetes")
    if not given.get("jwt"):
        try:
            with open(SERVICE_ACCOUNT_TOKEN, encoding="utf-8") as file:
                given["jwt"] = file.read().strip()
        except OSError as error:
            raise UsageError(
                f"'jwt' must be specified outside of a pod: {SERVICE_ACCOUNT_TOKEN}: {error.strerror}"
            ) from error
    return session.call("write", f"auth/{mount}/login", given)


def _jwt(session: Session, _: Client, mount: str, given: dict[str, str]) -> Response:
    _need(given, "jwt", "jwt")
    return session.call("write", f"auth/{mount}/login", given)


def _oidc(session: Session, client: Client, mount: str, given: dict[str, str]) -> Response:
    from strongroom_cli import oidclogin

    return oidclogin.login(session, client, mount, given)


def _certificate(session: Session, _: Client, mount: str, given: dict[str, str]) -> Response:
    return session.call("write", f"auth/{mount}/login", given)


_USERNAME = ("username", "Name of the user; yours on this machine if not given.")
_PASSWORD = ("password", "Password; asked for on the terminal if not given.")

METHODS: dict[str, Method] = {
    "token": Method(
        "Keeps a token that you already have.",
        [("token", "The token; asked for on the terminal if not given."), ("lookup", "false: do not check it.")],
        _token,
    ),
    "userpass": Method("Logs in with a name and a password that the server keeps.", [_USERNAME, _PASSWORD], _password),
    "ldap": Method("Logs in with a name and a password of an LDAP directory.", [_USERNAME, _PASSWORD], _password),
    "radius": Method("Logs in with a name and a password of a RADIUS server.", [_USERNAME, _PASSWORD], _password),
    "approle": Method(
        "Logs a machine in with its role id and secret id.",
        [("role_id", "The role's id."), ("secret_id", "A secret id of the role, where it asks for one.")],
        _approle,
    ),
    "kubernetes": Method(
        "Logs a pod in with its service account.",
        [("role", "Role of the auth method."), ("jwt", "Service account token; the pod's own if not given.")],
        _kubernetes,
    ),
    "jwt": Method(
        "Logs in with a signed token of another issuer.",
        [("role", "Role; the auth method's default if not given."), ("jwt", "The signed token.")],
        _jwt,
    ),
    "oidc": Method(
        "Logs in with the browser at an OpenID provider.",
        [
            ("role", "Role; the auth method's default if not given."),
            (
                "callbackmode",
                "client, or as the role has it: direct (back to the server), device (back to nowhere).",
            ),
            ("port", "Port to listen on for the browser; 8250 if not given."),
            ("listenaddress", "Address to listen on; localhost if not given."),
            ("callbackhost", "Host that the provider sends the browser back to; localhost if not given."),
            ("callbackport", "Port of that host; the one that is listened on if not given."),
            ("callbackmethod", "http, or https where something in front of this program speaks TLS."),
            ("skip_browser", "true: print the address and start no browser."),
            ("abort_on_error", "Kept for compatibility: any error ends the login."),
        ],
        _oidc,
    ),
    "cert": Method(
        "Logs in with the client certificate of -client-cert and -client-key.",
        [("name", "Role to match the certificate against; all if not given.")],
        _certificate,
    ),
}
