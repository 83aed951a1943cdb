"""The agent file: Vault's own, in HCL or JSON (developer.hashicorp.com/vault/docs/agent-and-proxy/agent).

``read`` gives a ``Config`` and warnings; a wrong value is an ``HclError`` with its line. Where the file is silent, the
environment speaks for the server's address and TLS; the environment wins over the file, as with Vault.
"""

from typing import Any, NamedTuple

from strongroom_agent.settings import Section
from strongroom_common.hcl import Body, HclError, parse

DEFAULT_INTERVAL = 300.0
_PROXY_KEYS = ("enforce_consistency", "when_inconsistent", "persist", "cache_static_secrets",
               "static_secret_token_capability_refresh_interval", "disable_caching_dynamic_secrets")  # fmt: skip

_TOKEN_USES = {"": "", "false": "", "true": "auto", "force": "force"}


class Server(NamedTuple):
    """``vault { }``: where the server is, and how often a failing request is tried again."""

    address: str = ""
    namespace: str = ""
    ca_file: str = ""
    ca_path: str = ""
    client_cert: str = ""
    client_key: str = ""
    server_name: str = ""
    skip_verify: bool | None = None
    retries: int = 12


class Method(NamedTuple):
    """``auto_auth { method { } }``: how to log in. ``config`` is the method's own; times are seconds.

    ``namespace`` is that of the login where other requests go to another one.
    """

    kind: str
    mount_path: str
    config: dict[str, Any]
    namespace: str = ""
    wrap_ttl: float = 0
    min_backoff: float = 1
    max_backoff: float = 300
    exit_on_err: bool = False


class Sink(NamedTuple):
    """``sink "file" { }``: where the token is written; ``wrap_ttl`` seconds wraps it (0: not)."""

    path: str
    mode: int = 0o640
    wrap_ttl: float = 0


class TemplateFile(NamedTuple):
    """``template { }``: ``source`` is a file, ``contents`` the text itself; one of them is empty.

    ``command`` is a shell line or a program with its arguments; ``perms`` None keeps what the file has (else 0644).
    ``denied`` are functions that may not be used; files outside of ``sandbox`` may not be read.
    """

    destination: str
    source: str = ""
    contents: str = ""
    delimiters: tuple[str, str] = ("{{", "}}")
    command: str | tuple[str, ...] = ""
    timeout: float = 30
    perms: int | None = None
    strict: bool = False
    make_folders: bool = True
    backup: bool = False
    user: str = ""
    group: str = ""
    denied: tuple[str, ...] = ()
    sandbox: str = ""


class Rendering(NamedTuple):
    """``template_config { }``. ``interval`` is how often secrets without a lease are read again, in seconds."""

    exit_on_retry_failure: bool = False
    interval: float = DEFAULT_INTERVAL
    connections: int = 10
    threshold: float = 0.9


class Listener(NamedTuple):
    """``listener "tcp"`` or ``"unix"``; ``need_header`` asks for X-Vault-Request against forged requests.

    ``may_quit`` lets ``POST /agent/v1/quit`` end the agent.
    """

    kind: str
    address: str
    need_header: bool = False
    mode: int | None = None
    cert_file: str = ""
    key_file: str = ""
    may_quit: bool = False


class Config(NamedTuple):
    """The whole file. ``proxy_token`` says whether a proxied request gets the agent's token: "", "auto" or "force"."""

    server: Server
    method: Method | None = None
    sinks: tuple[Sink, ...] = ()
    templates: tuple[TemplateFile, ...] = ()
    rendering: Rendering = Rendering()
    listeners: tuple[Listener, ...] = ()
    proxy_token: str = ""
    cache: bool = False
    exit_after_auth: bool = False
    pid_file: str = ""
    log: dict[str, str] = {}  # noqa: RUF012 -- never changed
    warnings: tuple[str, ...] = ()


LOG = ("level", "format", "file", "rotate_bytes", "rotate_duration", "rotate_max_files")
"""What the file says of the log under ``log_…``, and the command line under ``-log-…``."""


def read(text: str) -> Config:
    """Return the configuration in ``text``; raises HclError."""
    return build([parse(text)])


