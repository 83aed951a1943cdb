"""A role: what may be issued, and what it looks like (api-docs/secret/pki, "Create/update role")."""

import ipaddress
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Annotated

from cryptography import x509

from strongroom_common.fields import Names, Seconds, Strings
from strongroom_server.engines.pki.subject import parse_other
from strongroom_server.sdk.errors import InvalidRequest

DEFAULT_BITS = {"rsa": 2048, "ec": 256, "ed25519": 0, "mldsa": 44, "any": 0}
_RSA_BITS = (2048, 3072, 4096, 8192)
_EC_BITS = (224, 256, 384, 521)
_ML_DSA_BITS = (44, 65, 87)
DEFAULT_USAGES = Names(("DigitalSignature", "KeyAgreement", "KeyEncipherment"))


@dataclass(frozen=True)
class Role:
    """What a role allows and sets."""

    allow_any_name: Annotated[bool, "Whether any common name and DNS name is allowed."] = False
    allow_bare_domains: Annotated[bool, "Whether the allowed domains themselves may be issued for."] = False
    allow_glob_domains: Annotated[bool, "Whether allowed domains may hold * for any text."] = False
    allow_globs_in_identity_templates: Annotated[bool, "Whether identity values may bring a * into a domain."] = False
    allow_ip_sans: Annotated[bool, "Whether IP addresses may be named."] = True
    allow_localhost: Annotated[bool, 'Whether "localhost" may be issued for.'] = True
    allow_subdomains: Annotated[bool, "Whether names below the allowed domains may be issued for."] = False
    allow_token_displayname: Annotated[bool, "Of old releases; has no effect."] = False
    allow_wildcard_certificates: Annotated[bool, "Whether a name may hold a wildcard in its first label."] = True
    allowed_domains: Annotated[Names, "Domains that may be issued for, as the flags above say."] = Names(())
    allowed_domains_template: Annotated[bool, "Whether allowed domains hold identity templates."] = False
    allowed_ip_sans_cidr: Annotated[Names, "Networks that named addresses must be in; none is all."] = Names(())
    allowed_other_sans: Annotated[Names, 'Other names, as "OID;UTF8:glob"; * is all.'] = Names(())
    allowed_serial_numbers: Annotated[Names, "Globs for the serial number in the subject."] = Names(())
    allowed_uri_sans: Annotated[Names, "Globs for URIs."] = Names(())
    allowed_uri_sans_template: Annotated[bool, "Whether those globs hold identity templates."] = False
    allowed_user_ids: Annotated[Names, "Globs for user ids in the subject."] = Names(())
    basic_constraints_valid_for_non_ca: Annotated[bool, "Whether certificates say that they are no CA."] = False
    client_flag: Annotated[bool, "Whether certificates are for TLS clients."] = True
    cn_validations: Annotated[Names, '"email", "hostname", or "disabled".'] = Names(("email", "hostname"))
    code_signing_flag: Annotated[bool, "Whether certificates are for signing code."] = False
    country: Annotated[Names, "C of the subject."] = Names(())
    email_protection_flag: Annotated[bool, "Whether certificates are for e-mail."] = False
    enforce_hostnames: Annotated[bool, "Whether names must be host names."] = True
    ext_key_usage: Annotated[Names, "Extended key usages by name."] = Names(())
    ext_key_usage_oids: Annotated[Names, "Extended key usages by OID."] = Names(())
    generate_lease: Annotated[bool, "Whether a certificate comes with a lease whose end revokes it."] = False
    issuer_ref: Annotated[str, "Issuer to sign with: a name, an id or default."] = "default"
    key_bits: Annotated[int, "Key size; 0 is the usual one of the type."] = 0
    key_type: Annotated[str, '"rsa", "ec", "ed25519", "mldsa", or "any" for signing.'] = "rsa"
    key_usage: Annotated[Names, "Key usages by name."] = DEFAULT_USAGES
    locality: Annotated[Names, "L of the subject."] = Names(())
    max_ttl: Annotated[Seconds, "Longest life; 0 is the mount's."] = Seconds(0)
    no_store: Annotated[bool, "Whether certificates are not kept (and are revoked by certificate only)."] = False
    no_store_metadata: Annotated[bool, "Whether metadata of certificates is not kept."] = False
    not_after: Annotated[str, "Fixed end, RFC 3339; instead of a TTL."] = ""
    not_after_bound: Annotated[str, '"permit", "ttl-limited", "forbid", or the last moment to ask for.'] = "permit"
    not_before: Annotated[str, "Fixed start, RFC 3339."] = ""
    not_before_bound: Annotated[str, '"permit", "duration" or "forbid".'] = "permit"
    not_before_duration: Annotated[Seconds, "How long ago certificates start."] = Seconds(30)
    organization: Annotated[Names, "O of the subject."] = Names(())
    ou: Annotated[Names, "OU of the subject."] = Names(())
    policy_identifiers: Annotated[Strings, "Policy OIDs, or JSON with oid, cps and notice."] = Strings(())
    postal_code: Annotated[Names, "Postal code of the subject."] = Names(())
    province: Annotated[Names, "ST of the subject."] = Names(())
    require_cn: Annotated[bool, "Whether a common name is required."] = True
    server_flag: Annotated[bool, "Whether certificates are for TLS servers."] = True
    signature_bits: Annotated[int, "Hash size of signatures: 0, 256, 384, 512; keys but RSA's have their own."] = 0
    street_address: Annotated[Names, "Street of the subject."] = Names(())
    ttl: Annotated[Seconds, "Usual life; 0 is the mount's."] = Seconds(0)
    use_csr_common_name: Annotated[bool, "Whether signing takes the common name from the CSR."] = True
    use_csr_sans: Annotated[bool, "Whether signing takes alternative names from the CSR."] = True
    use_pss: Annotated[bool, "Whether RSA issuers sign with PSS."] = False

    @cached_property
    def _hash(self) -> int:
        return hash((self.allowed_domains, self.key_type, self.key_usage, self.ttl, self.max_ttl, self.organization))

    def __hash__(self) -> int:
        """Return a hash that is made once: what is remembered of a role is looked up with every certificate."""
        return self._hash

    @cached_property
    def fields(self) -> dict[str, tuple[str, ...]]:
        """Return the subject's fields, those that say anything."""
        names = ("country", "organization", "ou", "locality", "province", "street_address", "postal_code")
        return {name: values for name in names if any(values := getattr(self, name))}


