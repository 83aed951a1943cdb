"""What anyone may fetch: certificates of issuers and of others, chains, CRLs; as DER, PEM and JSON."""

from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any, NamedTuple

from cryptography import x509

from strongroom_common.fields import Given
from strongroom_server.engines.pki.issuers import Issuer, chain_of
from strongroom_server.engines.pki.mount import Mount
from strongroom_server.lib.folders import Page, keys
from strongroom_server.lib.x509 import der, key_bits, key_kind, normal_serial, pem, zulu
from strongroom_server.sdk.engine import list_, read
from strongroom_server.sdk.errors import Internal, InvalidRequest, NotFound
from strongroom_server.sdk.request import Raw, Request, Response

_CERTIFICATE, _CHAIN = "application/pkix-cert", "application/pem-certificate-chain"
_CRL, _CRL_PEM = "application/pkix-crl", "application/x-pem-file"
_NOT_REVOKED = {"revocation_time": 0, "revocation_time_rfc3339": ""}


class FetchPaths(Mount):
    """Hands out certificates and CRLs."""

    @read("ca", public=True)
    @read("cert/ca/raw", public=True)
    async def ca(self, request: Request) -> Response:
        """Fetch the default issuer's certificate as DER."""
        issuer = await self.issuers.default()
        return await self._dated(request, _raw(der(issuer.x509) if issuer else None, _CERTIFICATE))

    @read("ca/pem", public=True)
    @read("cert/ca/raw/pem", public=True)
    async def ca_pem(self, request: Request) -> Response:
        """Fetch the default issuer's certificate as PEM."""
        issuer = await self.issuers.default()
        return await self._dated(request, _raw(issuer.certificate.encode() if issuer else None, _CHAIN))

    @read("ca_chain", public=True)
    async def ca_chain(self, request: Request) -> Response:
        """Fetch the default issuer's chain as PEM."""
        issuer = await self.issuers.default()
        return await self._dated(request, _raw((await self._chain(issuer)).encode() if issuer else None, _CERTIFICATE))

    @read("cert/ca", public=True)
    async def ca_json(self, request: Request) -> Response:
        """Read the default issuer's certificate."""
        facts = {"certificate": (await self._default()).certificate, **_NOT_REVOKED}
        return await self._dated(request, Response(facts))

    @read("cert/ca_chain", public=True)
    async def ca_chain_json(self, request: Request) -> Response:
        """Read the default issuer's chain."""
        chain = await self._chain(await self._default())
        return await self._dated(request, Response({"ca_chain": chain, "certificate": chain, **_NOT_REVOKED}))

    @read("crl", public=True)
    @read("crl/pem", public=True)
    @read("crl/delta", public=True)
    @read("crl/delta/pem", public=True)
    @read("unified-crl", public=True)
    @read("unified-crl/pem", public=True)
    @read("unified-crl/delta", public=True)
    @read("unified-crl/delta/pem", public=True)
    async def crl(self, request: Request) -> Response:
        """Fetch the default issuer's CRL, complete or delta, as DER or PEM."""
        issuer = await self.issuers.default()
        as_pem = request.path.rstrip("/").endswith("/pem")
        found = await self._crl(issuer, delta="/delta" in request.path) if issuer else None
        if found is None:
            return _raw(None, _CRL_PEM if as_pem else _CRL)
        raw = _crl_pem(found.raw).encode() if as_pem else found.raw
        return _dated(request, _raw(raw, _CRL_PEM if as_pem else _CRL), found.made)

    @read("cert/crl", public=True)
    @read("cert/delta-crl", public=True)
    @read("cert/unified-crl", public=True)
    @read("cert/unified-delta-crl", public=True)
    async def crl_json(self, request: Request) -> Response:
        """Read the default issuer's CRL."""
        issuer = await self._issuer_to_show("default")
        found = await self._crl(issuer, delta="delta" in request.path)
        if found is None:
            raise NotFound
        return _dated(request, Response({"certificate": _crl_pem(found.raw), **_NOT_REVOKED}), found.made)

    @read("cert/{serial:hex}", public=True)
    async def cert(self, serial: str) -> dict[str, Any]:
        """Read a certificate."""
        serial = normal_serial(serial)
        certificate = await self.certs.find(serial)
        if certificate is None:
            raise NotFound
        revoked = (await self.certs.revoked()).get(serial)
        facts: dict[str, Any] = {"certificate": pem(certificate)}
        if revoked is None:
            return facts | _NOT_REVOKED
        return facts | revoked.facts() | ({"issuer_id": revoked.issuer_id} if revoked.issuer_id else {})

    @read("cert/{serial:hex}/raw", public=True)
    async def cert_raw(self, serial: str) -> Response:
        """Fetch a certificate as DER."""
        certificate = await self.certs.find(normal_serial(serial))
        return _raw(der(certificate) if certificate else None, _CERTIFICATE)

    @read("cert/{serial:hex}/raw/pem", public=True)
    async def cert_raw_pem(self, serial: str) -> Response:
        """Fetch a certificate as PEM."""
        certificate = await self.certs.find(normal_serial(serial))
        return _raw(pem(certificate).encode() if certificate else None, _CHAIN)

    @read("issuer/{issuer_ref}/json", public=True)
    async def issuer_json(self, issuer_ref: str, request: Request) -> Response:
        """Read an issuer's certificate and chain."""
        issuer = await self._issuer_to_show(issuer_ref)
        chain = chain_of(issuer, await self.issuers.all())
        facts = {
            "ca_chain": [f"{one.certificate}\n" for one in chain],
            "certificate": f"{issuer.certificate}\n",
            "issuer_id": issuer.id,
            "issuer_name": issuer.name,
        }
        return await self._dated(request, Response(facts))

    @read("issuer/{issuer_ref}/pem", public=True)
    async def issuer_pem(self, issuer_ref: str, request: Request) -> Response:
        """Fetch an issuer's certificate as PEM."""
        issuer = await self._issuer_to_show(issuer_ref)
        return await self._dated(request, _raw(f"{issuer.certificate}\n".encode(), _CHAIN))

    @read("issuer/{issuer_ref}/der", public=True)
    async def issuer_der(self, issuer_ref: str, request: Request) -> Response:
        """Fetch an issuer's certificate as DER."""
        issuer = await self._issuer_to_show(issuer_ref)
        return await self._dated(request, _raw(der(issuer.x509), _CERTIFICATE))

    @read("issuer/{issuer_ref}/crl", public=True)
    @read("issuer/{issuer_ref}/crl/delta", public=True)
    @read("issuer/{issuer_ref}/unified-crl", public=True)
    @read("issuer/{issuer_ref}/unified-crl/delta", public=True)
    async def issuer_crl(self, issuer_ref: str, request: Request) -> Response:
        """Read an issuer's CRL."""
        found = await self._issuer_crl(issuer_ref, request)
        return _dated(request, Response({"crl": f"{_crl_pem(found.raw)}\n"}), found.made)

    @read("issuer/{issuer_ref}/crl/pem", public=True)
    @read("issuer/{issuer_ref}/crl/delta/pem", public=True)
    @read("issuer/{issuer_ref}/unified-crl/pem", public=True)
    @read("issuer/{issuer_ref}/unified-crl/delta/pem", public=True)
    async def issuer_crl_pem(self, issuer_ref: str, request: Request) -> Response:
        """Fetch an issuer's CRL as PEM."""
        found = await self._issuer_crl(issuer_ref, request)
        return _dated(request, _raw(f"{_crl_pem(found.raw)}\n".encode(), _CRL_PEM), found.made)

    @read("issuer/{issuer_ref}/crl/der", public=True)
    @read("issuer/{issuer_ref}/crl/delta/der", public=True)
    @read("issuer/{issuer_ref}/unified-crl/der", public=True)
    @read("issuer/{issuer_ref}/unified-crl/delta/der", public=True)
    async def issuer_crl_der(self, issuer_ref: str, request: Request) -> Response:
        """Fetch an issuer's CRL as DER."""
        found = await self._issuer_crl(issuer_ref, request)
        return _dated(request, _raw(found.raw, _CRL), found.made)

    @list_("certs")
    async def list_certs(self, page: Given[Page]) -> dict[str, Any]:
        """List the serial numbers of the certificates."""
        return keys(page.value.cut(await self.certs.serials()))

    @list_("certs/revoked")
    @list_("certs/unified-revoked")
    async def list_revoked(self, page: Given[Page]) -> dict[str, Any]:
        """List the serial numbers of the revoked certificates."""
        return keys(page.value.cut(await self.certs.serials("revoked")))

    @list_("certs/detailed")
    async def list_details(self, page: Given[Page]) -> dict[str, Any]:
        """List the certificates with what they are for."""
        shown = keys(page.value.cut(await self.certs.serials()))
        found = {serial: await self.certs.find(serial) for serial in shown["keys"]}
        return shown | {"key_info": {serial: _details(one) for serial, one in found.items() if one is not None}}

    @list_("cert-metadata")
    async def list_metadata(self, page: Given[Page]) -> dict[str, Any]:
        """List the serial numbers of the certificates with metadata."""
        return keys(page.value.cut(await self.certs.serials("metadata")))

    @read("cert-metadata/{serial:hex}")
    async def read_metadata(self, serial: str) -> dict[str, Any]:
        """Read the metadata of a certificate."""
        serial = normal_serial(serial)
        metadata = await self.certs.metadata(serial)
        if metadata is None:
            raise NotFound
        return metadata.facts(serial)

    async def _default(self) -> Issuer:
        issuer = await self.issuers.default()
        if issuer is None:
            raise InvalidRequest("no default issuer currently configured")
        return issuer

    async def _chain(self, issuer: Issuer) -> str:
        return "\n".join(one.certificate for one in chain_of(issuer, await self.issuers.all()))

    async def _dated(self, request: Request, response: Response) -> Response:
        """Return what is made of issuers, unless the client has it already."""
        return _dated(request, response, (await self.issuers.config()).modified)

    async def _issuer_to_show(self, ref: str) -> Issuer:
        """Return an issuer to show; where there is none these paths say so plainly, as Vault's do."""
        try:
            return await self.issuers.find(ref)
        except Internal as error:
            error.counted = False
            raise

    async def _crl(self, issuer: Issuer, *, delta: bool) -> "_Made | None":
        crl = await self.crls.of(issuer)
        if crl is None:
            return None
        return _Made(crl.delta, crl.delta_made) if delta else _Made(crl.complete, crl.made)

    async def _issuer_crl(self, ref: str, request: Request) -> "_Made":
        found = await self._crl(await self._issuer_to_show(ref), delta="crl/delta" in request.path)
        if found is None:
            raise Internal(f"no CRL for issuer {ref}")
        return found


