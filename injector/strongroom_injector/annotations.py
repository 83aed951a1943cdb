"""The settings of a pod: one line per annotation says its type, default, help, check and the injector's flag.

The name is the field's with dashes, below one of the prefixes (settings.py). The set is vault-k8s's, so that
manifests written for it work unchanged: https://developer.hashicorp.com/vault/docs/platform/k8s/injector/annotations
"""
# ruff: noqa: E501, S105 - a line a setting, however long; no password is among the defaults

from dataclasses import dataclass, field
from typing import Annotated, Literal

from strongroom_common.fields import Names, Pairs
from strongroom_injector.marks import (
    COUNT,
    DURATION,
    FOLDER,
    INSIDE,
    JSON_PATCH,
    LABEL,
    LIFETIME,
    OCTAL,
    PORT,
    QUANTITY,
    REACH,
    SHARE,
    USER,
    Flag,
    Must,
    Open,
    Removable,
    Verbatim,
)

_TOKEN_USE = Must(lambda text: text in ("true", "false", "force"), "true, false or force")


@dataclass(frozen=True)
class SecretSettings:
    """What ends in ``-NAME``: one secret, one file."""

    agent_inject_secret: Annotated[str, "Path to read; NAME in lower case is the file's name."] = ""
    agent_inject_template: Annotated[str, "Template of the file.", Verbatim()] = ""
    agent_inject_template_file: Annotated[str, "Path of a template inside the agent's container."] = ""
    agent_inject_file: Annotated[str, "File name below the secret's folder; may hold folders.", INSIDE] = ""
    agent_inject_perms: Annotated[str, "Octal mode of the file.", OCTAL] = ""
    agent_inject_command: Annotated[str, "Command to run in the agent's container after each change."] = ""
    agent_template_left_delim: Annotated[str, "What opens an action in the template.", Verbatim()] = "{{"
    agent_template_right_delim: Annotated[str, "What closes an action in the template.", Verbatim()] = "}}"
    error_on_missing_key: Annotated[bool, "A key that the secret lacks is an error."] = False
    secret_volume_path: Annotated[str, "Folder of this file, in memory.", FOLDER] = ""
    preserve_secret_case: Annotated[bool | None, "Keep NAME's case in the file's name."] = None


