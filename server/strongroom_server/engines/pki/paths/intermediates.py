"""Intermediates: requests to be signed elsewhere, and what comes back; imports of issuers and keys."""

from typing import Any

from strongroom_common.fields import Given
from strongroom_server.engines.pki import answers, building, leaves
from strongroom_server.engines.pki.bundles import parse_bundle, take_in
from strongroom_server.engines.pki.paths.roots import RootPaths
from strongroom_server.engines.pki.schemas import BundleInput, CsrInput, SignedInput
from strongroom_server.lib.signing import Signing
from strongroom_server.lib.x509 import pem_blocks
from strongroom_server.sdk.engine import write
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.request import Response

_KEYS_NOT_ALLOWED = "private keys found in the PEM bundle but not allowed by the path; use /issuers/import/bundle"


class IntermediatePaths(RootPaths):
    """Makes requests for CAs, takes in issuers."""

    @write("intermediate/generate/{exported}")
    @write("issuers/generate/intermediate/{exported}")
    async def generate_intermediate(self, exported: str, given: Given[CsrInput]) -> Response:
        """Make a request for a CA: with a new key (internal, exported) or an existing one."""
        return await self._request(exported, given)

    @write("intermediate/cross-sign")
    async def cross_sign(self, given: Given[CsrInput]) -> Response:
        """Make a request for a CA with an existing key, to have another CA sign it too."""
        return await self._request("existing", given)

    @write("intermediate/set-signed")
    async def set_signed(self, given: Given[SignedInput]) -> Response:
        """Take in the signed certificate of a request that was made here."""
        return await self._import(_certificates_only(given.value.certificate))

    @write("issuers/import/cert")
    async def import_certificates(self, given: Given[BundleInput]) -> Response:
        """Take in certificates of issuers."""
        return await self._import(_certificates_only(given.value.pem_bundle.reveal()))

    @write("issuers/import/bundle")
    @write("config/ca")
    async def import_bundle(self, given: Given[BundleInput]) -> Response:
        """Take in issuers and keys."""
        return await self._import(given.value.pem_bundle.reveal())

    async def _request(self, exported: str, given: Given[CsrInput]) -> Response:
        body = given.value
        answers.check_format(body.format)
        async with self.changing:
            private, key_name = await self.ca_key(exported, body, given.sent)
            names = leaves.requested_names(body)._replace(fields=body.fields)
            signing = Signing(body.signature_bits, body.use_pss)
            csr = building.request(names, private, signing, as_ca=body.add_basic_constraints)
            key, _ = await self.keys.add(private, key_name)
        data: dict[str, Any] = {"csr": answers.shown(csr, body.format), "key_id": key.id}
        if exported == "exported":
            data |= answers.key_facts(private, body.format, body.private_key_format)
            if body.format == "pem_bundle":
                data["csr"] = f"{data['private_key']}\n{data['csr']}"
        return Response(data, warnings=await self.pointer_warnings(below=True))

    async def _import(self, text: str) -> Response:
        if not text.strip():
            raise InvalidRequest("'pem_bundle' and 'certificate' parameters were empty")
        bundle = parse_bundle(text)
        async with self.changing:
            result = await take_in(bundle, self.issuers, self.keys)
        warnings = [*result.warnings, *await self.pointer_warnings()]
        if result.issuers or result.keys:
            warnings += await self.rebuild_crls()
        return Response(result.facts(), warnings=warnings)


def _certificates_only(text: str) -> str:
    if any(label.endswith("PRIVATE KEY") for label, _ in pem_blocks(text)):
        raise InvalidRequest(_KEYS_NOT_ALLOWED)
    return text