def normal_role(role: Role) -> tuple[Role, list[str]]:
    """Return the role with its defaults filled in, and warnings; raises InvalidRequest for what cannot be."""
    warnings = []
    role = replace(
        role,
        key_bits=checked_bits(role.key_type, role.key_bits),
        issuer_ref=role.issuer_ref or "default",
        cn_validations=role.cn_validations or Role.cn_validations,
        policy_identifiers=_policies(role.policy_identifiers),
    )
    _check_bounds(role)
    if role.max_ttl and role.ttl > role.max_ttl:
        raise InvalidRequest('"ttl" value must be less than "max_ttl" value')
    if role.no_store and role.generate_lease:
        warnings.append("mutually exclusive values no_store=true and generate_lease=true were both specified; "
                        "no_store=true takes priority")  # fmt: skip
        role = replace(role, generate_lease=False)
    if role.generate_lease:
        warnings.append("it is encouraged to disable generate_lease and rely on PKI's native capabilities when "
                        "possible; this option can cause instance-wide issues with large numbers of issued "
                        "certificates")  # fmt: skip
    _check_cn_validations(role.cn_validations)
    for oid in role.ext_key_usage_oids:
        if not is_oid(oid):
            raise InvalidRequest(f'"{oid}" could not be parsed as a valid oid for an extended key usage')
    for text in role.allowed_other_sans:
        _check_other(text)
    for text in role.allowed_ip_sans_cidr:
        _check_network(text)
    return role, warnings


