"""What the server file says, without what is secret in it (sys/config/state/sanitized)."""

from dataclasses import asdict, fields
from typing import Any

from strongroom_server.config import Config, Listener, Settings, Stanza, Telemetry

_LISTENER = ("address", "cluster_address", "tls_disable", "tls_cert_file", "tls_key_file", "tls_min_version",
             "max_request_size", "max_request_duration")  # fmt: skip
_NANOSECONDS = ("prometheus_retention_time", "usage_gauge_period", "lease_metrics_epsilon")


def sanitized(config: Config) -> dict[str, Any]:
    """Return the settings that may be told: no stanza's own ones, which hold keys and passwords."""
    shown = {field.name: getattr(config, field.name) for field in fields(Settings)}
    return {
        **shown,
        "listeners": [{"type": listener.type, "config": _listener(listener)} for listener in config.listeners],
        "seals": [{"type": seal.kind, "disabled": False} for seal in config.seals] or [
            {"type": "shamir", "disabled": False}
        ],
        "storage": _storage(config.storage or Stanza("inmem"), config),
        "telemetry": _telemetry(config.telemetry),
    }  # fmt: skip


def _listener(listener: Listener) -> dict[str, Any]:
    default = Listener()
    return {
        name: getattr(listener, name)
        for name in _LISTENER
        if name == "address" or getattr(listener, name) != getattr(default, name)
    }


def _storage(storage: Stanza, config: Config) -> dict[str, Any]:
    return {"type": storage.kind, "cluster_addr": config.cluster_addr, "redirect_addr": config.api_addr,
            "disable_clustering": config.disable_clustering}  # fmt: skip


def _telemetry(telemetry: Telemetry) -> dict[str, Any]:
    shown = asdict(telemetry)
    return {name: value * 10**9 if name in _NANOSECONDS else value for name, value in shown.items()}
