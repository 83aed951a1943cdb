"""Checks of the issuers: how long they and their CRLs are good for, where keys are, what roots have issued."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from strongroom_cli import x509
from strongroom_cli.pkihealth.findings import CRITICAL, DENIED, INFORMATIONAL, OK, WARNING, Finding
from strongroom_cli.pkihealth.mount import Mount, Unreadable
from strongroom_cli.pkihealth.spans import span
from strongroom_client import ApiError

_SEVERITIES = {"critical": CRITICAL, "warning": WARNING, "informational": INFORMATIONAL}


def ca_validity_period(mount: Mount, settings: Mapping[str, Any]) -> list[Finding]:
    """Tell which issuers end soon: roots have more time to be replaced in than intermediates."""
    return [
        _validity(mount, settings, mount.issuer_endpoint(issuer), certificate)
        for issuer, certificate in mount.issuers().items()
    ]


def _validity(mount: Mount, settings: Mapping[str, Any], endpoint: str, certificate: "x509.Certificate") -> Finding:
    end, kind = certificate.not_valid_after_utc, "root" if x509.is_root(certificate) else "intermediate"
    for name, code in _SEVERITIES.items():
        ahead = settings[f"{kind}_expiry_{name}"]
        if end.timestamp() < mount.now + ahead:
            until = datetime.fromtimestamp(mount.now + ahead, UTC)
            return Finding(
                code, endpoint,
                f"Issuer's validity is outside of the suggested rotation window: issuer is valid until {_day(end)} but "
                f"expires within {span(ahead)} (ending on {_day(until)}). It is suggested to start rotating this "
                "issuer to new key material to avoid future downtime caused by this current issuer expiring.",
            )  # fmt: skip
    return Finding(OK, endpoint, f"Issuer's validity ({_day(end)}) is OK")


def crl_validity_period(mount: Mount, settings: Mapping[str, Any]) -> list[Finding]:
    """Tell which CRLs are near their end; that matters less where CRLs are off."""
    found, severity = [], CRITICAL
    try:
        severity = INFORMATIONAL if mount.read("config", "crl").get("disable") else CRITICAL
    except Unreadable as refusal:
        text = (
            "This token lacks permission to read the CRL configuration for this mount. This prevents the health check "
            "from seeing if the CRL is disabled and dropping the severity of this check accordingly."
        )
        found.append(Finding(DENIED, refusal.endpoint, text))
    for issuer in mount.issuers():
        found += _crl(mount, ("issuer", issuer, "crl"), ("CRL", settings["crl_expiry_pct_critical"], severity))
    for issuer in mount.issuers():
        rule = "Delta CRL", settings["delta_crl_expiry_pct_critical"], severity
        found += _crl(mount, ("issuer", issuer, "crl", "delta"), rule)
    return found


def _crl(mount: Mount, path: Sequence[str], rule: tuple[str, int, int]) -> list[Finding]:
    endpoint, (what, share, severity) = mount.endpoint(*path), rule
    try:
        pem = mount.read(*path)["crl"]
    except (ApiError, KeyError):  # an issuer without a key has none
        return []
    crl = x509.crl(pem)
    start, end = crl.last_update_utc, crl.next_update_utc or crl.last_update_utc
    if mount.now < start.timestamp() + (end - start).total_seconds() * share / 100:
        return [Finding(OK, endpoint, f"{what}'s validity ({_day(start)} to {_day(end)}) is OK.")]
    text = (
        f"{what}'s validity is outside of suggested rotation window: {what}'s next update is expected at {_day(end)}, "
        f"but expires within {share}% of validity window (starting on {_day(start)} and ending on {_day(end)}). It is "
        f"suggested to rotate this {what} and start propagating it to hosts to avoid any issues caused by stale CRLs."
    )
    return [Finding(severity, endpoint, text)]


def hardware_backed_root(mount: Mount, settings: Mapping[str, Any]) -> list[Finding]:
    """Tell which roots have their keys in the server, where a device would keep them safer."""
    del settings
    roots = [issuer for issuer, certificate in mount.issuers().items() if x509.is_root(certificate)]
    return [_key(mount, issuer, key) for issuer in roots if (key := mount.read("issuer", issuer).get("key_id"))]


def _key(mount: Mount, issuer: str, key: str) -> Finding:
    endpoint = mount.issuer_endpoint(issuer)
    if mount.read("key", key).get("managed_key_id"):
        return Finding(OK, endpoint, "Root issuer was backed by managed key.")
    text = (
        "Root issuer was created using Vault-backed software keys; for added safety of long-lived, important root "
        "CAs, you may wish to consider using a HSM or KSM Managed Key to store key material for this issuer."
    )
    return Finding(INFORMATIONAL, endpoint, text)


def root_issued_leaves(mount: Mount, settings: Mapping[str, Any]) -> list[Finding]:
    """Tell which roots have issued certificates that are no CA's."""
    roots = {one: certificate for one, certificate in mount.issuers().items() if x509.is_root(certificate)}
    if not roots:
        return []
    blamed: dict[str, str] = {}
    for serial in mount.names("certs")[: settings["certs_to_fetch"]]:
        pem = mount.read("cert", serial).get("certificate")
        leaf = x509.certificate(pem) if pem else None
        if leaf is None or x509.is_ca(leaf):
            continue
        blamed |= {one: serial for one, root in roots.items() if root.subject == leaf.issuer and one not in blamed}
    if not blamed:
        text = "Root certificate(s) in this mount have not directly issued non-CA leaf certificates."
        return [Finding(OK, mount.endpoint("certs"), text)]
    return [Finding(WARNING, mount.issuer_endpoint(one), _blame(serial)) for one, serial in blamed.items()]


def _blame(serial: str) -> str:
    return (
        f"Root issuer has directly issued non-CA leaf certificates ({serial}) instead of via an intermediate CA. This "
        "can make rotating the root CA harder as direct cross-signing of the roots must be used, rather than "
        "cross-signing of the intermediates. It is encouraged to set up and use an intermediate CA and tidy the mount "
        "when all directly issued leaves have expired."
    )


def _day(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d")