@dataclass(frozen=True)
class Settings:
    """What a pod says once."""

    # fmt: off
    agent_inject: Annotated[bool, "Inject the agent."] = False
    agent_inject_status: Annotated[str, "Set by the injector: injected."] = ""
    agent_inject_default_template: Annotated[Literal["map", "json"], "Template of a secret that has none.", Flag("default-template")] = "map"
    agent_inject_containers: Annotated[Names, "Containers that see the files; empty: all."] = Names(())
    agent_inject_token: Annotated[bool, "Also write the agent's token to the file `token`."] = False
    secret_volume_path: Annotated[str, "Folder of the files, in memory.", FOLDER] = "/vault/secrets"
    preserve_secret_case: Annotated[bool, "Keep the case of secret names in file names."] = False

    agent_image: Annotated[str, "Image of the agent.", Flag("vault-image")] = ""
    agent_native_sidecar: Annotated[bool, "One native sidecar where the cluster knows it (1.29).", Flag("native-sidecar")] = True
    agent_init_first: Annotated[bool, "Run before the pod's own init containers."] = False
    agent_pre_populate: Annotated[bool, "Containers start only when the files are there."] = True
    agent_pre_populate_only: Annotated[bool, "Write the files once; nothing stays beside the containers."] = False
    agent_request_namespace: Annotated[str, "Kubernetes namespace of the pod, for information."] = ""
    agent_configmap: Annotated[str, "ConfigMap with config.hcl and config-init.hcl in place of what would be made.", LABEL] = ""
    agent_extra_secret: Annotated[str, "Kubernetes Secret to mount at /vault/custom in the agent.", LABEL] = ""
    agent_copy_volume_mounts: Annotated[str, "Container whose mounts the agent gets too."] = ""
    agent_json_patch: Annotated[str, "JSON patch for the sidecar's container.", JSON_PATCH] = ""
    agent_init_json_patch: Annotated[str, "JSON patch for the init container.", JSON_PATCH] = ""

    agent_limits_cpu: Annotated[str, "CPU limit.", QUANTITY, Removable(), Flag("cpu-limit")] = ""
    agent_limits_mem: Annotated[str, "Memory limit.", QUANTITY, Removable(), Flag("memory-limit", "MEM_LIMIT")] = "64Mi"
    agent_limits_ephemeral: Annotated[str, "Ephemeral storage limit.", QUANTITY, Removable(), Flag("ephemeral-storage-limit", "EPHEMERAL_LIMIT")] = ""
    agent_requests_cpu: Annotated[str, "CPU request.", QUANTITY, Removable(), Flag("cpu-request")] = "5m"
    agent_requests_mem: Annotated[str, "Memory request.", QUANTITY, Removable(), Flag("memory-request", "MEM_REQUEST")] = "24Mi"
    agent_requests_ephemeral: Annotated[str, "Ephemeral storage request.", QUANTITY, Removable(), Flag("ephemeral-storage-request", "EPHEMERAL_REQUEST")] = ""

    agent_run_as_user: Annotated[int, "User id of the agent.", USER, Flag("run-as-user")] = 100
    agent_run_as_group: Annotated[int, "Group id of the agent.", USER, Flag("run-as-group")] = 1000
    agent_run_as_same_user: Annotated[bool, "Run as the user of the first container.", Flag("run-as-same-user")] = False
    agent_set_security_context: Annotated[bool, "Write a security context at all.", Flag("set-security-context")] = True
    agent_share_process_namespace: Annotated[bool | None, "Let containers see each other's processes."] = None
    agent_service_account_token_volume_name: Annotated[str, "The pod's own projected volume that holds the token to log in with."] = ""
    agent_service_account_token_audience: Annotated[str, "Audience of the token that the injector adds; empty: the cluster's.", Removable(), Flag("token-audience")] = "strongroom"
    agent_service_account_token_expiration: Annotated[int, "Seconds that this token is valid.", LIFETIME, Flag("token-expiration")] = 3600
    agent_revoke_on_shutdown: Annotated[bool, "Revoke the agent's token when the pod stops.", Flag("revoke-on-shutdown")] = False
    agent_revoke_grace: Annotated[int, "Seconds to wait before that.", COUNT] = 5

    agent_cache_enable: Annotated[bool, "Offer a caching proxy on 127.0.0.1."] = False
    agent_cache_use_auto_auth_token: Annotated[str, "The proxy adds the agent's token.", _TOKEN_USE] = "true"
    agent_cache_listener_port: Annotated[int, "Port of the proxy.", PORT] = 8200
    agent_cache_exit_on_err: Annotated[bool, "Quit when a kept cache cannot be restored."] = False
    agent_enable_quit: Annotated[bool, "Answer POST /agent/v1/quit."] = False
    agent_telemetry: Annotated[Pairs, "agent-telemetry-KEY is a key of the agent's telemetry.", Open()] = field(default_factory=lambda: Pairs({}))
    agent_disable_idle_connections: Annotated[Names, "Where to keep no idle connections.", REACH, Flag("disable-idle-connections")] = Names(())
    agent_disable_keep_alives: Annotated[Names, "Where to make a connection a request.", REACH, Flag("disable-keep-alives")] = Names(())
    go_max_procs: Annotated[int | None, "For vault-k8s's agent, which is a Go program.", COUNT] = None
    log_level: Annotated[str, "What the agent logs: trace, debug, info, warn, error."] = "info"
    log_format: Annotated[Literal["standard", "json"], "How it logs."] = "standard"

    service: Annotated[str, "Address of the server.", Flag("vault-address", "VAULT_ADDR")] = ""
    namespace: Annotated[str, "Namespace within the server.", Flag("vault-namespace")] = ""
    proxy_address: Annotated[str, "HTTP proxy on the way to the server.", Flag("proxy-address", "PROXY_ADDR")] = ""
    tls_secret: Annotated[str, "Kubernetes Secret to mount at /vault/tls in the agent.", LABEL] = ""
    tls_server_name: Annotated[str, "Name that the server's certificate must hold."] = ""
    tls_skip_verify: Annotated[bool, "Do not check the server's certificate."] = False
    ca_cert: Annotated[str, "File of the CA that signed the server's certificate."] = ""
    ca_key: Annotated[str, "Folder of such CAs (the name is vault-k8s's)."] = ""
    client_cert: Annotated[str, "File of the agent's own certificate."] = ""
    client_key: Annotated[str, "File of its key."] = ""
    client_max_retries: Annotated[int | None, "Tries after the first.", COUNT] = None
    client_timeout: Annotated[str, "How long one request may take.", DURATION] = ""

    role: Annotated[str, "Role to log in with."] = ""
    auth_type: Annotated[str, "How to log in: kubernetes, approle, jwt, …", Flag("vault-auth-type")] = "kubernetes"
    auth_path: Annotated[str, "Where that auth method is mounted.", Flag("vault-auth-path")] = "auth/kubernetes"
    auth_config: Annotated[Pairs, "auth-config-KEY is a key of the login's config.", Open()] = field(default_factory=lambda: Pairs({}))
    auth_min_backoff: Annotated[str, "Shortest wait after a failed login.", DURATION, Flag("auth-min-backoff")] = ""
    auth_max_backoff: Annotated[str, "Longest wait after a failed login.", DURATION, Flag("auth-max-backoff")] = ""
    agent_auto_auth_exit_on_err: Annotated[bool, "Quit when the login fails."] = False
    template_config_exit_on_retry_failure: Annotated[bool, "Quit when a template fails for good.", Flag("template-config-exit-on-retry-failure")] = True
    template_static_secret_render_interval: Annotated[str, "How often to look at secrets without a lease.", DURATION, Flag("template-static-secret-render-interval")] = ""
    template_max_connections_per_host: Annotated[int, "Connections at most; 0: the agent's own.", COUNT, Flag("template-max-connections-per-host")] = 0
    template_lease_renewal_threshold: Annotated[float, "Share of a lease after which to read again; 0: the agent's own.", SHARE, Flag("template-lease-renewal-threshold")] = 0.0
    # fmt: on


