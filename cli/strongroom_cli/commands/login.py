"""login: get a token from an auth method and keep it for later commands."""

from strongroom_cli import data, gotext, loginmethods, mfa, output
from strongroom_cli.command import FIELD, Command
from strongroom_cli.errors import CommandError, UsageError, describe
from strongroom_cli.flags import Flag
from strongroom_cli.session import Session
from strongroom_client import ClientError, Response
from strongroom_common import tokenfile
from strongroom_common.environment import PREFIXES


def login(session: Session) -> int:
    """Log in, keep the token, print it."""
    response = _authenticate(session)
    if response.auth and response.auth.get("mfa_requirement"):
        validated = mfa.finished(session, response)
        if validated is None:
            output.document(session, output.envelope(response), lambda: output.table(response))
            output.warnings(session, response.warnings)
            return 0
        response = validated
    options, auth = session.options, response.auth
    if response.wrap_info:
        return output.answer(session, response)
    if not auth or not auth.get("client_token"):
        raise CommandError("The server returned no token")
    stored = not (options.on("no-store") or options.on("token-only"))
    if stored and not _kept(session, auth["client_token"]):
        output.answer(session, response)
        return 2
    if options.on("token-only"):
        return output.value(session, auth["client_token"])
    _notices(session, stored)
    if options.on("no-print"):
        return 0
    if not options.text("field") and session.format == "table":
        session.say(gotext.wrapped(_SUCCESS.format(program=session.program)) + "\n")
    return output.answer(session, response)


def _kept(session: Session, token: str) -> bool:
    """Keep the token; where that fails say so, and that it is printed instead: it cannot be had again."""
    try:
        tokenfile.store(session.terminal.environ, token)
    except tokenfile.TokenFileError as error:
        session.warn(f"Error storing token: {error}")
        session.warn(
            gotext.wrapped("The login itself was successful. The token is shown below, as it was not kept.") + "\n"
        )
        return False
    return True


_SUCCESS = (
    "Success! You are now authenticated. The token information displayed below is already stored in the token "
    'helper. You do NOT need to run "{program} login" again. Future Strongroom requests will automatically use this '
    "token."
)


def _authenticate(session: Session) -> Response:
    kind = session.options.text("method") or "token"
    method = loginmethods.METHODS.get(kind)
    if method is None:
        raise UsageError(
            gotext.wrapped(
                f'Unknown auth method: {kind}. Use "{session.program} auth list" to see the complete list of auth '
                "methods. Additionally, some auth methods are only available via the HTTP API."
            )
        )
    mount = (session.options.text("path") or kind).strip("/").removeprefix("auth/")
    given = _given(session, kind)
    client = session.client
    client.token = ""  # whoever logs in is nobody yet
    try:
        return method.send(session, client, mount, given)
    except ClientError as error:
        what = "error looking up token: " if kind == "token" else ""
        raise CommandError(f"Error authenticating: {what}{describe(error)}", 2, _hint(error, mount)) from error
    except UsageError:
        raise
    except CommandError as error:
        raise CommandError(f"Error authenticating: {error}", error.code) from error


def _hint(error: ClientError, mount: str) -> str:
    denied = getattr(error, "status", 0) == 403
    return f"Is an auth method mounted at auth/{mount}/, and are the credentials right?" if denied else error.hint


def _given(session: Session, kind: str) -> dict[str, str]:
    words = list(session.arguments)
    if kind == "token" and words and "=" not in words[0]:  # the token itself, or - for standard input
        first = words.pop(0)
        words.append("token=" + (session.read_stdin().strip() if first == "-" else first))
    try:
        return data.parse_texts(words, lambda: session.read_stdin().rstrip("\r\n"))
    except data.DataError as error:
        text = str(error).removeprefix("Failed to parse K=V data: ")
        raise UsageError(f"Error parsing configuration: {text}") from error


def _notices(session: Session, stored: bool) -> None:
    if not stored:
        session.warn(
            gotext.wrapped(
                "The token was not stored in token helper. Set the VAULT_TOKEN environment variable or pass the token "
                "below with each request to Strongroom."
            )
            + "\n"
        )
        return
    for name in (prefix + "TOKEN" for prefix in PREFIXES):
        if session.terminal.environ.get(name):
            session.warn(
                gotext.wrapped(
                    f"WARNING! The {name} environment variable is set! The value of this variable will take "
                    f"precedence; if this is unwanted please unset {name} or update its value accordingly."
                )
                + "\n"
            )


COMMANDS = {
    "login": Command(
        login, "[options] [AUTH K=V...]",
        "Gets a token from an auth method and keeps it for later commands in ~/.vault-token.\n\n"
        "  {program} login hvs.…\n"
        "  {program} login -method=userpass username=ann\n"
        "  {program} login -method=kubernetes role=app\n\n"
        "What an auth method wants: {program} auth help METHOD.",
        (FIELD, Flag("method", "Auth method: " + ", ".join(loginmethods.METHODS) + ".", default="token"),
         Flag("path", "Where the auth method is mounted, if not at its own name."),
         Flag("no-store", "Do not keep the token.", "bool"),
         Flag("no-print", "Print nothing.", "bool"),
         Flag("token-only", "Print the token alone and do not keep it.", "bool")),
        0, None,
    ),
}  # fmt: skip
