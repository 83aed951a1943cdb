"""Checks of the mount's settings: what audit logs hide, and which headers pass."""

from collections.abc import Iterable, Mapping
from typing import Any

from strongroom_cli.pkihealth.findings import INFORMATIONAL, NOT_APPLICABLE, OK, WARNING, Finding
from strongroom_cli.pkihealth.mount import Mount

_PLAIN = {
    "audit_non_hmac_request_keys": (
        "csr", "certificate", "issuer_ref", "common_name", "alt_names", "other_sans", "ip_sans", "uri_sans", "ttl",
        "not_after", "serial_number", "key_type", "private_key_format", "managed_key_name", "managed_key_id", "ou",
        "organization", "country", "locality", "province", "street_address", "postal_code", "permitted_dns_domains",
        "policy_identifiers", "ext_key_usage_oids",
    ),
    "audit_non_hmac_response_keys": ("certificate", "issuing_ca", "serial_number", "error", "ca_chain"),
}  # fmt: skip
"""What may be read in audit logs, and helps there."""
_SECRET = ("private_key", "pem_bundle")
_ACME_HEADERS = ("Replay-Nonce", "Link", "Location")


def audit_visibility(mount: Mount, settings: Mapping[str, Any]) -> list[Finding]:
    """Tell which harmless parameters audit logs hide, and which secret ones they show."""
    tuning, endpoint, ignored = mount.tuning(), mount.tune_endpoint, settings["ignored_parameters"]
    hidden = [
        Finding(INFORMATIONAL, endpoint, _hidden(name, setting))
        for setting, names in _PLAIN.items() for name in names
        if name not in (tuning.get(setting) or ()) and name not in ignored
    ]  # fmt: skip
    shown = [
        Finding(WARNING, endpoint, _shown(name, setting))
        for setting in _PLAIN for name in _SECRET
        if name in (tuning.get(setting) or ()) and name not in ignored
    ]  # fmt: skip
    return [*hidden, *shown] or [Finding(OK, endpoint, "Mount audit information is configured appropriately.")]


def _hidden(name: str, setting: str) -> str:
    return (
        f"Mount currently HMACs {name} because it is not in {setting}; as this is not a sensitive security parameter, "
        "it is encouraged to disable HMACing to allow better auditing of the PKI engine."
    )


def _shown(name: str, setting: str) -> str:
    return (
        f"Mount currently doesn't HMAC {name} because it is in {setting}; as this is a sensitive security parameter it "
        "is encouraged to HMAC it in the Audit logs."
    )


def allow_if_modified_since(mount: Mount, settings: Mapping[str, Any]) -> list[Finding]:
    """Tell whether clients can ask for what changed only."""
    del settings
    tuning, endpoint = mount.tuning(), mount.tune_endpoint
    asked = _has(tuning.get("passthrough_request_headers"), ["If-Modified-Since"])
    if asked and _has(tuning.get("allowed_response_headers"), ["Last-Modified"]):
        text = "Mount allows the If-Modified-Since request header and Last-Modified response header."
        return [Finding(OK, endpoint, text)]
    text = (
        "Mount hasn't enabled If-Modified-Since Request or Last-Modified Response headers; consider enabling these "
        "headers to allow clients to fetch CAs and CRLs only when they've changed, reducing total bandwidth."
    )
    return [Finding(INFORMATIONAL, endpoint, text)]


def allow_acme_headers(mount: Mount, settings: Mapping[str, Any]) -> list[Finding]:
    """Tell whether the headers pass that ACME's clients need."""
    del settings
    if not mount.read("config", "acme").get("enabled"):
        text = "ACME is not enabled, no additional response headers required."
        return [Finding(NOT_APPLICABLE, mount.endpoint("config", "acme"), text)]
    named = ", ".join(f"'{name}'" for name in _ACME_HEADERS)
    if _has(mount.tuning().get("allowed_response_headers"), _ACME_HEADERS):
        return [Finding(OK, mount.tune_endpoint, f"Mount has enabled {named} response headers.")]
    text = f"Mount hasn't enabled {named} response headers, these are required for ACME to function."
    return [Finding(WARNING, mount.tune_endpoint, text)]


def _has(allowed: Iterable[str] | None, wanted: Iterable[str]) -> bool:
    return {name.lower() for name in wanted} <= {name.lower() for name in allowed or ()}