@dataclass(frozen=True)
class Telemetry:
    """The keys of ``agent-telemetry-KEY`` and their types: a wrong one is refused rather than lost.

    https://developer.hashicorp.com/vault/docs/configuration/telemetry
    """

    usage_gauge_period: Annotated[str, "How often usage is measured.", DURATION] = ""
    maximum_gauge_cardinality: Annotated[int, "Labels of a usage gauge at most."] = 0
    disable_hostname: Annotated[bool, "Leave the host's name out of gauges."] = False
    enable_hostname_label: Annotated[bool, "Give the host's name as a label."] = False
    lease_metrics_epsilon: Annotated[str, "Width of a bucket of lease expiries.", DURATION] = ""
    num_lease_metrics_buckets: Annotated[int, "How many of them."] = 0
    add_lease_metrics_namespace_labels: Annotated[bool, "Label them by namespace."] = False
    filter_default: Annotated[bool, "Send what no filter names."] = False
    prefix_filter: Annotated[Names, "Metrics to send (+) and to keep back (-)."] = Names(())
    metrics_prefix: Annotated[str, "First word of every metric's name."] = ""
    prometheus_retention_time: Annotated[str, "How long metrics are kept for Prometheus.", DURATION] = ""
    statsite_address: Annotated[str, "A statsite server."] = ""
    statsd_address: Annotated[str, "A statsd server."] = ""
    dogstatsd_addr: Annotated[str, "A DogStatsD server."] = ""
    dogstatsd_tags: Annotated[Names, "Tags to send to it."] = Names(())
    circonus_api_token: Annotated[str, "Circonus: token."] = ""
    circonus_api_app: Annotated[str, "Circonus: app name of the token."] = ""
    circonus_api_url: Annotated[str, "Circonus: API's address."] = ""
    circonus_submission_interval: Annotated[str, "Circonus: how often to send.", DURATION] = ""
    circonus_submission_url: Annotated[str, "Circonus: address of the check."] = ""
    circonus_check_id: Annotated[str, "Circonus: check's id."] = ""
    circonus_check_force_metric_activation: Annotated[bool, "Circonus: enable metrics that were disabled."] = False
    circonus_check_instance_id: Annotated[str, "Circonus: id of this instance."] = ""
    circonus_check_search_tag: Annotated[str, "Circonus: tag to find the check."] = ""
    circonus_check_display_name: Annotated[str, "Circonus: check's shown name."] = ""
    circonus_check_tags: Annotated[str, "Circonus: check's tags."] = ""
    circonus_broker_id: Annotated[str, "Circonus: broker."] = ""
    circonus_broker_select_tag: Annotated[str, "Circonus: tag to find a broker."] = ""
    stackdriver_project_id: Annotated[str, "Stackdriver: project."] = ""
    stackdriver_location: Annotated[str, "Stackdriver: region."] = ""
    stackdriver_namespace: Annotated[str, "Stackdriver: namespace."] = ""
    stackdriver_debug_logs: Annotated[bool, "Stackdriver: log more."] = False
