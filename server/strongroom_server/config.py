"""The server file as dataclasses: every setting once, with its kind, help and default.

The keys are those that Vault and OpenBao document (https://developer.hashicorp.com/vault/docs/configuration,
https://openbao.org/docs/configuration), so that their files start this server. ``config_files`` reads them from disk.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from strongroom_common.fields import Alias, Cidrs, Names, Object, Pairs, Seconds, Size
from strongroom_common.settings import NoEffect

_MONTH = Seconds(768 * 3600)
_DAY = Seconds(24 * 3600)
_HOUR = Seconds(3600)
TlsVersion = Literal["tls10", "tls11", "tls12", "tls13"]
ProxyProtocol = Literal["", "use_always", "allow_authorized", "deny_unauthorized"]


@dataclass(frozen=True)
class Stanza:
    """``storage "kind" { … }`` and its like: the part named ``kind`` checks its own settings.

    They hold keys and passwords, so they are not in the repr. A block given several times is a list of mappings.
    """

    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class ListenerTelemetry:
    """``telemetry`` within a listener."""

    unauthenticated_metrics_access: Annotated[bool, "Answer sys/metrics without a token."] = False
    disallow_metrics: Annotated[bool, "Do not answer sys/metrics here."] = False


@dataclass(frozen=True)
class Profiling:
    """``profiling`` within a listener."""

    unauthenticated_pprof_access: Annotated[bool, "Answer sys/pprof without a token."] = False
    unauthenticated_in_flight_request_access: Annotated[bool, "Answer sys/in-flight-req without a token."] = False


@dataclass(frozen=True)
class InflightLogging:
    """``inflight_requests_logging`` within a listener."""

    unauthenticated_in_flight_requests_access: Annotated[bool, "Answer sys/in-flight-req without a token."] = False


@dataclass(frozen=True)
class Listener:
    """``listener "tcp" { … }`` or ``listener "unix" { … }``: one place where the server answers."""

    type: Annotated[Literal["tcp", "unix"], "What kind of socket."] = "tcp"
    purpose: Annotated[Names, "What it is for.", NoEffect()] = Names(())
    address: Annotated[str, "HOST:PORT, or the path of the socket."] = "127.0.0.1:8200"
    cluster_address: Annotated[str, "Where other nodes of the cluster reach it; the next port if empty."] = ""
    chroot_namespace: Annotated[str, "Namespace that requests here start from.", NoEffect()] = ""
    role: Annotated[str, "What requests may be made here.", NoEffect()] = ""

    tls_disable: Annotated[bool, "Serve plain HTTP."] = False
    tls_cert_file: Annotated[str, "PEM file of the certificate and its chain; read again at SIGHUP."] = ""
    tls_key_file: Annotated[str, "PEM file of the private key."] = ""
    tls_min_version: Annotated[TlsVersion, "Oldest TLS version that is spoken."] = "tls12"
    tls_max_version: Annotated[TlsVersion, "Newest TLS version that is spoken."] = "tls13"
    tls_cipher_suites: Annotated[Names, "Cipher suites for TLS 1.2, by their IANA names."] = Names(())
    tls_prefer_server_cipher_suites: Annotated[bool, "Obsolete.", NoEffect()] = False
    tls_client_ca_file: Annotated[str, "PEM file of the authorities that sign client certificates."] = ""
    tls_require_and_verify_client_cert: Annotated[bool, "Refuse clients without a valid certificate."] = False
    tls_disable_client_certs: Annotated[bool, "Do not ask for client certificates."] = False

    max_request_size: Annotated[int, "Largest body, in bytes; 0 or less is the default."] = 32 * 1024 * 1024
    max_request_duration: Annotated[Seconds, "How long one request may take."] = Seconds(90)
    max_json_depth: Annotated[int, "Deepest nesting of a body."] = 300
    max_json_string_value_length: Annotated[Size, "Longest string in a body."] = Size(32 * 1024 * 1024)
    max_json_object_entry_count: Annotated[int, "Most keys of an object in a body."] = 10_000
    max_json_array_element_count: Annotated[int, "Most elements of a list in a body."] = 10_000
    max_request_json_memory: Annotated[Size, "Memory that a body may take once parsed."] = Size(32 * 1024 * 1024)
    max_request_json_strings: Annotated[int, "Most strings in a body, keys included."] = 100_000
    disable_request_limiter: Annotated[bool, "Do not limit requests.", NoEffect()] = False
    require_request_header: Annotated[bool, "Refuse requests without X-Vault-Request: true."] = False
    http_idle_timeout: Annotated[Seconds, "How long an idle connection is kept."] = Seconds(300)
    http_read_header_timeout: Annotated[Seconds, "How long the headers of a request may take."] = Seconds(10)
    http_read_timeout: Annotated[Seconds, "How long a whole request may take to arrive."] = Seconds(30)
    http_write_timeout: Annotated[Seconds, "How long a client may leave an answer untaken; 0 is any time."] = Seconds(0)
    max_connections: Annotated[int, "Most connections at a time; 0 is what the system allows, less a reserve."] = 0

    x_forwarded_for_authorized_addrs: Annotated[Cidrs, "Proxies whose X-Forwarded-For is believed."] = Cidrs(())
    x_forwarded_for_hop_skips: Annotated[int, "Addresses to skip from the header's right end."] = 0
    x_forwarded_for_reject_not_authorized: Annotated[bool, "Refuse the header from anyone else."] = True
    x_forwarded_for_reject_not_present: Annotated[bool, "Refuse a proxy's request without the header."] = True
    x_forwarded_for_client_cert_header: Annotated[str, "Header that holds the client's certificate."] = ""
    x_forwarded_for_client_cert_header_decoders: Annotated[str, "How that header is encoded; it is seen anyhow."] = ""
    proxy_protocol_behavior: Annotated[
        ProxyProtocol, "Whose PROXY protocol is believed: anyone's, or listed proxies'."
    ] = ""
    proxy_protocol_authorized_addrs: Annotated[Cidrs, "Proxies that speak it."] = Cidrs(())

    socket_mode: Annotated[str, "File mode of the socket, in octal."] = ""
    socket_user: Annotated[str, "Owner of the socket."] = ""
    socket_group: Annotated[str, "Group of the socket."] = ""

    custom_response_headers: Annotated[Object, "Headers to add, by status (default, 4xx, 404)."] = field(
        default_factory=lambda: Object({})
    )
    cors_enabled: Annotated[bool, "Let browsers of other origins ask."] = False
    cors_allowed_origins: Annotated[Names, "Those origins."] = Names(())
    cors_allowed_headers: Annotated[Names, "Headers that they may send."] = Names(())
    redact_addresses: Annotated[bool, "Leave addresses out of public answers."] = False
    redact_cluster_name: Annotated[bool, "Leave the cluster's name out of public answers."] = False
    redact_version: Annotated[bool, "Leave the version out of public answers."] = False
    disable_unauthed_rekey_endpoints: Annotated[bool, "Ask for a token at sys/rekey."] = False
    disable_unauthed_generate_root_endpoints: Annotated[bool, "Ask for a token at sys/generate-root."] = False
    disable_replication_status_endpoints: Annotated[bool, "Do not answer sys/replication.", NoEffect()] = False
    telemetry: ListenerTelemetry = ListenerTelemetry()
    profiling: Profiling = Profiling()
    inflight_requests_logging: InflightLogging = InflightLogging()


@dataclass(frozen=True)
class Telemetry:
    """``telemetry { … }``: what is measured and how it is told."""

    prometheus_retention_time: Annotated[Seconds, "How long a metric is shown after its last change."] = _DAY
    disable_hostname: Annotated[bool, "Leave the host's name out of gauges."] = False
    enable_hostname_label: Annotated[bool, "Give every metric a host label.", NoEffect()] = False
    metrics_prefix: Annotated[str, "First word of every metric's name."] = "vault"
    usage_gauge_period: Annotated[Seconds, "How often tokens, entities and secrets are counted; 0 is never."] = Seconds(
        600
    )
    maximum_gauge_cardinality: Annotated[int, "Most labels of one gauge."] = 500
    lease_metrics_epsilon: Annotated[Seconds, "Width of the buckets of lease expiry."] = _HOUR
    num_lease_metrics_buckets: Annotated[int, "Number of those buckets."] = 168
    add_lease_metrics_namespace_labels: Annotated[bool, "Count leases by namespace."] = False
    add_mount_point_rollback_metrics: Annotated[bool, "Measure each mount's clean-up.", NoEffect()] = False
    filter_default: Annotated[bool, "Tell metrics that no filter names.", NoEffect()] = True
    prefix_filter: Annotated[Names, "Metrics to tell (+) and to leave out (-).", NoEffect()] = Names(())
    statsd_address: Annotated[str, "A statsd server.", NoEffect()] = ""
    statsite_address: Annotated[str, "A statsite server.", NoEffect()] = ""
    dogstatsd_addr: Annotated[str, "A DogStatsD server.", NoEffect()] = ""
    dogstatsd_tags: Annotated[Names, "Tags for it.", NoEffect()] = Names(())


@dataclass(frozen=True)
class UserLockout:
    """``user_lockout "all" { … }``, or of one auth type: when wrong passwords lock a user out."""

    lockout_threshold: Annotated[int, "Failed logins until then."] = 5
    lockout_duration: Annotated[Seconds, "How long it lasts."] = Seconds(900)
    lockout_counter_reset: Annotated[Seconds, "When failed logins are forgotten."] = Seconds(900)
    disable_lockout: Annotated[bool, "Never."] = False


@dataclass(frozen=True)
class AuditDevice:
    """``audit "type" "path" { … }``: an audit device that is there because the file says so."""

    type: Annotated[str, "Type of the device."] = ""
    path: Annotated[str, "Name of the device."] = ""
    description: Annotated[str, "For people."] = ""
    options: Annotated[Pairs, "The device's options."] = field(default_factory=lambda: Pairs({}))
    local: Annotated[bool, "Keep it out of replication."] = False


@dataclass(frozen=True)
class Settings:
    """The single settings of the file's top level."""

    api_addr: Annotated[str, "URL that clients are sent to."] = ""
    cluster_addr: Annotated[str, "URL for the other nodes of the cluster."] = ""
    cluster_name: Annotated[str, "Name of the cluster; made up if empty."] = ""
    disable_clustering: Annotated[bool, "Do not forward requests between nodes."] = False
    ui: Annotated[bool, "Serve the web interface.", NoEffect()] = False
    default_lease_ttl: Annotated[Seconds, "Life of tokens and secrets that ask for nothing."] = _MONTH
    max_lease_ttl: Annotated[Seconds, "Longest life of tokens and secrets."] = _MONTH
    default_max_request_duration: Annotated[Seconds, "How long one request may take."] = Seconds(90)
    raw_storage_endpoint: Annotated[bool, "Serve sys/raw: storage as it is, decrypted."] = False
    introspection_endpoint: Annotated[bool, "Serve sys/internal/inspect."] = False
    enable_response_header_hostname: Annotated[bool, "Add X-Vault-Hostname."] = False
    enable_response_header_raft_node_id: Annotated[bool, "Add X-Vault-Raft-Node-ID."] = False
    disable_cache: Annotated[bool, "Keep no decrypted entries in memory."] = False
    cache_size: Annotated[int, "Number of entries to keep; 0 is the default."] = 0
    disable_mlock: Annotated[bool, "Let memory be swapped out."] = False
    disable_sealwrap: Annotated[bool, "Wrap nothing with the seal a second time."] = False
    disable_indexing: Annotated[bool, "Obsolete."] = False
    disable_performance_standby: Annotated[bool, "Enterprise only."] = False
    disable_printable_check: Annotated[bool, "Take unprintable characters in paths."] = False
    allow_audit_log_prefixing: Annotated[bool, "Let audit devices prefix their lines."] = False
    unsafe_allow_api_audit_creation: Annotated[bool, "Let sys/audit make devices."] = True

    log_level: Annotated[str, "trace, debug, info, warn or error."] = "info"
    log_format: Annotated[Literal["standard", "json"], "How log lines look."] = "standard"
    log_file: Annotated[str, "File for the log, beside standard error."] = ""
    log_rotate_duration: Annotated[Seconds, "How long one log file is written to."] = _DAY
    log_rotate_bytes: Annotated[int, "How long one log file may get; 0 is without limit."] = 0
    log_rotate_max_files: Annotated[int, "How many old log files are kept; 0 is all."] = 0
    log_requests_level: Annotated[str, "Log finished requests at this level."] = ""
    pid_file: Annotated[str, "File for the process id."] = ""

    plugin_directory: Annotated[str, "Plug-ins are not supported.", NoEffect()] = ""
    plugin_tmpdir: Annotated[str, "Plug-ins are not supported.", NoEffect()] = ""
    plugin_file_uid: Annotated[int, "Plug-ins are not supported.", NoEffect()] = 0
    plugin_file_permissions: Annotated[str, "Plug-ins are not supported.", NoEffect()] = ""
    experiments: Annotated[Names, "Features of Vault to try out.", NoEffect()] = Names(())
    administrative_namespace_path: Annotated[str, "Enterprise only.", NoEffect()] = ""
    imprecise_lease_role_tracking: Annotated[bool, "Count leases of roles faster.", NoEffect()] = False
    detect_deadlocks: Annotated[str, "A debugging aid of Vault's.", NoEffect()] = ""
    enable_post_unseal_trace: Annotated[bool, "A debugging aid of Vault's.", NoEffect()] = False
    post_unseal_trace_directory: Annotated[str, "A debugging aid of Vault's.", NoEffect()] = ""
    license_path: Annotated[str, "Enterprise only.", NoEffect(), Alias("license")] = ""


@dataclass(frozen=True)
class Config(Settings):
    """A whole server file. ``seals`` is empty for shamir; a second one is that which is migrated from."""

    storage: Stanza | None = None
    ha_storage: Stanza | None = None
    seals: tuple[Stanza, ...] = ()
    listeners: tuple[Listener, ...] = ()
    telemetry: Telemetry = Telemetry()
    service_registration: Stanza | None = None
    user_lockout: Mapping[str, UserLockout] = field(default_factory=dict)
    audit: tuple[AuditDevice, ...] = ()
