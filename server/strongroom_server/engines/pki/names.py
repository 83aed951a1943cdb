"""The rules by which a role lets names pass. Pure: names and a role in, InvalidRequest or nothing out.

Security 1: what is not allowed by a rule below is refused. Security 2: a wildcard counts in the left-most label only
(RFC 6125, section 6.4.3), so a certificate never speaks for more than one level below what the role allows.
"""

import ipaddress
import re
from collections.abc import Sequence

from strongroom_server.engines.pki.role import Role
from strongroom_server.engines.pki.subject import Names, OtherName, is_hostname, parse_other
from strongroom_server.lib.globs import fits
from strongroom_server.sdk.errors import InvalidRequest

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_WILD_LABEL = re.compile(rf"(?:{_LABEL})?\*(?:{_LABEL})?", re.ASCII)
_LOCAL = {"localhost", "localdomain"}
_BELOW_LOCAL = (".localhost", ".localdomain")


def check_names(role: Role, names: Names, domains: Sequence[str]) -> None:
    """Raise InvalidRequest for the first name that the role refuses.

    ``domains`` are the role's own, with their templates filled in. URIs are ``check_uris``' part.
    """
    if names.common_name and not _common_name_passes(role, names.common_name, domains):
        raise InvalidRequest(f"common name {names.common_name} not allowed by this role")
    _check_others(role, names.others)
    for name in names.dns:
        if not name_passes(role, name, domains):
            raise InvalidRequest(f"subject alternate name {name} not allowed by this role")
    for email in names.emails:
        if not name_passes(role, email, domains):
            raise InvalidRequest(f"email address {email} not allowed by this role")
    if names.serial_number and not fits(role.allowed_serial_numbers, names.serial_number):
        raise InvalidRequest(f"serial_number {names.serial_number} not allowed by this role")
    for user in names.user_ids:
        if not fits(role.allowed_user_ids, user):
            raise InvalidRequest(f"user_id {user} is not allowed by this role")
    _check_ips(role, names)


def _common_name_passes(role: Role, name: str, domains: Sequence[str]) -> bool:
    if role.cn_validations == ("disabled",):
        return True
    if not name_passes(role, name, domains):
        return False
    return not role.cn_validations or ("email" if "@" in name else "hostname") in role.cn_validations


def name_passes(role: Role, name: str, domains: Sequence[str]) -> bool:
    """Tell whether a role allows a host name or an e-mail address."""
    local, at, host = name.rpartition("@")
    if at and ("@" in local or not local or "*" in host):
        return False
    wildcard = "*" in host
    if wildcard:
        if not role.allow_wildcard_certificates or not _valid_wildcard(host):
            return False
        host = host.partition(".")[2]
    if role.enforce_hostnames and host and not _is_hostname(host):
        return False
    if role.allow_any_name:
        return True
    if role.allow_localhost and (host in _LOCAL or (role.allow_subdomains and host.endswith(_BELOW_LOCAL))):
        return True
    return any(_in_domain(role, name, host, domain, email=bool(at), wildcard=wildcard) for domain in domains if domain)


def _in_domain(role: Role, name: str, host: str, domain: str, *, email: bool, wildcard: bool) -> bool:
    is_it = host.lower() == domain.lower()
    if role.allow_bare_domains and (name.lower() == domain.lower() or (email and is_it)):
        return True
    if role.allow_subdomains and (host.endswith("." + domain) or (wildcard and is_it)):
        return True
    return role.allow_glob_domains and "*" in domain and fits((domain,), name)


def _valid_wildcard(host: str) -> bool:
    first, _, rest = host.partition(".")
    return "*" not in rest and _WILD_LABEL.fullmatch(first) is not None


def _is_hostname(host: str) -> bool:
    try:
        return is_hostname(host)
    except InvalidRequest:
        return False


def check_uris(uris: Sequence[str], allowed: Sequence[str], source: str) -> None:
    """Raise InvalidRequest unless every URI matches one of the globs."""
    if uris and not allowed:
        raise InvalidRequest(
            f"URI Subject Alternative Names are not allowed in this role, but were provided via {source}"
        )
    for uri in uris:
        if not fits(allowed, uri):
            raise InvalidRequest(
                f"URI Subject Alternative Names were provided via {source} which are not valid for this role"
            )


def check_ips_allowed(role: Role, names: Names, source: str) -> None:
    """Raise InvalidRequest where addresses are named and the role wants none."""
    if names.ips and not role.allow_ip_sans:
        raise InvalidRequest(
            f"IP Subject Alternative Names are not allowed in this role, but was provided via {source}"
        )


def _check_ips(role: Role, names: Names) -> None:
    if not role.allowed_ip_sans_cidr:
        return
    networks = [ipaddress.ip_network(text, strict=False) for text in role.allowed_ip_sans_cidr]
    for address in names.ips:
        if not any(address in network for network in networks):
            raise InvalidRequest(f'the IP address "{address}" is not allowed in this role')


def _check_others(role: Role, others: Sequence[OtherName]) -> None:
    if not others or "*" in role.allowed_other_sans:
        return
    allowed = [parse_other(text) for text in role.allowed_other_sans]
    for other in others:
        globs = [one.value for one in allowed if one.oid == other.oid]
        if not globs:
            raise InvalidRequest(f"other SAN OID {other.oid} not allowed by this role")
        if not fits(globs, other.value):
            raise InvalidRequest(f"other SAN {other.value} not allowed for OID {other.oid} by this role")
