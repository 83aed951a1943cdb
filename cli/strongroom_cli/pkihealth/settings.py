"""The checks' parameters: defaults, and what a file changes (docs: pki health-check, "Health check configuration")."""

from collections.abc import Mapping
from typing import Any

from strongroom_cli.errors import CommandError
from strongroom_common.durations import parse_duration

Settings = dict[str, dict[str, Any]]
DEFAULTS: Settings = {
    "ca_validity_period": {
        "intermediate_expiry_critical": "30d",
        "intermediate_expiry_informational": "180d",
        "intermediate_expiry_warning": "60d",
        "root_expiry_critical": "180d",
        "root_expiry_informational": "730d",
        "root_expiry_warning": "365d",
    },
    "crl_validity_period": {"crl_expiry_pct_critical": "95", "delta_crl_expiry_pct_critical": "95"},
    "hardware_backed_root": {"enabled": False},
    "root_issued_leaves": {"certs_to_fetch": 100},
    "role_allows_localhost": {},
    "role_allows_glob_wildcards": {},
    "role_no_store_false": {"allowed_roles": []},
    "audit_visibility": {"ignored_parameters": []},
    "allow_if_modified_since": {},
    "enable_auto_tidy": {
        "interval_duration_critical": "7d",
        "interval_duration_warning": "2d",
        "pause_duration_critical": "1s",
        "pause_duration_warning": "200ms",
    },
    "tidy_last_run": {"last_run_critical": "7d", "last_run_warning": "2d"},
    "too_many_certs": {"count_critical": 250000, "count_warning": 50000},
    "enable_acme_issuance": {},
    "allow_acme_headers": {},
}
"""Every check, in the order in which they run, as it is shown by ``-list``."""

_RANGES = {
    "crl_expiry_pct_critical": (1, 99), "delta_crl_expiry_pct_critical": (1, 99), "certs_to_fetch": (1, 100_000),
    "count_critical": (1, 15_000_000), "count_warning": (1, 15_000_000),
}  # fmt: skip
_TRUE, _FALSE = ("1", "t", "true"), ("0", "f", "false", "")


def merged(changes: Mapping[str, Any], *, enabled: bool) -> Settings:
    """Return the parameters of the checks that run, parsed: durations in seconds, numbers, lists.

    ``enabled`` is whether a check runs that nothing is said about. Raises CommandError naming what is wrong.
    """
    return {
        name: found
        for name, defaults in DEFAULTS.items()
        if (found := _parsed(name, {"enabled": enabled, **defaults}, changes.get(name, {})))["enabled"]
    }


def _parsed(check: str, defaults: Mapping[str, Any], changes: Any) -> dict[str, Any]:
    if not isinstance(changes, dict):
        raise _wrong(f"configuration of {check}: expected an object")
    for name in changes:
        if name not in defaults:
            raise _wrong(f"unknown configuration option for {check}: {name}")
    return {name: _value(check, name, value) for name, value in {**defaults, **changes}.items()}


def _value(check: str, name: str, value: Any) -> Any:
    if name == "enabled":
        return _boolean(check, value)
    if isinstance(DEFAULTS[check][name], list):
        return value.split(",") if isinstance(value, str) else [str(item) for item in value]
    if name in _RANGES:
        return _number(check, name, value)
    try:
        return parse_duration(value)
    except ValueError as error:
        what = f"error saving merged config for {check}: failed to parse parameter ({name}={value}): {error}"
        raise _wrong(what) from error


def _boolean(check: str, value: Any) -> bool:
    text = str(value).lower()
    if text not in (*_TRUE, *_FALSE):
        raise _wrong(f"error saving merged config for {check}: error parsing {check}.enabled: {value!r} is no boolean")
    return text in _TRUE


def _number(check: str, name: str, value: Any) -> int:
    shown = f"={value}" if check == "crl_validity_period" else ""
    what = f"error saving merged config for {check}: error parsing {check}.{name}{shown}"
    text, (least, most) = str(value), _RANGES[name]
    if not (text.isascii() and text.removeprefix("-").isdecimal()):
        raise _wrong(f"{what}: expected a whole number, not {value}")
    if not least <= int(text) <= most:
        raise _wrong(f"{what}: error parsing int value; out of range [{least} to {most}]: {value}")
    return int(text)


def _wrong(what: str) -> CommandError:
    return CommandError(f"Failed to build health check configuration: {what}", 1)
