"""What an order and its CSR may ask for. Pure; all raise Problem."""

import ipaddress
from typing import Any

from cryptography import x509

from strongroom_server.engines.pki import names, subject
from strongroom_server.engines.pki.acme import jws
from strongroom_server.engines.pki.acme.problems import Problem, malformed
from strongroom_server.engines.pki.acme.records import Identifier, parse_name
from strongroom_server.engines.pki.lifetimes import parse_time
from strongroom_server.engines.pki.role import Role
from strongroom_server.lib.x509 import proves_its_key, read_csr
from strongroom_server.sdk.errors import InvalidRequest


def check_allowed(role: Role, wanted: list[Identifier]) -> None:
    """Raise Problem for a name that the role would not let pass."""
    ips = tuple(ipaddress.ip_address(one.value) for one in wanted if one.type == "ip")
    asked = subject.Names(dns=tuple(one.text for one in wanted if one.type == "dns"), ips=ips)
    try:
        names.check_ips_allowed(role, asked, "the order")
        names.check_names(role, asked, role.allowed_domains)
    except InvalidRequest as error:
        raise Problem("rejectedIdentifier", str(error)) from None


def check_span(not_before: str, not_after: str, now: float) -> None:
    """Raise Problem for what are no moments, or a certificate that would be over before it begins."""
    try:
        start = max(parse_time(not_before) if not_before else now, now)
        end = parse_time(not_after) if not_after else None
    except InvalidRequest as error:
        raise malformed(str(error)) from None
    if end is not None and end <= start:
        raise malformed("notAfter is not after notBefore and now")


def load_csr(payload: dict[str, Any]) -> x509.CertificateSigningRequest:
    """Return the CSR of a request; raises Problem."""
    raw = jws.decode(payload.get("csr"), "csr")
    try:
        csr = read_csr(raw)
        valid = proves_its_key(csr)
    except ValueError:
        raise Problem("badCSR", "the CSR could not be parsed") from None
    if not valid:
        raise Problem("badCSR", "the CSR's signature is wrong")
    return csr


def check_csr(csr: x509.CertificateSigningRequest, identifiers: list[Identifier]) -> None:
    """Raise Problem unless the CSR names what was ordered, all of it and nothing else.

    Security 1: names of kinds that cannot be proven here are refused, whatever the role allows.
    """
    told = subject.names_of(csr.subject, csr.extensions)
    if told.emails or told.uris or told.others or told.serial_number or told.user_ids:
        raise Problem("badCSR", "the CSR holds names of a kind that was not ordered")
    dns = {*told.dns, *([told.common_name] if told.common_name and not _is_ip(told.common_name) else [])}
    ips = {*map(str, told.ips), *([told.common_name] if _is_ip(told.common_name) else [])}
    named = {parse_name(name) for name in dns} | {Identifier("ip", str(ipaddress.ip_address(one))) for one in ips}
    if named != set(identifiers):
        raise Problem("badCSR", "the CSR's names are not those of the order")


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
