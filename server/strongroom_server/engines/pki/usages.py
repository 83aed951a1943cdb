"""What a certificate may be used for: key usages and extended key usages by the names that Vault's API takes (Go's)."""

from collections.abc import Iterable

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID as Oid

from strongroom_server.engines.pki.role import Role
from strongroom_server.sdk.errors import InvalidRequest

_USAGES = {  # RFC 5280, section 4.2.1.3
    "digitalsignature": "digital_signature",
    "contentcommitment": "content_commitment",
    "keyencipherment": "key_encipherment",
    "dataencipherment": "data_encipherment",
    "keyagreement": "key_agreement",
    "certsign": "key_cert_sign",
    "crlsign": "crl_sign",
    "encipheronly": "encipher_only",
    "decipheronly": "decipher_only",
}
_EXTENDED = {  # RFC 5280, section 4.2.1.12, and what else Go names
    "any": Oid.ANY_EXTENDED_KEY_USAGE,
    "serverauth": Oid.SERVER_AUTH,
    "clientauth": Oid.CLIENT_AUTH,
    "codesigning": Oid.CODE_SIGNING,
    "emailprotection": Oid.EMAIL_PROTECTION,
    "ipsecendsystem": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.5"),
    "ipsectunnel": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.6"),
    "ipsecuser": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.7"),
    "timestamping": Oid.TIME_STAMPING,
    "ocspsigning": Oid.OCSP_SIGNING,
    "microsoftservergatedcrypto": x509.ObjectIdentifier("1.3.6.1.4.1.311.10.3.3"),
    "netscapeservergatedcrypto": x509.ObjectIdentifier("2.16.840.1.113730.4.1"),
    "microsoftcommercialcodesigning": x509.ObjectIdentifier("1.3.6.1.4.1.311.2.1.22"),
    "microsoftkernelcodesigning": x509.ObjectIdentifier("1.3.6.1.4.1.311.61.1.1"),
}
CA_USAGE = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
"""Signing certificates and CRLs, nothing else."""


def key_usage(names: Iterable[str]) -> x509.KeyUsage | None:
    """Return the extension for names such as "DigitalSignature" or "KeyUsageCertSign"; unknown ones are left out."""
    flags = {_USAGES[name] for name in _plain(names, "keyusage") if name in _USAGES}
    if not flags:
        return None
    if "key_agreement" not in flags:
        flags -= {"encipher_only", "decipher_only"}  # meaningless by themselves
    return x509.KeyUsage(**{flag: flag in flags for flag in _USAGES.values()})


def extended_key_usage(names: Iterable[str], oids: Iterable[str], *flags: str) -> x509.ExtendedKeyUsage | None:
    """Return the extension for names such as "ServerAuth", OIDs, and the role's flags as names."""
    wanted = {*flags, *_plain(names, "extkeyusage")}
    found = [oid for name, oid in _EXTENDED.items() if name in wanted]
    try:
        found += [x509.ObjectIdentifier(oid) for oid in oids]
    except ValueError:
        raise InvalidRequest("ext_key_usage_oids holds what is no object identifier") from None
    unique = list(dict.fromkeys(found))
    return x509.ExtendedKeyUsage(unique) if unique else None


def role_extended_key_usage(role: Role) -> x509.ExtendedKeyUsage | None:
    """Return the extension that a role asks for."""
    flags = {"serverauth": role.server_flag, "clientauth": role.client_flag, "codesigning": role.code_signing_flag,
             "emailprotection": role.email_protection_flag}  # fmt: skip
    wanted = [name for name, flag in flags.items() if flag]
    return extended_key_usage(role.ext_key_usage, role.ext_key_usage_oids, *wanted)


def _plain(names: Iterable[str], prefix: str) -> list[str]:
    return [name.strip().lower().removeprefix(prefix) for name in names]
