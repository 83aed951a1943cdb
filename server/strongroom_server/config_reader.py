"""Server files, folders of them and the environment to one ``Config``; pure, see ``config_files`` for the disk."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from strongroom_common.fields import FieldError, Seconds, fields
from strongroom_common.hcl import Block, Body, plain
from strongroom_common.logs import LEVELS
from strongroom_common.settings import Reader, SettingsError, parse_file
from strongroom_server.config import AuditDevice, Config, Listener, Settings, Stanza, Telemetry, UserLockout
from strongroom_server.http import answer_headers, ciphers

PREFIXES = ("STRONGROOM", "BAO", "VAULT")
_STANZAS = {"storage": "storage", "backend": "storage", "ha_storage": "ha_storage", "ha_backend": "ha_storage",
            "service_registration": "service_registration"}  # fmt: skip
_BLOCKS = frozenset({*_STANZAS, "listener", "seal", "telemetry", "user_lockout", "audit"})
_LOCKOUT_KINDS = ("all", "approle", "ldap", "userpass")
_OVERRIDES = {
    "API_ADDR": "api_addr", "CLUSTER_ADDR": "cluster_addr", "UI": "ui", "LOG_LEVEL": "log_level",
    "LOG_FORMAT": "log_format", "LOG_FILE": "log_file", "LOG_ROTATE_BYTES": "log_rotate_bytes",
    "LOG_ROTATE_DURATION": "log_rotate_duration", "LOG_ROTATE_MAX_FILES": "log_rotate_max_files",
}  # fmt: skip
_LOCAL = "LOCAL_CONFIG"
_OCTAL = re.compile("0?[0-7]{3}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Source:
    """One text and the name it goes by in messages: a path, or an environment variable."""

    file: str
    text: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was read, and what is worth a warning in the log."""

    config: Config
    warnings: tuple[str, ...] = ()


def load(sources: Iterable[Source], env: Mapping[str, str]) -> Loaded:
    """Merge texts in order: later settings overwrite, listeners and audit devices add up, the environment overrides.

    Raises SettingsError that names file, line and key.
    """
    said: dict[str, Any] = {}
    places: dict[str, str] = {}
    listeners: list[Listener] = []
    devices: list[AuditDevice] = []
    warnings: list[str] = []
    for source in sources:
        reader = Reader(source.file)
        body = parse_file(source.file, source.text)
        said |= _said(reader, body)
        listeners += [_listener(reader, block) for block in reader.blocks(body, "listener", 1)]
        devices += [_audit_device(reader, block) for block in reader.blocks(body, "audit", 2)]
        warnings += reader.warnings
        places |= {item.key: f"{source.file}:{item.line}" for item in body.items}
    over, over_places = _overrides(env)
    said |= over
    _check(said, places | over_places)
    if (level := said.get("log_requests_level", "")) and level.lower() not in (*LEVELS, "off"):
        warnings.append(f"{places['log_requests_level']}: log_requests_level: no level {level!r}: nothing is logged")
    longest = said.get("default_max_request_duration") or Config.default_max_request_duration
    served = (replace(one, max_request_duration=one.max_request_duration or longest) for one in listeners)
    return Loaded(Config(**said, listeners=tuple(served), audit=tuple(devices)), tuple(warnings))


def load_migration(source: Source) -> tuple[Stanza, Stanza]:
    """Return the stores that a file for ``operator migrate`` names: from where, and to where; raises SettingsError."""
    reader, body = Reader(source.file), parse_file(source.file, source.text)
    stanzas = []
    for key in ("storage_source", "storage_destination"):
        found = reader.blocks(body, key, 1)
        if len(found) != 1:
            raise SettingsError(f'{source.file}: exactly one "{key}" block is required')
        stanzas.append(_stanza(reader, found[0], key))
    return stanzas[0], stanzas[1]