def build(bodies: list[Body]) -> Config:
    """Return the configuration of one or more files, later ones adding to the earlier."""
    top = Section(Body(tuple(item for body in bodies for item in body.items), any(body.json for body in bodies)))
    method, sinks = _auto_auth(top.section("auto_auth"))
    proxy_token, cache = _proxy(top)
    section = top.section("vault") or top.section("strongroom")
    server = _server(section) if section else Server()
    if method and not server.namespace:  # then it is for all requests
        server, method = server._replace(namespace=method.namespace), method._replace(namespace="")
    config = Config(
        server=server,
        method=method,
        sinks=sinks,
        templates=tuple(_template(section) for section in top.sections("template")),
        rendering=_rendering(top.section("template_config")),
        listeners=tuple(_listener(section) for section in top.sections("listener", 1)),
        proxy_token=proxy_token,
        cache=cache,
        exit_after_auth=top.flag("exit_after_auth"),
        pid_file=top.text("pid_file"),
        log={key: top.text(f"log_{key}") for key in LOG},
    )
    _refuse_supervising(top)
    top.ignore("telemetry", "disable_idle_connections", "disable_keep_alives")
    _check(config, top)
    return config._replace(warnings=tuple(top.unknown() + _remarks(config)))


def _server(section: Section) -> Server:
    retry = section.section("retry")
    retries = (retry.integer("num_retries") if retry else 0) or 12  # 0 is the default, -1 none at all
    return Server(
        address=section.text("address"),
        namespace=section.text("namespace"),
        ca_file=section.text("ca_cert"),
        ca_path=section.text("ca_path"),
        client_cert=section.text("client_cert"),
        client_key=section.text("client_key"),
        server_name=section.text("tls_server_name"),
        skip_verify=section.flag("tls_skip_verify") if section.body.get("tls_skip_verify") else None,
        retries=max(retries, 0),
    )


def _auto_auth(section: Section | None) -> tuple[Method | None, tuple[Sink, ...]]:
    if section is None:
        return None, ()
    section.ignore("enable_reauth_on_new_credentials")
    methods = list(section.sections("method", 1))
    if len(methods) != 1:
        raise section.error("auto_auth: one and only one 'method' block is required")
    sinks = list(section.sections("sink", 1))
    for group in section.sections("sinks"):
        sinks += group.sections("sink", 1)
    return _method(methods[0]), tuple(_sink(sink) for sink in sinks)


def _method(section: Section) -> Method:
    kind = section.text("type") or section.label
    if not kind:
        raise section.error("auto_auth.method: a type is required, such as kubernetes, approle or token_file")
    return Method(
        kind=kind.lower(),
        mount_path=section.text("mount_path", f"auth/{kind.lower()}").strip("/"),
        config=section.table("config"),
        namespace=section.text("namespace").strip("/"),
        wrap_ttl=section.seconds("wrap_ttl"),
        min_backoff=section.seconds("min_backoff", 1) or 1,
        max_backoff=section.seconds("max_backoff", 300) or 300,
        exit_on_err=section.flag("exit_on_err"),
    )


def _sink(section: Section) -> Sink:
    kind = section.text("type") or section.label
    if kind != "file":
        raise section.error(f"auto_auth.sink: unknown type {kind!r}; expected file")
    if section.text("dh_type") or section.text("dh_path"):
        raise section.error("auto_auth.sink: encrypted sinks (dh_type) are not supported")
    section.ignore("aad", "aad_env_var", "derive_key")
    config = section.section("config")
    if config is None or not config.text("path"):
        raise section.error("auto_auth.sink: 'path' is required in config")
    return Sink(config.text("path"), config.mode("mode") or 0o640, section.seconds("wrap_ttl"))


def _template(section: Section) -> TemplateFile:
    destination, source, contents = (section.text(key) for key in ("destination", "source", "contents"))
    if not destination:
        raise section.error("template: 'destination' is required")
    if bool(source) == bool(contents):
        raise section.error("template: exactly one of 'source' and 'contents' is required")
    inner = section.section("exec")
    command: str | tuple[str, ...] = _command(inner or section)
    section.ignore("wait")
    return TemplateFile(
        destination=destination,
        source=source,
        contents=contents,
        delimiters=(section.text("left_delimiter") or "{{", section.text("right_delimiter") or "}}"),
        command=command,
        timeout=(inner.seconds("timeout") if inner else section.seconds("command_timeout")) or 30,
        perms=section.mode("perms"),
        strict=section.flag("error_on_missing_key"),
        make_folders=section.flag("create_dest_dirs", default=True),
        backup=section.flag("backup"),
        user=section.text("user") or section.text("uid"),
        group=section.text("group") or section.text("gid"),
        denied=section.words("function_denylist") + section.words("function_blacklist"),
        sandbox=section.text("sandbox_path"),
    )


