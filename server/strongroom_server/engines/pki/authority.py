"""What makes a certificate a CA's: how far it may delegate, for which names, and what else its key is for. Pure."""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from cryptography import x509

from strongroom_common.fields import Names
from strongroom_server.engines.pki import usages
from strongroom_server.engines.pki.building import Extension
from strongroom_server.engines.pki.subject import HOSTNAME
from strongroom_server.sdk.errors import InvalidRequest


@dataclass
class AuthorityInput:
    """What calls that make CAs take: the path length and the name constraints (RFC 5280, 4.2.1.9 and 4.2.1.10)."""

    max_path_length: Annotated[int, "How many CAs may be below; negative is any number."] = -1
    permitted_dns_domains: Annotated[Names, "Domains that certificates below may be for."] = Names(())
    excluded_dns_domains: Annotated[Names, "Domains that they may not be for."] = Names(())
    permitted_ip_ranges: Annotated[Names, "Networks that certificates below may be for, as 10.0.0.0/8."] = Names(())
    excluded_ip_ranges: Annotated[Names, "Networks that they may not be for."] = Names(())
    permitted_email_addresses: Annotated[Names, "Addresses or hosts of e-mail that they may be for."] = Names(())
    excluded_email_addresses: Annotated[Names, "Addresses or hosts of e-mail that they may not be for."] = Names(())
    permitted_uri_domains: Annotated[Names, "Hosts of URIs that they may be for."] = Names(())
    excluded_uri_domains: Annotated[Names, "Hosts of URIs that they may not be for."] = Names(())
    key_usage: Annotated[Names, "DigitalSignature, if the CA's key shall be for that too."] = Names(())
    ext_key_usage: Annotated[Names, "Extended key usages that certificates below may be for."] = Names(())
    ext_key_usage_oids: Annotated[Names, "The same by OID."] = Names(())


def ca_extensions(body: AuthorityInput, max_path_length: int, usage: x509.KeyUsage | None = None) -> list[Extension]:
    """Return the extensions of a CA; a negative path length is none. ``usage`` is what a request wants beside.

    Raises InvalidRequest for names that are none.
    """
    length = max_path_length if max_path_length >= 0 else None
    extensions: list[Extension] = [
        (_usage(body, usage), True),
        (x509.BasicConstraints(ca=True, path_length=length), True),
    ]
    extended = usages.extended_key_usage(body.ext_key_usage, body.ext_key_usage_oids)
    if extended is not None:
        extensions.append((extended, False))
    permitted, excluded = _subtrees(body, "permitted"), _subtrees(body, "excluded")
    if permitted or excluded:
        extensions.append((x509.NameConstraints(permitted or None, excluded or None), True))
    return extensions


def _usage(body: AuthorityInput, asked: x509.KeyUsage | None) -> x509.KeyUsage:
    """Return the key usage: that of CAs, and signing where it is wished for; nothing takes anything away."""
    named = usages.key_usage(body.key_usage)
    digital = any(one is not None and one.digital_signature for one in (named, asked))
    committed = asked is not None and asked.content_commitment
    return x509.KeyUsage(digital, committed, False, False, False, True, True, False, False)


def _subtrees(body: AuthorityInput, kind: str) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = []
    for field, make in _MAKERS.items():
        for text in getattr(body, f"{kind}_{field}"):
            try:
                found.append(make(text))
            except ValueError as error:
                raise InvalidRequest(f"{kind}_{field}: {text!r}: {error}") from None
    return found


def _domain(text: str) -> x509.DNSName:
    return x509.DNSName(_host(text))


def _host(text: str) -> str:
    if "*" in text or not HOSTNAME.fullmatch(text.removeprefix(".")):
        raise ValueError("expected a domain")
    return text


def _mail(text: str) -> x509.RFC822Name:
    _host(text.rpartition("@")[2])
    return x509.RFC822Name(text)


def _uri(text: str) -> x509.UniformResourceIdentifier:
    """Return a host: RFC 5280 constrains nothing else of URIs."""
    return x509.UniformResourceIdentifier(_host(text))


def _network(text: str) -> x509.IPAddress:
    if "/" not in text:
        raise ValueError("expected a network such as 10.0.0.0/8")
    return x509.IPAddress(ipaddress.ip_network(text, strict=False))


_MAKERS: dict[str, Callable[[str], x509.GeneralName]] = {
    "dns_domains": _domain,
    "ip_ranges": _network,
    "email_addresses": _mail,
    "uri_domains": _uri,
}
