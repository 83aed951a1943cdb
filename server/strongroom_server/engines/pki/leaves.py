"""From a request to the draft of a certificate for an end: names by the role's rules, lifetime, extensions. Pure."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from cryptography import x509

from strongroom_server.engines.pki import assembly, building, lifetimes, names, subject, usages
from strongroom_server.engines.pki.building import Draft, Extension
from strongroom_server.engines.pki.lifetimes import Lifetime
from strongroom_server.engines.pki.role import Role, checked_bits, parsed_policies
from strongroom_server.engines.pki.schemas import CommonInput, LeafInput, VerbatimInput
from strongroom_server.engines.pki.signer import Signer
from strongroom_server.engines.pki.subject import Names
from strongroom_server.lib.certificates import Template
from strongroom_server.lib.x509 import (
    PublicKey,
    check_curve,
    for_pss_alone,
    key_bits,
    key_kind,
    proves_its_key,
    read_csr,
)
from strongroom_server.sdk.errors import InvalidRequest

_NO_NAME = (
    'the common_name field is required, or must be provided in a CSR with "use_csr_common_name" set to true, unless '
    '"require_cn" is set to false'
)
_NO_CONSTRAINTS = "specified CSR contained a Basic Constraints extension that was ignored during issuance"
_PSS_KEY = "Refusing to sign a CSR with an RSASSA-PSS key (1.2.840.113549.1.1.10): make it with an rsaEncryption key"
_SMALLEST_RSA = 2048
_NOBODY = Names()
_API, _CSR = "the API", "CSR"


class Allowed(NamedTuple):
    """A role's domains and URIs with their templates filled in."""

    domains: Sequence[str]
    uris: Sequence[str]


def requested_names(body: CommonInput) -> Names:
    """Return the names that a request asks for by itself."""
    own = [body.common_name] if body.common_name and not body.exclude_cn_from_sans else []
    dns, emails = subject.sorted_names([*own, *subject.split_names(body.alt_names)])
    return Names(
        common_name=body.common_name,
        serial_number=body.serial_number,
        dns=dns,
        emails=emails,
        ips=subject.parse_ips(body.ip_sans),
        uris=subject.parse_uris(body.uri_sans),
        others=subject.parse_others(body.other_sans),
    )


def leaf_names(body: LeafInput, role: Role, csr: x509.CertificateSigningRequest | None, allowed: Allowed) -> Names:
    """Return the names of a certificate as the role lets them pass; raises InvalidRequest for those that it refuses."""
    common_name, alternatives, source = body.common_name, _asked(body), _API
    serial, users = body.serial_number, tuple(body.user_ids)
    if csr is not None:
        told = subject.holder_of(csr.subject)
        serial, users = told.serial_number or serial, users or told.user_ids
        if role.use_csr_common_name:
            common_name = told.common_name or common_name
        if role.use_csr_sans:
            alternatives, source = subject.alternative_names(csr.extensions), _CSR
    if not common_name and role.require_cn:
        raise InvalidRequest(_NO_NAME)
    own = [common_name] if common_name and not body.exclude_cn_from_sans else []
    dns, emails = _told(alternatives, own) if source == _CSR else subject.sorted_names([*own, *alternatives.dns])
    found = Names(
        common_name=common_name, serial_number=serial, user_ids=users, fields=role.fields, dns=dns,
        emails=emails, ips=alternatives.ips, uris=alternatives.uris, others=alternatives.others,
    )  # fmt: skip
    names.check_ips_allowed(role, found, source)
    names.check_uris(found.uris, allowed.uris, source)
    names.check_names(role, found, allowed.domains)
    return found