def _command(section: Section) -> str | tuple[str, ...]:
    words = section.words("command")
    return words if isinstance(section.value("command"), tuple) else "".join(words)


def _rendering(section: Section | None) -> Rendering:
    if section is None:
        return Rendering()
    threshold = section.number("lease_renewal_threshold", 0.9)
    if not 0 < threshold <= 1:
        raise section.error("template_config.lease_renewal_threshold: expected more than 0, at most 1",
                            "lease_renewal_threshold")  # fmt: skip
    return Rendering(
        exit_on_retry_failure=section.flag("exit_on_retry_failure"),
        interval=section.seconds("static_secret_render_interval", DEFAULT_INTERVAL) or DEFAULT_INTERVAL,
        connections=max(section.integer("max_connections_per_host", 10), 0) or 10,
        threshold=threshold,
    )


def _proxy(top: Section) -> tuple[str, bool]:
    cache, proxy = top.section("cache"), top.section("api_proxy")
    token = ""
    for section in filter(None, (cache, proxy)):
        wish = section.text("use_auto_auth_token").lower()
        if wish not in _TOKEN_USES:
            raise section.error("use_auto_auth_token: expected true, false or force", "use_auto_auth_token")
        token = _TOKEN_USES[wish] or token
        section.ignore(*_PROXY_KEYS)
    if cache and proxy and all(each.text("use_auto_auth_token") for each in (cache, proxy)):
        raise proxy.error("use_auto_auth_token: stands in cache and in api_proxy, expected in api_proxy only",
                          "use_auto_auth_token")  # fmt: skip
    if (token or proxy) and not top.body.get("listener"):
        raise (proxy or top).error("a proxy (api_proxy, use_auto_auth_token) needs a listener")
    return token, cache is not None


def _listener(section: Section) -> Listener:
    kind = section.text("type") or section.label
    if kind not in ("tcp", "unix"):
        raise section.error(f"listener: unknown type {kind!r}; expected tcp or unix")
    section.ignore("proxy_api", "role", "socket_user", "socket_group")
    api = section.section("agent_api")
    section.ignore("tls_min_version", "tls_max_version")
    listener = Listener(
        kind=kind,
        address=section.text("address"),
        need_header=section.flag("require_request_header"),
        mode=section.mode("socket_mode"),
        cert_file="" if section.flag("tls_disable") else section.text("tls_cert_file"),
        key_file=section.text("tls_key_file"),
        may_quit=api.flag("enable_quit") if api else False,
    )
    if not listener.address:
        raise section.error("listener: 'address' is required")
    if kind == "tcp" and not listener.cert_file and not section.flag("tls_disable"):
        raise section.error("listener: tls_cert_file and tls_key_file are required unless tls_disable = true")
    return listener


def _refuse_supervising(top: Section) -> None:
    for key in ("exec", "env_template"):
        if top.body.get(key):
            raise top.error(f"{key}: running a program with secrets in its environment is not supported; "
                            "render a file with 'template' and use its 'command'", key)  # fmt: skip


def _check(config: Config, top: Section) -> None:
    if config.method is None and not config.listeners and not config.templates:
        raise top.error("nothing to do: no auto_auth, no template, no listener")
    if config.method and not (config.sinks or config.templates or config.listeners):
        raise top.error("auto_auth requires at least one sink, template or listener", "auto_auth")
    if config.method and config.method.min_backoff > config.method.max_backoff:
        raise top.error("auto_auth.method: min_backoff is more than max_backoff", "auto_auth")
    if config.method and config.method.wrap_ttl and [sink.wrap_ttl for sink in config.sinks] != [0]:
        raise top.error("auto_auth.method: wrap_ttl needs exactly one sink, which has no wrap_ttl itself", "auto_auth")
    if config.exit_after_auth and config.method is None and not config.templates:
        raise top.error("exit_after_auth requires auto_auth or a template", "exit_after_auth")


def _remarks(config: Config) -> list[str]:
    places = [sink.path for sink in config.sinks] + [template.destination for template in config.templates]
    twice = sorted({place for place in places if places.count(place) > 1})
    return [f"more than one sink or template writes {place!r}: the last one wins" for place in twice]


def located(error: HclError, name: str) -> str:
    """Return an error of the file ``name`` as one line."""
    return f"{name}:{error.line}:{error.column}: {error.message}"