def from_environment(env: Mapping[str, str]) -> list[Source]:
    """Return the file that a container's environment holds (``VAULT_LOCAL_CONFIG``, in HCL or JSON)."""
    found = _variable(env, _LOCAL)
    return [Source(found[0], found[1])] if found else []


def _variable(env: Mapping[str, str], name: str) -> tuple[str, str] | None:
    """Return the first set of STRONGROOM_, BAO_ and VAULT_NAME, with its full name."""
    names = (f"{prefix}_{name}" for prefix in PREFIXES)
    return next(((full, env[full]) for full in names if env.get(full)), None)


def _said(reader: Reader, body: Body) -> dict[str, Any]:
    said = reader.given(Settings, body, skip=_BLOCKS)
    if seals := [_stanza(reader, block, "seal") for block in reader.blocks(body, "seal", 1)]:
        said["seals"] = tuple(seals)
    for key, name in _STANZAS.items():
        found = reader.blocks(body, key, 1)
        if len(found) > 1 or (found and name in said):
            raise reader.error(found[-1].item, f'{key}: only one "{name}" block is permitted')
        if found:
            said[name] = _stanza(reader, found[0], key)
    if body.get("telemetry"):
        merged = Body(tuple(item for block in reader.blocks(body, "telemetry") for item in block.body.items))
        said["telemetry"] = reader.read(Telemetry, merged, "telemetry")
    if lockouts := reader.blocks(body, "user_lockout", 1):
        said["user_lockout"] = dict(_lockout(reader, block) for block in lockouts)
    return said


def _lockout(reader: Reader, block: Block) -> tuple[str, UserLockout]:
    kind = (block.labels or ("",))[0].lower()
    if kind not in _LOCKOUT_KINDS:
        found = f"not {kind!r}" if kind else 'as in user_lockout "all" { … }'
        raise reader.error(block.item, f"user_lockout: expected one of {', '.join(_LOCKOUT_KINDS)}, {found}")
    return kind, reader.read(UserLockout, block.body, _title(block, "user_lockout"))


def _audit_device(reader: Reader, block: Block) -> AuditDevice:
    where = " ".join(("audit", *(f'"{label}"' for label in block.labels)))
    device = reader.read(AuditDevice, block.body, where)
    kind, path = (*block.labels, "", "")[:2]
    device = replace(device, type=kind or device.type, path=path or device.path)
    if not device.type or not device.path.strip("/"):
        raise reader.error(block.item, f'{where}: expected a type and a name, as in audit "file" "name" {{ … }}')
    return device


def _title(block: Block, key: str) -> str:
    return f'{key} "{block.labels[0]}"' if block.labels else key


def _stanza(reader: Reader, block: Block, key: str) -> Stanza:
    settings = _collect(block.body)
    kind = block.labels[0] if block.labels else settings.pop("type", None)
    if not isinstance(kind, str) or not kind:
        raise reader.error(block.item, f'{key}: expected a type, as in {key} "type" {{ … }}')
    return Stanza(kind.lower(), settings)


def _collect(body: Body) -> dict[str, Any]:
    """Return settings as a mapping; a block given several times (``retry_join``) becomes a list of mappings."""
    settings: dict[str, Any] = {}
    for key in dict.fromkeys(item.key for item in body.items):
        items = body.all(key)
        many = len(items) > 1 and all(isinstance(item.value, Body) and not item.labels for item in items)
        settings |= {key: [plain(item.value) for item in items]} if many else plain(Body(tuple(items)))
    return settings


def _listener(reader: Reader, block: Block) -> Listener:
    where = _title(block, "listener")
    given = reader.given(Listener, block.body, where)
    kind = block.labels[0].lower() if block.labels else given.get("type", "")
    if kind not in ("tcp", "unix"):
        raise reader.error(block.item, f'{where}: unsupported listener type: expected "tcp" or "unix"')
    given["type"] = kind
    given.setdefault("max_request_duration", Seconds(0))  # what the file says for all
    if given.get("max_request_size", 1) <= 0:  # in Vault: no limit; here there always is one
        del given["max_request_size"]
    listener = Listener(**given)
    _check_listener(reader, block, listener, where)
    return listener