def checked_bits(kind: str, bits: int) -> int:
    """Return the key size that a type and a wish (0: the usual) make; raises InvalidRequest."""
    if kind not in DEFAULT_BITS:
        raise InvalidRequest(f"unknown key type {kind}")
    if bits == 0:
        return DEFAULT_BITS[kind]
    if kind == "rsa" and bits < _RSA_BITS[0]:
        raise InvalidRequest(f"RSA keys < 2048 bits are unsafe and not supported: got {bits}")
    if kind == "rsa" and bits not in _RSA_BITS:
        raise InvalidRequest(f"unsupported bit length for RSA key: {bits}")
    if kind == "ec" and bits not in _EC_BITS:
        raise InvalidRequest(f"unsupported bit length for EC key: {bits}")
    if kind == "mldsa" and bits not in _ML_DSA_BITS:
        raise InvalidRequest(f"unsupported bit length for ML-DSA key: {bits}")
    return 0 if kind == "ed25519" else bits


def is_oid(text: str) -> bool:
    """Tell whether ``text`` is an object identifier in dotted form."""
    try:
        x509.ObjectIdentifier(text)
    except ValueError:
        return False
    return True


def _check_bounds(role: Role) -> None:
    if role.not_before_bound not in {"", "permit", "duration", "forbid"}:
        raise InvalidRequest("Unknown value for field `not_before_bound`. Possible values are `permit`, `duration` and "
                             "`forbid`.")  # fmt: skip
    if role.not_after_bound not in {"", "permit", "ttl-limited", "forbid"} and not is_moment(role.not_after_bound):
        raise InvalidRequest("Unknown value for field `not_after_bound`. Possible values are `permit`, `ttl-limited`, "
                             "`forbid`, or an explicit timestamp.")  # fmt: skip


def is_moment(text: str) -> bool:
    """Tell whether ``text`` is a moment in RFC 3339."""
    try:
        return "T" in text and datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _check_cn_validations(kinds: Names) -> None:
    for kind in kinds:
        if kind not in {"email", "hostname", "disabled"}:
            raise InvalidRequest(f"cn_validations value incorrect: unknown type: `{kind}`")
    if "disabled" in kinds and len(kinds) > 1:
        raise InvalidRequest(
            "cn_validations value incorrect: cannot specify `disabled` along with `email` or `hostname`"
        )


def _check_other(text: str) -> None:
    if text == "*":
        return
    try:
        parse_other(text)
    except ValueError as error:
        raise InvalidRequest(f"error parsing allowed_other_sans: {error}") from None


def _check_network(text: str) -> None:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise InvalidRequest(f"allowed_ip_sans_cidr: {text!r} is not a network such as 10.0.0.0/8") from None


def _policies(given: Strings) -> Strings:
    """Return each policy as its OID or as one JSON object; given are these, or a JSON list, or OIDs with commas."""
    text = ",".join(given)
    if text.startswith(("[", "{")):
        try:
            parsed = json.loads(text if text.startswith("[") else f"[{text}]")
            policies = [policy if isinstance(policy, dict) else {"oid": policy} for policy in parsed]
        except ValueError:
            raise InvalidRequest("policy_identifiers is neither a list of OIDs nor JSON") from None
    else:
        policies = [{"oid": oid.strip()} for oid in text.split(",") if oid.strip()]
    for policy in policies:
        if not isinstance(policy.get("oid"), str) or not is_oid(policy["oid"]):
            named = policy.get("oid", "")
            raise InvalidRequest(f'policy identifier "{named}" is neither a valid OID nor JSON with one')
    return Strings(tuple(_policy_text(policy) for policy in policies))


def _policy_text(policy: dict[str, str]) -> str:
    known = {name: policy[name] for name in ("oid", "cps", "notice") if policy.get(name)}
    return known["oid"] if set(known) == {"oid"} else json.dumps(known, separators=(",", ":"))


def parsed_policies(texts: Sequence[str]) -> list[dict[str, str]]:
    """Return stored policy identifiers as maps with ``oid`` and perhaps ``cps`` and ``notice``."""
    return [json.loads(text) if text.startswith("{") else {"oid": text} for text in texts]
