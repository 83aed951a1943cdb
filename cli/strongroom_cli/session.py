"""What a running command has in hand: options, arguments, the terminal, and the client."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, TextIO

from strongroom_cli.errors import CommandError, Instead, UsageError
from strongroom_cli.flags import Options
from strongroom_client import (
    ApiError,
    Client,
    ClientError,
    NotFound,
    Operation,
    Prepared,
    Response,
    Settings,
    from_environ,
)
from strongroom_client.settings import boolean
from strongroom_common.environment import spelled, variable


class Wrapped(ClientError):
    """The answer is wrapped, and this command would have to read it."""

    hint = "This command cannot show a wrapped answer: leave out -wrap-ttl and VAULT_WRAP_TTL."


class Terminal(NamedTuple):
    """Where a command reads and writes, and the environment it sees."""

    stdin: TextIO
    out: TextIO
    err: TextIO
    environ: Mapping[str, str]


class Session:
    """One run of one command. ``program`` is the name that the user typed."""

    def __init__(self, program: str, options: Options, arguments: list[str], terminal: Terminal) -> None:
        self.program, self.options, self.arguments, self.terminal = program, options, arguments, terminal
        self._client: Client | None = None

    @property
    def client(self) -> Client:
        """The client, made on first use; raises SettingsError where a setting cannot be used."""
        if self._client is None:
            self._client = _client(self)
        return self._client

    def close(self) -> None:
        """Close the client's connections."""
        if self._client is not None:
            self._client.close()

    @property
    def format(self) -> str:
        """How to print: table, json, yaml, …"""
        return (self.options.text("format") or variable(self.terminal.environ, "FORMAT") or "table").lower()

    def say(self, text: str) -> None:
        """Print ``text`` on standard output."""
        print(text, file=self.terminal.out)

    def warn(self, text: str) -> None:
        """Print ``text`` on standard error."""
        print(text, file=self.terminal.err)

    def read_stdin(self) -> str:
        """Return standard input to its end."""
        return self.terminal.stdin.read()

    def ask_secret(self, prompt: str) -> str:
        """Ask for something that the terminal must not show; raises CommandError where there is no terminal."""
        interactive = not self.options.on("non-interactive")
        if not (interactive and self.terminal.stdin.isatty()):
            raise CommandError("file descriptor 0 is not a terminal")
        from getpass import getpass

        return getpass(prompt).strip()

    def call(
        self, operation: Operation, path: str, data: Any = None, query: Mapping[str, Any] | None = None
    ) -> Response:
        """Do ``operation``, or print what it would be where the user asked for that."""
        if path == "sys/wrapping/wrap" and not self.client.wrap_ttl:
            self.client.wrap_ttl = "5m"  # nothing else can be meant by it
        request = self.client.prepare(operation, path, data, query)
        if self.options.on("output-curl-string"):
            raise Instead(_curl(self.program, request, self.client.url(request)))
        if self.options.on("output-policy"):
            raise Instead(_policy(operation, path))
        response = self.client.send(request)
        if response.status >= 400:  # sys/health, whose answer is the status
            raise ApiError(response.status, [], method=request.method, url=self.client.url(request))
        return response

    def learn(
        self, operation: Operation, path: str, data: Any = None, query: Mapping[str, Any] | None = None
    ) -> Response:
        """Do ``call`` where the command itself reads the answer; raises ClientError where that is wrapped."""
        response = self.call(operation, path, data, query)
        if response.wrap_info:
            raise Wrapped("data from server response is empty")
        return response

    def look(self, path: str, query: Mapping[str, Any] | None = None) -> Response | None:
        """Read what the command itself needs to know: never wrapped, never printed instead; None if not found."""
        request = self.client.prepare("read", path, query=query)
        headers = {name: value for name, value in request.headers.items() if name != "X-Vault-Wrap-TTL"}
        try:
            return self.client.send(request._replace(headers=headers))
        except NotFound as error:
            carried: Response | None = error.response
            return carried

    def stream(self, request: Prepared) -> AbstractContextManager[Any]:
        """Send ``request`` and hand out the answer unread."""
        return self.client.stream(request)

    def find(
        self, operation: Operation, path: str, data: Any = None, query: Mapping[str, Any] | None = None
    ) -> Response | None:
        """Do ``call``; nothing found is None, or what the 404 carried."""
        try:
            return self.call(operation, path, data, query)
        except NotFound as error:
            carried: Response | None = error.response
            return carried