def _check_listener(reader: Reader, block: Block, listener: Listener, where: str) -> None:
    try:
        answer_headers.checked(listener.custom_response_headers)
    except ValueError as error:
        raise reader.error(block.body.get("custom_response_headers") or block.item, f"{where}: {error}") from None
    if listener.type == "unix":
        _check_unix(reader, block, listener, where)
    else:
        _check_tcp(reader, block, listener, where)


def _check_unix(reader: Reader, block: Block, listener: Listener, where: str) -> None:
    if block.body.get("address") is None:
        raise reader.error(block.item, f"{where}: address: expected the path of the socket")
    if (mode := block.body.get("socket_mode")) and not _OCTAL.fullmatch(listener.socket_mode):
        raise reader.error(mode, f'{where}: socket_mode: expected octal digits such as "660"')


def _check_tcp(reader: Reader, block: Block, listener: Listener, where: str) -> None:
    port = listener.address.rpartition(":")[2]
    if ":" not in listener.address or not (port.isascii() and port.isdigit() and int(port[:6]) < 65536):
        item = block.body.get("address") or block.item
        raise reader.error(item, f'{where}: address: expected HOST:PORT such as "127.0.0.1:8200"')
    try:
        ciphers.of(listener.tls_cipher_suites)
    except ValueError as error:
        raise reader.error(block.body.get("tls_cipher_suites") or block.item, f"{where}: {error}") from None
    # TLS is on unless it is turned off by name: a forgotten certificate must never mean plain HTTP.
    for key in ("tls_cert_file", "tls_key_file"):
        if not listener.tls_disable and not getattr(listener, key):
            raise reader.error(block.item, f"{where}: {key}: expected a PEM file, or tls_disable = true for plain HTTP")
    if listener.tls_require_and_verify_client_cert and listener.tls_disable_client_certs:
        raise reader.error(
            block.item, f"{where}: tls_disable_client_certs and tls_require_and_verify_client_cert exclude each other"
        )
    if listener.proxy_protocol_behavior == "deny_unauthorized" and not listener.proxy_protocol_authorized_addrs:
        raise reader.error(block.item, f"{where}: proxy_protocol_authorized_addrs: expected who may connect")
    if listener.tls_min_version > listener.tls_max_version:
        raise reader.error(block.item, f"{where}: tls_min_version: expected no more than tls_max_version")


def _overrides(env: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Read what the environment says over the files, and where: VAULT_API_ADDR and the like."""
    said: dict[str, Any] = {}
    places: dict[str, str] = {}
    for name, key in _OVERRIDES.items():
        if found := _variable(env, name):
            places[key], value = found
            try:
                said[key] = fields(Settings)[key].parse(value)
            except FieldError as error:
                raise SettingsError(f"{places[key]}: {error}") from None
    return said, places


def _check(said: dict[str, Any], places: Mapping[str, str]) -> None:
    """Check what no single setting shows; ``places`` says where each was read."""
    if said.get("log_level", "info").lower() not in LEVELS:
        raise SettingsError(f"{places['log_level']}: log_level: expected one of {', '.join(LEVELS)}")
    if (address := said.get("api_addr", "")) and not _is_url(address):
        raise SettingsError(f'{places["api_addr"]}: api_addr: expected a URL such as "https://vault.example:8200"')
    for key in ("default_lease_ttl", "max_lease_ttl"):
        if said.get(key) == 0:
            del said[key]
    longest = said.get("max_lease_ttl", Config.max_lease_ttl)
    if said.setdefault("default_lease_ttl", min(longest, Config.default_lease_ttl)) > longest:
        raise SettingsError(f"{places['default_lease_ttl']}: default_lease_ttl: expected no more than max_lease_ttl")


def _is_url(address: str) -> bool:
    scheme, found, host = address.partition("://")
    return bool(found) and scheme in ("http", "https", "unix") and bool(host.strip("/"))