def _told(by_csr: Names, own: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the host names and addresses of a request, all of them for the role to judge, and then the common name."""
    dns, emails = subject.sorted_names(own)
    return tuple(dict.fromkeys([*filter(None, by_csr.dns), *dns])), tuple(dict.fromkeys([*by_csr.emails, *emails]))


def _asked(body: LeafInput) -> Names:
    if not (body.alt_names or body.ip_sans or body.uri_sans or body.other_sans):
        return _NOBODY
    return Names(
        dns=tuple(subject.split_names(body.alt_names)),
        ips=subject.parse_ips(body.ip_sans),
        uris=subject.parse_uris(body.uri_sans),
        others=subject.parse_others(body.other_sans),
    )


def template(found: Names, span: Lifetime, role: Role, signer: Signer) -> Template:
    """Return what a certificate of a role for ``found`` says, whatever its key."""
    after = signer.common_extensions + assembly.alternatives(found)
    return Template(subject.subject_der(found), span.start, span.end, of_role(role), after)


@lru_cache(maxsize=256)
def of_role(role: Role) -> bytes:
    """Return the extensions that are the same in all certificates of a role, in DER."""
    extensions: list[Extension] = []
    if (usage := usages.key_usage(role.key_usage)) is not None:
        extensions.append((usage, True))
    if (extended := usages.role_extended_key_usage(role)) is not None:
        extensions.append((extended, False))
    if role.basic_constraints_valid_for_non_ca:
        extensions.append((x509.BasicConstraints(ca=False, path_length=None), True))
    return assembly.extensions([*extensions, *building.policies(parsed_policies(role.policy_identifiers))])


def verbatim_draft(csr: x509.CertificateSigningRequest, key: PublicKey, span: Lifetime, body: VerbatimInput,
                   signer: Signer) -> Draft:  # fmt: skip
    """Return a certificate with the request's own subject and extensions.

    Security 1: never a CA by way of a request (basic constraints and what belongs to the issuer are not taken over).
    """
    left_out = (x509.BasicConstraints, x509.SubjectKeyIdentifier, x509.AuthorityKeyIdentifier)
    copied = [(one.value, one.critical) for one in csr.extensions if not isinstance(one.value, left_out)]
    kinds = {extension.oid for extension, _ in copied}
    extensions = list(signer.identifiers(key))
    if x509.KeyUsage.oid not in kinds and (usage := usages.key_usage(body.key_usage)) is not None:
        extensions.insert(0, (usage, True))
    extended = usages.extended_key_usage(body.ext_key_usage, body.ext_key_usage_oids)
    if x509.ExtendedKeyUsage.oid not in kinds and extended is not None:
        extensions.append((extended, False))
    if body.basic_constraints_valid_for_non_ca:
        extensions.append((x509.BasicConstraints(ca=False, path_length=None), True))
    extensions += [(extension, critical) for extension, critical in signer.pointers if extension.oid not in kinds]
    return Draft(csr.subject, key, span.start, span.end, extensions=[*extensions, *copied])


def span_of(body: CommonInput, role: Role, frame: lifetimes.Frame) -> Lifetime:
    """Return the lifetime that a request gets."""
    return lifetimes.lifetime(lifetimes.Wish(body.ttl, body.not_after, body.not_before), role, frame)


def load_csr(text: str) -> x509.CertificateSigningRequest:
    """Return a request whose signature is right; raises InvalidRequest."""
    if not text.strip():
        raise InvalidRequest('"csr" is empty')
    if "-----BEGIN" not in text:
        raise InvalidRequest("csr contains no data")
    try:
        csr = read_csr(text.strip())
        subject.check_encoding(csr.extensions)
        valid = proves_its_key(csr)
    except ValueError as error:
        raise InvalidRequest(f"certificate request could not be parsed: {error}") from None
    if not valid:
        raise InvalidRequest("request signature invalid")
    return csr


def csr_warnings(csr: x509.CertificateSigningRequest) -> list[str]:
    """Return what the client should know of a request's extensions."""
    return [_NO_CONSTRAINTS] if any(one.oid == x509.BasicConstraints.oid for one in csr.extensions) else []


def csr_key(csr: x509.CertificateSigningRequest, kind: str, bits: int) -> PublicKey:
    """Return the request's key; raises InvalidRequest where it is not of the kind and size that the role demands."""
    key = csr.public_key()
    if for_pss_alone(csr):
        raise InvalidRequest(_PSS_KEY)
    try:
        found, size = key_kind(key), key_bits(key)
        check_curve(key)
    except ValueError as error:
        raise InvalidRequest(str(error)) from None
    if kind not in {"any", found}:
        raise InvalidRequest(f"role requires keys of type {kind}")
    if kind != "any" and size < bits:
        raise InvalidRequest(f"role requires a minimum of a {bits}-bit key, but CSR's key is {size} bits")
    if found == "rsa" and size < _SMALLEST_RSA:
        raise InvalidRequest("RSA keys < 2048 bits are unsafe and not supported")
    return key  # type: ignore[return-value]


def issuing_key(role: Role, kind: str, bits: int) -> tuple[str, int, list[str]]:
    """Return the type and size of the key to make, with warnings; raises InvalidRequest where that is not said."""
    if role.key_type != "any":
        ignored = ["parameters key_type and key_bits ignored as role had specific values"] if kind or bits else []
        return role.key_type, role.key_bits, ignored
    if not kind:
        raise InvalidRequest('role key type "any" not allowed for issuing certificates without providing key_type '
                             "and/or key_bits request parameters")  # fmt: skip
    if kind == "any":
        raise InvalidRequest("unknown key type: any")
    return kind, checked_bits(kind, bits), []