class _Made(NamedTuple):
    """A CRL in DER, and when it was made."""

    raw: bytes
    made: float


def _dated(request: Request, response: Response, modified: float) -> Response:
    """Return the response with its date, or that nothing has changed since (RFC 9110, section 13.1.3).

    A date that cannot be read is as none.
    """
    if not modified:
        return response
    dated = {"Last-Modified": format_datetime(datetime.fromtimestamp(modified, UTC), usegmt=True)}
    try:
        since = parsedate_to_datetime(request.headers.get("If-Modified-Since", "")).timestamp()
    except (ValueError, OverflowError):
        since = -1
    if int(modified) <= since:
        return Response(raw=Raw(b"", "application/octet-stream", 304), headers=dated)
    response.headers |= dated
    return response


def _raw(body: bytes | None, kind: str) -> Response:
    return Response(raw=Raw(body or b"", kind, 200 if body is not None else 204))


def _crl_pem(raw: bytes) -> str:
    return pem(x509.load_der_x509_crl(raw))


def _details(certificate: x509.Certificate) -> dict[str, Any]:
    names: Sequence[str] | None = None
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = found.get_values_for_type(x509.DNSName) or None
    except x509.ExtensionNotFound:
        names = None
    common = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    key = certificate.public_key()
    return {
        "common_name": common[0].value if common else "",
        "dns_names": names,
        "issuer": certificate.issuer.rfc4514_string(),
        "key_bits": key_bits(key),
        "key_type": key_kind(key),
        "not_after": zulu(certificate.not_valid_after_utc),
        "not_before": zulu(certificate.not_valid_before_utc),
    }
