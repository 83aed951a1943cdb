"""The agent's configuration from a pod's settings: the JSON form of Vault's agent file, as pure data.

Format: https://developer.hashicorp.com/vault/docs/agent-and-proxy/agent#configuration-file-options
"""

import posixpath
from collections.abc import Mapping
from typing import Any

from strongroom_common.fields import fields
from strongroom_injector.annotations import Settings, Telemetry
from strongroom_injector.errors import Denied
from strongroom_injector.settings import NamedSecret, Reading, parse_default

HOME = "/home/vault"
CACHE = "/vault/agent-cache"
_WITHOUT_ROLE = ("approle", "cert", "token_file")
_DEFAULT_TEMPLATES = {
    "map": '{{ with secret "%s" }}{{ range $k, $v := .Data }}{{ $k }}: {{ $v }}\n{{ end }}{{ end }}',
    "json": '{{ with secret "%s" }}{{ .Data | toJSON }}\n{{ end }}',
}


def agent_config(reading: Reading, token_path: str, *, once: bool, pair: bool) -> dict[str, Any]:
    """Return the agent's config: ``once`` for an init container; ``pair`` where init and sidecar share a cache.

    ``token_path`` is where the service account's token lies. Raises Denied for two files of one name, for telemetry
    that is of the wrong type and for a login that lacks its role.
    """
    settings = reading.settings
    config = {
        "vault": _server(settings),
        "auto_auth": {"method": _method(reading, token_path), "sink": _sinks(settings)},
        "exit_after_auth": once,
        "pid_file": f"{HOME}/.pid",
        "template": _templates(reading),
        "template_config": _template_config(settings),
        "telemetry": _telemetry(reading),
        "disable_idle_connections": list(settings.agent_disable_idle_connections),
        "disable_keep_alives": list(settings.agent_disable_keep_alives),
        **_proxy(settings, token_path, once=once, pair=pair),
    }
    return {key: value for key, value in config.items() if value not in ("", [], {})}


def folder(secret: NamedSecret, settings: Settings) -> str:
    """Return where the secret's file lies: its own volume path or the pod's."""
    return posixpath.normpath(secret.settings.secret_volume_path or settings.secret_volume_path)


def destination(secret: NamedSecret, settings: Settings) -> str:
    """Return the absolute path of the secret's file."""
    own = secret.settings.preserve_secret_case
    keep = settings.preserve_secret_case if own is None else own
    file = secret.settings.agent_inject_file or (secret.name if keep else secret.name.lower())
    return posixpath.normpath(posixpath.join(folder(secret, settings), file.lstrip("/")))


def _server(settings: Settings) -> dict[str, Any]:
    return _filled(
        address=settings.service,
        ca_cert=settings.ca_cert,
        ca_path=settings.ca_key,
        client_cert=settings.client_cert,
        client_key=settings.client_key,
        tls_server_name=settings.tls_server_name,
        tls_skip_verify=settings.tls_skip_verify,
    )


def _method(reading: Reading, token_path: str) -> dict[str, Any]:
    settings = reading.settings
    config = {"kubernetes": {"token_path": token_path}, "jwt": {"path": token_path}}.get(settings.auth_type, {})
    config = {**config, **settings.auth_config}
    if settings.role:
        config["role"] = settings.role
    if "role" not in config and settings.auth_type not in _WITHOUT_ROLE:
        raise Denied(f"{reading.prefix}role: is missing (no Vault role found), expected the role to log in with")
    return {
        "type": settings.auth_type,
        "mount_path": settings.auth_path,
        "config": dict(sorted(config.items())),
        **_filled(
            namespace=settings.namespace,
            min_backoff=settings.auth_min_backoff,
            max_backoff=settings.auth_max_backoff,
            exit_on_err=settings.agent_auto_auth_exit_on_err,
        ),
    }


def _sinks(settings: Settings) -> list[dict[str, Any]]:
    paths = [f"{HOME}/.vault-token"]
    if settings.agent_inject_token:
        paths.append(_token_file(settings))
    return [{"type": "file", "config": {"path": path}} for path in paths]


def _token_file(settings: Settings) -> str:
    return posixpath.join(posixpath.normpath(settings.secret_volume_path), "token")


def _templates(reading: Reading) -> list[dict[str, Any]]:
    settings = reading.settings
    owner = {_token_file(settings): "agent-inject-token"} if settings.agent_inject_token else {}
    templates = []
    for secret in reading.secrets:
        path = destination(secret, settings)
        if path in owner:
            where = f"{reading.prefix}agent-inject-file-{secret.name}"
            raise Denied(f"{where}: {path} is the file of {owner[path]} too, expected another")
        owner[path] = secret.name
        templates.append(_template(secret, settings, path))
    return templates


def _template(secret: NamedSecret, settings: Settings, path: str) -> dict[str, Any]:
    own = secret.settings
    left, right = own.agent_template_left_delim, own.agent_template_right_delim
    if own.agent_inject_template:
        body = {"contents": own.agent_inject_template}
    elif own.agent_inject_template_file:
        body = {"source": own.agent_inject_template_file}
    else:
        left, right = "{{", "}}"  # what the default templates are written with
        body = {"contents": _DEFAULT_TEMPLATES[settings.agent_inject_default_template] % own.agent_inject_secret}
    return {
        "destination": path,
        **body,
        "left_delimiter": left,
        "right_delimiter": right,
        **_filled(
            perms=own.agent_inject_perms,
            command=own.agent_inject_command,
            error_on_missing_key=own.error_on_missing_key,
        ),
    }


def _template_config(settings: Settings) -> dict[str, Any]:
    return {
        "exit_on_retry_failure": settings.template_config_exit_on_retry_failure,
        **_filled(
            static_secret_render_interval=settings.template_static_secret_render_interval,
            max_connections_per_host=settings.template_max_connections_per_host,
            lease_renewal_threshold=settings.template_lease_renewal_threshold,
        ),
    }


def _telemetry(reading: Reading) -> dict[str, Any]:
    known = fields(Telemetry)
    telemetry: dict[str, Any] = {}
    for key, text in sorted(reading.settings.agent_telemetry.items()):
        where = f"{reading.prefix}agent-telemetry-{key.replace('_', '-')}"
        value = parse_default(known[key], text, where) if key in known else text
        telemetry[key] = list(value) if isinstance(value, tuple) else value
    return telemetry


def _proxy(settings: Settings, token_path: str, *, once: bool, pair: bool) -> Mapping[str, Any]:
    """Return the caching proxy and the way to quit: for the sidecar; for init only to fill the cache for it."""
    listening = settings.agent_cache_enable or (settings.agent_enable_quit and not once)
    if not listening or (once and not pair):
        return {}
    listener: dict[str, Any] = {
        "type": "tcp",
        "address": f"127.0.0.1:{settings.agent_cache_listener_port}",
        "tls_disable": True,
    }
    if settings.agent_enable_quit and not once:
        listener["agent_api"] = {"enable_quit": True}
    if not settings.agent_cache_enable:
        return {"listener": [listener]}
    use = settings.agent_cache_use_auto_auth_token
    cache: dict[str, Any] = {"use_auto_auth_token": use if use == "force" else use == "true"}
    if pair:
        cache["persist"] = {
            "type": "kubernetes",
            "path": CACHE,
            "keep_after_import": once,
            "exit_on_err": settings.agent_cache_exit_on_err,
            "service_account_token_file": token_path,
        }
    return {"listener": [listener], "cache": cache}


def _filled(**values: Any) -> dict[str, Any]:
    """Leave out what was not set: the agent's own default holds then."""
    return {key: value for key, value in values.items() if value not in ("", False, 0)}
