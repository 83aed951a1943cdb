"""Roles, revocation lists and the configuration of logins by TLS certificate (api-docs/auth/cert)."""

import base64
from dataclasses import dataclass, replace
from typing import Annotated, Any

from cryptography import x509

from strongroom_common.fields import Names
from strongroom_server.auth.cert.names import extension_rule
from strongroom_server.lib import tokenparams
from strongroom_server.lib.timestamps import timestamp
from strongroom_server.lib.tokenparams import TokenParams
from strongroom_server.lib.x509 import load_certificates, pem_blocks
from strongroom_server.sdk.errors import InvalidRequest


@dataclass(frozen=True)
class Role(TokenParams):
    """Whose certificates may log in, and what they get."""

    certificate: Annotated[str, "PEM certificates: authorities, or those of the clients themselves."] = ""
    display_name: Annotated[str, "Display name of the tokens; else the role's name."] = ""
    allowed_names: Annotated[Names, "Globs, of which one must fit the common name or an alternative name."] = Names(())
    allowed_common_names: Annotated[Names, "Globs, of which one must fit the common name."] = Names(())
    allowed_dns_sans: Annotated[Names, "Globs, of which one must fit a DNS name."] = Names(())
    allowed_email_sans: Annotated[Names, "Globs, of which one must fit an e-mail address."] = Names(())
    allowed_uri_sans: Annotated[Names, "Globs, of which one must fit a URI."] = Names(())
    allowed_organizational_units: Annotated[Names, "Globs, of which one must fit an organizational unit."] = Names(())
    required_extensions: Annotated[Names, 'Extensions that must be there: "OID:glob" or "hex:OID:glob".'] = Names(())
    allowed_metadata_extensions: Annotated[Names, "OIDs of extensions that become metadata."] = Names(())
    ocsp_enabled: Annotated[bool, "Whether the authority's OCSP responders are asked at each login."] = False
    ocsp_ca_certificates: Annotated[str, "PEM certificates that responders may sign with besides the authority's."] = ""
    ocsp_servers_override: Annotated[Names, "URLs of responders; else those that a certificate names."] = Names(())
    ocsp_fail_open: Annotated[bool, "Whether a certificate passes that no responder knows of."] = False
    ocsp_query_all_servers: Annotated[bool, "Whether all responders must let it pass, and not the first."] = False


def trusted_certificates(role: Role) -> tuple[x509.Certificate, ...]:
    """Return the certificates that a role trusts; raises InvalidRequest where there are none."""
    try:
        found = load_certificates([block for label, block in pem_blocks(role.certificate) if label == "CERTIFICATE"])
    except ValueError:
        found = []
    if not found:
        raise InvalidRequest("failed to parse certificate")
    return tuple(found)


def check_role(role: Role) -> None:
    """Refuse a role that cannot work."""
    trusted_certificates(role)
    for text in role.required_extensions:
        extension_rule(text)
    for oid in role.allowed_metadata_extensions:
        try:
            x509.ObjectIdentifier(oid)
        except ValueError:
            raise InvalidRequest(f"allowed_metadata_extensions: {oid!r} is no object identifier") from None
    try:
        if role.ocsp_ca_certificates:
            x509.load_pem_x509_certificates(role.ocsp_ca_certificates.encode())
    except ValueError:
        raise InvalidRequest("ocsp_ca_certificates: expected certificates in PEM form") from None


_NONE_IF_EMPTY = (
    "allowed_names", "allowed_common_names", "allowed_dns_sans", "allowed_email_sans", "allowed_uri_sans",
    "allowed_organizational_units", "required_extensions", "allowed_metadata_extensions", "ocsp_servers_override",
)  # fmt: skip


def role_facts(role: Role) -> dict[str, Any]:
    """Return what a read of a role shows."""
    facts = tokenparams.shown(role)
    return facts | {name: facts[name] or None for name in _NONE_IF_EMPTY}


@dataclass(frozen=True)
class Config:
    """What holds for the whole mount."""

    disable_binding: Annotated[bool, "Whether a token may be renewed without the certificate of its login."] = False
    enable_identity_alias_metadata: Annotated[bool, "Whether metadata goes to the identity's alias too."] = False
    ocsp_cache_size: Annotated[int, "Kept; each login asks."] = 100


def check_config(config: Config) -> None:
    """Refuse what cannot be, in Vault's words."""
    if not 2 <= config.ocsp_cache_size <= 100_000:
        raise InvalidRequest("invalid cache size, must be >= 2 and <= 100000")


@dataclass(frozen=True)
class CrlInput:
    """Body of a write of a revocation list."""

    crl: Annotated[str, "The list, in PEM or base64 DER."] = ""
    url: Annotated[str, "Where the list is published; it is fetched anew when its time is over."] = ""


@dataclass(frozen=True)
class Crl:
    """What one list revokes: serial numbers in decimal. One with a ``url`` is good until ``ends`` (epoch seconds)."""

    serials: frozenset[str]
    url: str = ""
    ends: float = 0

    def facts(self) -> dict[str, Any]:
        """Return what a read of the list shows."""
        serials: dict[str, Any] = {serial: {} for serial in sorted(self.serials, key=int)}
        if not self.url:
            return {"serials": serials}
        return {"serials": serials, "cdp": {"url": self.url, "valid_until": timestamp(self.ends)}}


def given_crl(text: str) -> Crl:
    """Return what a given list revokes; raises InvalidRequest. When it ends does not matter, as in Vault."""
    try:
        raw = text.encode() if "-----BEGIN" in text else base64.b64decode(text, validate=True)
    except ValueError:
        raw = b""
    return replace(read_crl(raw), ends=0)


def read_crl(raw: bytes, url: str = "") -> Crl:
    """Return what a list in PEM or DER revokes; raises InvalidRequest."""
    try:
        crl = x509.load_pem_x509_crl(raw) if b"-----BEGIN" in raw else x509.load_der_x509_crl(raw)
    except ValueError:
        raise InvalidRequest("failed to parse CRL: expected PEM or DER") from None
    ends = crl.next_update_utc
    return Crl(frozenset(str(revoked.serial_number) for revoked in crl), url, ends.timestamp() if ends else 0)


@dataclass(frozen=True)
class Login:
    """Body of a login."""

    name: Annotated[str, "Role to log in with; else all are tried."] = ""
