"""Checks of the roles: options that are dangerous or dear, and easily overlooked."""

from collections.abc import Callable, Mapping
from typing import Any

from strongroom_cli import gotext
from strongroom_cli.pkihealth.findings import DENIED, INFORMATIONAL, OK, WARNING, Finding
from strongroom_cli.pkihealth.mount import Mount, Unreadable

_LOCALHOST = (
    "Role currently allows localhost issuance with a non-empty allowed_domains ({domains}): this role is intended for "
    "issuing other hostnames and the allow_localhost=true option may be overlooked by operators. If this role is "
    "intended to issue certificates valid for localhost, consider setting allow_localhost=false and explicitly adding "
    "localhost to the list of allowed domains."
)
_GLOBS = (
    "Role currently allows wildcard issuance while allowing globs in allowed_domains ({domains}). Because globs can "
    "expand to one or more wildcard character, including wildcards under additional subdomains, these options are "
    "dangerous to enable together. If glob domains are required to be enabled, it is suggested to either disable "
    "wildcard issuance if not desired, or create two separate roles -- one with wildcard issuance for specified "
    "domains and one with glob matching enabled for concrete domain identifiers."
)
_STORED = (
    "Role currently stores every issued certificate (no_store=false). Too many issued and/or revoked certificates can "
    "exceed Strongroom's storage limits and make operations slow. It is encouraged to enable auto-rebuild of CRLs to "
    "prevent every revocation from creating a new CRL and to limit the number of certificates issued under roles with "
    "no_store=false: use shorter lifetimes and/or BYOC revocation instead."
)
_STORED_SAFELY = (
    "Role currently stores every issued certificate (no_store=false). With auto-rebuild CRL enabled, less performance "
    "impact occur on CRL rebuilding, but note that too many issued and/or revoked certificates can exceed Strongroom's "
    "storage limits and make operations slow. It is suggested to limit the number of certificates issued under roles "
    "with no_store=false: use shorter lifetimes to avoid revocation and/or BYOC revocation instead."
)
_NO_CRL_CONFIG = (
    "This token lacks so permission to read the CRL configuration for this mount. This prevents the health check from "
    "seeing if the CRL is set to auto_rebuild=true and lowering the severity of check results appropriately."
)
Role = Mapping[str, Any]


def role_allows_localhost(mount: Mount, settings: Mapping[str, Any]) -> list[Finding]:
    """Tell which roles for other domains also issue for localhost."""
    del settings
    found = _each(mount, lambda role: role["allow_localhost"] and role["allowed_domains"], (WARNING, _LOCALHOST))
    return found or _good(mount, "allowing issuance for localhost domains")


def role_allows_glob_wildcards(mount: Mount, settings: Mapping[str, Any]) -> list[Finding]:
    """Tell which roles take both globs and wildcards."""
    del settings
    found = _each(mount, _mixes_globs_and_wildcards, (WARNING, _GLOBS))
    return found or _good(mount, "restricting wildcard certificate issuance in roles")


def _mixes_globs_and_wildcards(role: Role) -> bool:
    globs = role["allow_glob_domains"] and any("*" in domain for domain in role["allowed_domains"] or ())
    return bool(globs and role["allow_wildcard_certificates"])


def role_no_store_false(mount: Mount, settings: Mapping[str, Any]) -> list[Finding]:
    """Tell which roles have every certificate kept; less of a burden where CRLs are not made at each revocation."""
    more: list[Finding] = []
    judgement = (WARNING, _STORED)
    try:
        if mount.read("config", "crl").get("auto_rebuild"):
            judgement = (INFORMATIONAL, _STORED_SAFELY)
    except Unreadable as refusal:
        more = [Finding(DENIED, refusal.endpoint, _NO_CRL_CONFIG)]
    found = _each(mount, lambda role: not role["no_store"], judgement, but=settings["allowed_roles"])
    return [*found, *more] or _good(mount, "certificate storage")


def _good(mount: Mount, what: str) -> list[Finding]:
    """Return that all roles are well, nothing where there are none."""
    text = f"Roles follow best practices regarding {what}."
    return [Finding(OK, mount.endpoint("roles"), text)] if mount.names("roles") else []


def _each(
    mount: Mount, is_bad: Callable[[Role], Any], judgement: tuple[int, str], but: list[str] | None = None
) -> list[Finding]:
    found = []
    code, text = judgement
    for name in mount.names("roles"):
        endpoint = mount.endpoint("roles", name)
        try:
            role = mount.read("roles", name)
        except Unreadable as refusal:
            denied = "This token lacks permission the endpoint for this mount. Without this information, this health "
            found.append(Finding(DENIED, refusal.endpoint, f"{denied}check is unable to function."))
            continue
        if name not in (but or ()) and is_bad(role):
            found.append(Finding(code, endpoint, text.format(domains=gotext.text(role["allowed_domains"]))))
    return found
