"""Checks of how the mount is looked after: tidying, how much it keeps, whether certificates renew themselves."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from strongroom_cli import x509
from strongroom_cli.pkihealth.findings import CRITICAL, INFORMATIONAL, NOT_APPLICABLE, OK, WARNING, Finding
from strongroom_cli.pkihealth.mount import Mount
from strongroom_cli.pkihealth.spans import span
from strongroom_common.durations import go_duration, parse_duration

_UNTIDY = (
    "; this can point to problems with the mount's auto-tidy configuration or an external tidy executor; this can "
    "impact PKI's and Strongroom's performance if not run regularly."
)
_SEVERITIES = {"critical": CRITICAL, "warning": WARNING}


def enable_auto_tidy(mount: Mount, settings: Mapping[str, Any]) -> list[Finding]:
    """Tell whether the mount tidies itself, and often and fast enough."""
    endpoint, config = mount.endpoint("config", "auto-tidy"), mount.read("config", "auto-tidy")
    if not config.get("enabled"):
        text = (
            "Auto-tidy is currently disabled; consider enabling auto-tidy to execute tidy operations periodically. "
            "This helps the health and performance of a mount."
        )
        return [Finding(INFORMATIONAL, endpoint, text)]
    found = [
        Finding(code, endpoint, _too_long(name, config[name]))
        for name in ("interval_duration", "pause_duration")
        if (code := _judged(parse_duration(config[name]), settings, f"{name}_"))
    ]
    return found or [Finding(OK, endpoint, "Auto-tidy is enabled and configured appropriately.")]


def _judged(value: float, settings: Mapping[str, Any], prefix: str) -> int:
    """Return how bad it is to be longer than the settings say, 0 for not at all."""
    return next((code for name, code in _SEVERITIES.items() if value > settings[f"{prefix}{name}"]), 0)


def _too_long(name: str, value: Any) -> str:
    shown = go_duration(value) if isinstance(value, int) else str(value)
    return (
        f"Auto-tidy is configured with too long of a value for {name} ({shown}); this could impact performance as "
        "tidies run too infrequently or take too long to execute."
    )


def tidy_last_run(mount: Mount, settings: Mapping[str, Any]) -> list[Finding]:
    """Tell whether the mount was tidied lately."""
    endpoint = mount.endpoint("tidy-status")
    finished = mount.read("tidy-status").get("time_finished")
    if not finished:
        text = (
            f"Tidy hasn't run since this mount was created{_UNTIDY} It is suggested to enable auto-tidy on this mount."
        )
        return [Finding(CRITICAL, endpoint, text)]
    passed = mount.now - datetime.fromisoformat(finished).timestamp()
    if code := _judged(passed, settings, "last_run_"):
        longest = span(settings["last_run_critical" if code == CRITICAL else "last_run_warning"])
        return [Finding(code, endpoint, f"Tidy hasn't run in the last {longest}{_UNTIDY}")]
    return [Finding(OK, endpoint, "Tidy has run recently on this mount.")]


def too_many_certs(mount: Mount, settings: Mapping[str, Any]) -> list[Finding]:
    """Tell whether the mount keeps too many certificates."""
    endpoint, count = mount.endpoint("certs"), len(mount.names("certs"))
    code = next((code for name, code in _SEVERITIES.items() if count >= settings[f"count_{name}"]), 0)
    if not code:
        return [Finding(OK, endpoint, "This mount has an OK number of stored certificates.")]
    text = (
        f"This PKI mount has {count} outstanding stored certificates; consider using no_store=true on roles, running "
        "tidy operations periodically, and using shorter certificate lifetimes to reduce the storage pressure on this "
        "mount."
    )
    return [Finding(code, endpoint, text)]


def enable_acme_issuance(mount: Mount, settings: Mapping[str, Any]) -> list[Finding]:
    """Tell whether clients can renew certificates by themselves with ACME, and whether that works."""
    del settings
    endpoint = mount.endpoint("config", "acme")
    if mount.read("config", "acme").get("enabled"):
        return [_acme(mount)]
    if all(x509.is_root(certificate) for certificate in mount.issuers().values()):
        return [Finding(NOT_APPLICABLE, endpoint, "Mount contains only root issuers, ACME is not required.")]
    text = "Consider enabling ACME support to support a self-rotating PKI infrastructure."
    return [Finding(INFORMATIONAL, endpoint, text)]


def _acme(mount: Mount) -> Finding:
    endpoint, path = mount.endpoint("config", "cluster"), mount.read("config", "cluster").get("path") or ""
    broken = "ACME enabled in config but not functional: "
    if not path:
        return Finding(WARNING, endpoint, f"{broken}'path' field in {endpoint} is not configured")
    if urlsplit(path).scheme != "https":
        return Finding(
            WARNING, endpoint, f"{broken}the configured 'path' field in {endpoint} was not using an https scheme"
        )
    url = f"{path.rstrip('/')}/acme/directory"
    if reason := mount.why_unreachable(url):
        text = f"{broken}using configured 'path' field (\"{path}\") in {endpoint} failed to reach the ACME directory: "
        return Finding(WARNING, endpoint, f"{text}{url}: {reason}")
    return Finding(OK, endpoint, "ACME enabled and successfully connected to the ACME directory.")
