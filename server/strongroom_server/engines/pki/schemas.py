"""Bodies of the calls that make certificates (api-docs/secret/pki).

Nobody changes one, yet they are not frozen: making a frozen one took six times as long, with every certificate.
"""

from dataclasses import dataclass
from typing import Annotated

from strongroom_common.fields import Names, Seconds, Strings
from strongroom_common.secret import Secret
from strongroom_server.engines.pki.authority import AuthorityInput
from strongroom_server.engines.pki.role import DEFAULT_USAGES

_CERTIFICATE_HELP = "PEM of a certificate."


@dataclass
class CommonInput:
    """What every such call takes."""

    common_name: Annotated[str, "Common name."] = ""
    alt_names: Annotated[str, "Host names and e-mail addresses, with commas between."] = ""
    ip_sans: Annotated[Names, "IP addresses."] = Names(())
    uri_sans: Annotated[Names, "URIs."] = Names(())
    other_sans: Annotated[Names, 'Other names, as "OID;UTF8:value".'] = Names(())
    serial_number: Annotated[str, "Serial number in the subject (not the certificate's)."] = ""
    exclude_cn_from_sans: Annotated[bool, "Whether the common name is no alternative name."] = False
    ttl: Annotated[Seconds, "How long it is valid."] = Seconds(0)
    not_after: Annotated[str, "When it ends, RFC 3339; instead of a TTL."] = ""
    not_before: Annotated[str, "When it starts, RFC 3339."] = ""
    format: Annotated[str, '"pem", "der" (Base64) or "pem_bundle".'] = "pem"
    private_key_format: Annotated[str, '"der" is as "format" says; "pkcs8" is PKCS #8.'] = "der"


@dataclass
class LeafInput(CommonInput):
    """What issue and sign take beside."""

    user_ids: Annotated[Names, "User ids in the subject."] = Names(())
    issuer_ref: Annotated[str, "Ignored where the role names the issuer."] = ""
    remove_roots_from_chain: Annotated[bool, "Whether ca_chain leaves out self-signed certificates."] = False
    cert_metadata: Annotated[str, "Base64 that is kept beside the certificate."] = ""


@dataclass
class IssueInput(LeafInput):
    """Body of issue."""

    key_type: Annotated[str, "Key type, where the role allows any."] = ""
    key_bits: Annotated[int, "Key size, where the role allows any type."] = 0


@dataclass
class SignInput(LeafInput):
    """Body of sign."""

    csr: Annotated[str, "PEM of a request (PKCS #10)."] = ""


@dataclass
class VerbatimInput(SignInput):
    """Body of sign-verbatim."""

    key_usage: Annotated[Names, "Key usages, where the request names none."] = DEFAULT_USAGES
    ext_key_usage: Annotated[Names, "Extended key usages, where the request names none."] = Names(())
    ext_key_usage_oids: Annotated[Names, "Extended key usages by OID."] = Names(())
    signature_bits: Annotated[int, "Hash size of the signature."] = 0
    use_pss: Annotated[bool, "Whether an RSA issuer signs with PSS."] = False
    basic_constraints_valid_for_non_ca: Annotated[bool, "Whether the certificate says that it is no CA."] = False


@dataclass
class SubjectInput(CommonInput):
    """What calls for CAs take beside: the subject's fields."""

    country: Annotated[Names, "C of the subject."] = Names(())
    organization: Annotated[Names, "O of the subject."] = Names(())
    ou: Annotated[Names, "OU of the subject."] = Names(())
    locality: Annotated[Names, "L of the subject."] = Names(())
    province: Annotated[Names, "ST of the subject."] = Names(())
    street_address: Annotated[Names, "Street of the subject."] = Names(())
    postal_code: Annotated[Names, "Postal code of the subject."] = Names(())
    not_before_duration: Annotated[Seconds, "How long ago the certificate starts."] = Seconds(30)
    signature_bits: Annotated[int, "Hash size of the signature."] = 0
    use_pss: Annotated[bool, "Whether an RSA key signs with PSS."] = False

    @property
    def fields(self) -> dict[str, tuple[str, ...]]:
        """Return the subject's fields."""
        names = ("country", "organization", "ou", "locality", "province", "street_address", "postal_code")
        return {name: getattr(self, name) for name in names}


@dataclass
class NewKeyInput:
    """How a CA's key is made or found."""

    key_type: Annotated[str, '"rsa", "ec", "ed25519" or "mldsa".'] = "rsa"
    key_bits: Annotated[int, "Key size; 0 is the usual one of the type."] = 0
    key_name: Annotated[str | None, "Name for the key."] = None
    key_ref: Annotated[str, "Existing key, for the path existing."] = "default"
    external_key_ref: Annotated[str, "Must be empty: keys are made here, not found in a KMS."] = ""


@dataclass
class RootInput(SubjectInput, NewKeyInput, AuthorityInput):
    """Body of generate/root."""

    issuer_name: Annotated[str | None, "Name for the issuer."] = None


@dataclass
class CsrInput(SubjectInput, NewKeyInput):
    """Body of generate/intermediate."""

    add_basic_constraints: Annotated[bool, "Whether the request says that it is for a CA."] = False


@dataclass
class IntermediateInput(SubjectInput, AuthorityInput):
    """Body of sign-intermediate."""

    csr: Annotated[str, "PEM of a request (PKCS #10)."] = ""
    issuer_ref: Annotated[str, "Issuer to sign with."] = "default"
    use_csr_values: Annotated[bool, "Whether subject, names and extensions are the request's."] = False
    skid: Annotated[str, "Subject key identifier in hex, for keys whose identifier is made otherwise."] = ""
    issuer_name: Annotated[str, "Has no effect."] = ""


@dataclass
class SelfIssuedInput:
    """Body of sign-self-issued."""

    certificate: Annotated[str, "PEM of a self-issued certificate."] = ""
    issuer_ref: Annotated[str, "Issuer to sign with."] = "default"
    require_matching_certificate_algorithms: Annotated[bool, "Whether both keys must be of one type."] = False


@dataclass
class RevokeInput:
    """Body of revoke."""

    serial_number: Annotated[str, "Serial number in hex, with colons, hyphens or nothing between."] = ""
    certificate: Annotated[str, _CERTIFICATE_HELP] = ""


@dataclass
class RevokeWithKeyInput(RevokeInput):
    """Body of revoke-with-key."""

    private_key: Annotated[Secret[str], "PEM of the certificate's private key."] = Secret("")


@dataclass
class BundleInput:
    """Body of imports."""

    pem_bundle: Annotated[Secret[str], "PEM of certificates and keys."] = Secret("")


@dataclass
class SignedInput:
    """Body of intermediate/set-signed."""

    certificate: Annotated[str, "PEM of the signed certificate, perhaps with its chain."] = ""


@dataclass
class ListsInput:
    """Body of resign-crls."""

    crls: Annotated[Strings, "PEM of CRLs that the issuer's key signed."] = Strings(())
    crl_number: Annotated[int, "Number of the new CRL."] = 0
    delta_crl_base_number: Annotated[int, "Number that a delta CRL builds on; negative for a complete CRL."] = -1
    next_update: Annotated[str, "How long it is valid."] = "72h"
    format: Annotated[str, '"pem" or "der".'] = "pem"
