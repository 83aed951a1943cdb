"""Parameters for a new certificate out of one that there is: ``pki reissue``."""

from typing import Any

from strongroom_cli import x509

_SUBJECT = {
    "organization": "ORGANIZATION_NAME", "ou": "ORGANIZATIONAL_UNIT_NAME", "country": "COUNTRY_NAME",
    "locality": "LOCALITY_NAME", "province": "STATE_OR_PROVINCE_NAME", "street_address": "STREET_ADDRESS",
    "postal_code": "POSTAL_CODE",
}  # fmt: skip
_UTF8_STRING = 0x0C


def parameters(template: "x509.Certificate") -> dict[str, Any]:
    """Return the data of generate/intermediate and sign-intermediate that make a certificate like ``template``."""
    span = template.not_valid_after_utc - template.not_valid_before_utc
    found = {**_subject(template), **_names(template), **_key(template), "ttl": f"{int(span.total_seconds())}s"}
    constraints = x509.extension(template, "BasicConstraints")
    if constraints is not None and constraints.path_length is not None:
        found["max_path_length"] = constraints.path_length
    if limits := x509.extension(template, "NameConstraints"):
        found["permitted_dns_domains"] = ",".join(name.value for name in limits.permitted_subtrees or ())
    if template.signature_hash_algorithm is not None:
        found["signature_bits"] = template.signature_hash_algorithm.digest_size * 8
    return found


def _subject(template: "x509.Certificate") -> dict[str, Any]:
    from cryptography.x509 import NameOID

    def values(name: str) -> list[str]:
        return [str(one.value) for one in template.subject.get_attributes_for_oid(getattr(NameOID, name))]

    found: dict[str, Any] = {"common_name": "".join(values("COMMON_NAME")[:1])}
    found |= {field: ",".join(texts) for field, name in _SUBJECT.items() if (texts := values(name))}
    if numbers := values("SERIAL_NUMBER"):
        found["serial_number"] = numbers[0]
    return found


def _names(template: "x509.Certificate") -> dict[str, Any]:
    from cryptography import x509 as library

    names = x509.extension(template, "SubjectAlternativeName")
    if names is None:
        return {"exclude_cn_from_sans": True}
    plain = [*names.get_values_for_type(library.DNSName), *names.get_values_for_type(library.RFC822Name)]
    found = {
        "alt_names": plain,
        "ip_sans": [str(one) for one in names.get_values_for_type(library.IPAddress)],
        "uri_sans": names.get_values_for_type(library.UniformResourceIdentifier),
        "other_sans": [_other(one) for one in names.get_values_for_type(library.OtherName)],
    }
    return {field: ",".join(texts) for field, texts in found.items() if texts}


def _other(name: Any) -> str:
    """Return an other name as the API takes it; its value is a short UTF8String."""
    raw: bytes = name.value
    text = raw[2:] if raw[:1] == bytes([_UTF8_STRING]) and raw[1] < 0x80 else raw[3:]
    return f"{name.type_id.dotted_string};UTF8:{text.decode()}"


def _key(template: "x509.Certificate") -> dict[str, Any]:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    key = template.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return {"key_type": "rsa", "key_bits": key.key_size}
    if isinstance(key, ec.EllipticCurvePublicKey):
        return {"key_type": "ec", "key_bits": key.key_size}
    if (name := type(key).__name__).startswith("MLDSA"):
        return {"key_type": "mldsa", "key_bits": int(name[5:7])}
    return {"key_type": "ed25519"}
