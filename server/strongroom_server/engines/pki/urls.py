"""Where a certificate says that its issuer, its CRL and its OCSP responder are (AIA and CDP), with templates."""

import re
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from strongroom_common.fields import Names
from strongroom_server.engines.pki.building import Extension
from strongroom_server.sdk.errors import Internal, InvalidRequest

_FIELDS = ("issuing_certificates", "crl_distribution_points", "delta_crl_distribution_points", "ocsp_servers")
_STRANGE = re.compile(r'[\s"<>\\^`{|}]')
_TEMPLATE = re.compile(r"\{\{\s*(\w+)\s*\}\}")


class Urls(msgspec.Struct, frozen=True):
    """The mount's or an issuer's own.

    With templates, ``{{issuer_id}}``, ``{{cluster_path}}`` and ``{{cluster_aia_path}}`` are filled in for each
    certificate.
    """

    issuing_certificates: tuple[str, ...] = ()
    crl_distribution_points: tuple[str, ...] = ()
    delta_crl_distribution_points: tuple[str, ...] = ()
    ocsp_servers: tuple[str, ...] = ()
    enable_templating: bool = False

    @property
    def empty(self) -> bool:
        """Tell whether there is no URL at all."""
        return not any(getattr(self, field) for field in _FIELDS)

    def facts(self) -> dict[str, Any]:
        """Return what a read of config/urls shows."""
        return {field: getattr(self, field) for field in (*_FIELDS, "enable_templating")}


class Cluster(msgspec.Struct, frozen=True):
    """Where this cluster serves the mount: for ACME and templates, and for AIA URLs (perhaps a CDN)."""

    path: str = ""
    aia_path: str = ""


@dataclass(frozen=True)
class UrlsInput:
    """Body of a write of config/urls."""

    issuing_certificates: Annotated[Names, "Where the issuer's certificate is."] = Names(())
    crl_distribution_points: Annotated[Names, "Where the CRL is."] = Names(())
    delta_crl_distribution_points: Annotated[Names, "Where the delta CRL is."] = Names(())
    ocsp_servers: Annotated[Names, "Where OCSP is answered."] = Names(())
    enable_templating: Annotated[bool, "Whether the URLs hold templates."] = False


@dataclass(frozen=True)
class ClusterInput:
    """Body of a write of config/cluster."""

    path: Annotated[str, "URL of this mount on this cluster: https://host:8200/v1/pki."] = ""
    aia_path: Annotated[str, "URL for {{cluster_aia_path}} in templates."] = ""


def is_url(text: str) -> bool:
    """Tell whether ``text`` is a URL with a scheme and a host, of characters that URLs have (RFC 3986, section 2)."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme and parts.netloc) and text.isascii() and not _STRANGE.search(text)


def check_plain(urls: Urls) -> None:
    """Raise InvalidRequest for what is no URL."""
    for field in _FIELDS:
        for url in getattr(urls, field):
            if not is_url(url):
                raise InvalidRequest(
                    f"invalid URL found in Authority Information Access (AIA) parameter {field}: {url}"
                )


def template_warnings(urls: Urls, cluster: Cluster) -> list[str]:
    """Return what will go wrong with the templates as things are."""
    try:
        filled(urls, cluster, "empty")
    except Internal as error:
        return [f"issuance may fail: {error}\n\nConsider setting the cluster-local address if it is not already set."]
    return []


def filled(urls: Urls, cluster: Cluster, issuer_id: str) -> Urls:
    """Return the URLs with their templates filled in; raises Internal where that cannot be."""
    if not urls.enable_templating:
        return urls
    values = {"issuer_id": issuer_id, "cluster_path": cluster.path, "cluster_aia_path": cluster.aia_path}
    wanted = " ".join(" ".join(getattr(urls, field)) for field in _FIELDS)
    for name, setting in (("cluster_path", "path"), ("cluster_aia_path", "aia_path")):
        if f"{{{{{name}}}}}" in wanted.replace(" ", "") and not values[name]:
            raise Internal(f"unable to template AIA URLs as we lack local cluster address information ({setting})")
    changed = {field: tuple(_fill(url, values, field) for url in getattr(urls, field)) for field in _FIELDS}
    return msgspec.structs.replace(urls, **changed)


def _fill(url: str, values: dict[str, str], field: str) -> str:
    text = _TEMPLATE.sub(lambda match: values.get(match[1], match[0]), url)
    if not is_url(text):
        raise Internal(f"error validating templated {field}; invalid URI: {text}")
    return text


def extensions(urls: Urls) -> list[Extension]:
    """Return the extensions for filled-in URLs (RFC 5280, sections 4.2.2.1 and 4.2.1.13)."""
    access = [
        *(_access(AuthorityInformationAccessOID.OCSP, url) for url in urls.ocsp_servers),
        *(_access(AuthorityInformationAccessOID.CA_ISSUERS, url) for url in urls.issuing_certificates),
    ]
    found: list[Extension] = []
    if access:
        found.append((x509.AuthorityInformationAccess(access), False))
    if urls.crl_distribution_points:
        found.append((x509.CRLDistributionPoints(_points(urls.crl_distribution_points)), False))
    if urls.delta_crl_distribution_points:
        found.append((freshest_crl(urls.delta_crl_distribution_points), False))
    return found


def freshest_crl(urls: tuple[str, ...]) -> x509.FreshestCRL:
    """Return the extension that says where delta CRLs are."""
    return x509.FreshestCRL(_points(urls))


def _access(method: x509.ObjectIdentifier, url: str) -> x509.AccessDescription:
    return x509.AccessDescription(method, x509.UniformResourceIdentifier(url))


def _points(urls: tuple[str, ...]) -> list[x509.DistributionPoint]:
    return [x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None) for url in urls]