def _client(session: Session) -> Client:
    settings = _settings(session)
    environ = session.terminal.environ
    client = Client(settings)
    if not client.token:
        from strongroom_common import tokenfile

        client.token = tokenfile.load(environ)
    client.headers = _headers(session)
    return client


def _settings(session: Session) -> Settings:
    options, environ = session.options, session.terminal.environ
    settings = from_environ(environ)
    given = {
        name: text
        for name, flag in {"token": "token", "namespace": "namespace", "wrap_ttl": "wrap-ttl"}.items()
        if (text := options.text(flag))
    }
    if address := options.text("agent-address") or options.text("address"):
        given["address"] = address
    tls = {
        name: text
        for name, flag in {
            "ca_file": "ca-cert", "ca_path": "ca-path", "client_cert": "client-cert", "client_key": "client-key",
            "server_name": "tls-server-name",
        }.items()
        if (text := options.text(flag))
    }  # fmt: skip
    skip = options.on("tls-skip-verify") if options.given("tls-skip-verify") else settings.tls.skip_verify
    stay = options.on("disable-redirects") or boolean(
        spelled(environ, "DISABLE_REDIRECTS"), variable(environ, "DISABLE_REDIRECTS")
    )
    # A person waits at the terminal: no tries beyond the first unless asked for, as Vault's command line has it.
    retries = settings.retries if variable(environ, "MAX_RETRIES") else 0
    trust = settings.tls._replace(skip_verify=skip, **tls)
    changed: dict[str, Any] = {**given, "tls": trust, "retries": retries, "follow": not stay}
    return settings._replace(**changed)


def _headers(session: Session) -> dict[str, str]:
    headers = session.options.pairs("header")
    for name in headers:
        if name.lower().startswith("x-vault-"):
            raise UsageError(f"header {name!r}: headers that begin with X-Vault- are set by their own flags")
    mfa = session.options.items("mfa") or [variable(session.terminal.environ, "MFA")]
    named = {"X-Vault-MFA": ",".join(mfa), "X-Vault-Namespace-Unlock-Key": session.options.text("unlock-key")}
    return {**headers, **{name: value for name, value in named.items() if value}}


def _curl(program: str, request: Prepared, url: str) -> str:
    def quote(text: str) -> str:
        return "'" + text.replace("'", "'\"'\"'") + "'"

    verb = "" if request.method == "GET" else f" -X {request.method}"
    headers = {name: value for name, value in request.headers.items() if name != "Content-Type"}
    if "X-Vault-Token" in headers:
        headers["X-Vault-Token"] = f"$({program} print token)"
    if request.method == "PATCH":
        headers["Content-Type"] = request.headers["Content-Type"]
    words = "".join(f' -H "{name}: {headers[name]}"' for name in sorted(headers))
    body = f" -d {quote(request.body.decode())}" if request.body is not None else ""
    return f'curl{verb}{words}{body} "{url}"'


def _policy(operation: str, path: str) -> str:
    from strongroom_cli.sudopaths import needs_sudo

    path = path.strip("/")
    words = ["create", "update"] if operation in ("write", "post") else [operation]
    capabilities = ", ".join(f'"{word}"' for word in [*words, *(["sudo"] if needs_sudo(path) else [])])
    return f'path "{path}" {{\n  capabilities = [{capabilities}]\n}}'
