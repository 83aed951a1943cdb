"""The OCSP responder (RFC 6960, appendix A: by GET and by POST)."""

from base64 import b64decode

from cryptography.x509.ocsp import OCSPRequest, OCSPResponseStatus

from strongroom_common.durations import parse_duration
from strongroom_server.engines.pki import ocsp
from strongroom_server.engines.pki.issuers import Issuer
from strongroom_server.engines.pki.mount import Mount
from strongroom_server.engines.pki.ocsp import Verdict
from strongroom_server.sdk.engine import read, write
from strongroom_server.sdk.request import Raw, Request, Response

_LONGEST = 2048  # bytes of a request, as the peer has it
_TYPE = "application/ocsp-response"


class OcspPaths(Mount):
    """Answers OCSP."""

    @read("ocsp/{asked:any}", public=True)
    @read("unified-ocsp/{asked:any}", public=True)
    async def ocsp_get(self, asked: str | None) -> Response:
        """Tell whether a certificate is revoked; the request is Base64 in the path."""
        try:
            raw = b64decode(asked or "", validate=True)
        except ValueError:
            raw = b""
        return await self._ocsp(raw)

    @write("ocsp", public=True)
    @write("unified-ocsp", public=True)
    async def ocsp_post(self, request: Request) -> Response:
        """Tell whether a certificate is revoked; the request is the body."""
        return await self._ocsp(request.body)

    async def _ocsp(self, raw: bytes) -> Response:
        config = await self.crls.config()
        if config.ocsp_disable:
            return _refused(OCSPResponseStatus.UNAUTHORIZED, 401)
        if not 0 < len(raw) <= _LONGEST:
            return _refused(OCSPResponseStatus.MALFORMED_REQUEST, 400)
        try:
            requests = ocsp.parse(raw)
            known = [await self._issuers_of(request) for request in requests]
        except ValueError:
            return _refused(OCSPResponseStatus.MALFORMED_REQUEST, 400)
        issuer = await self._responder([one for some in known for one in some])
        if issuer is None:
            return _refused(OCSPResponseStatus.UNAUTHORIZED, 401)
        # What another issuer has signed, only that one may speak of (RFC 6960, section 4.2.2.2).
        own = [some if issuer in some else [] for some in known]
        verdicts = [await self._verdict(request, some) for request, some in zip(requests, own, strict=True)]
        now = self.now
        span = (now, now + parse_duration(config.ocsp_expiry))
        key = await self.keys.private(issuer.key_id)
        answer = ocsp.answer(list(zip(requests, verdicts, strict=True)), issuer, key, span)
        return Response(raw=Raw(answer, _TYPE))

    async def _issuers_of(self, request: OCSPRequest) -> list[Issuer]:
        return [one for one in (await self.issuers.all()).values() if ocsp.is_issuer(request, one)]

    async def _responder(self, known: list[Issuer]) -> Issuer | None:
        """Return who signs: the issuer asked about, or the default one where that is not of this mount."""
        default = await self.issuers.default()
        candidates = known or ([default] if default is not None else [])
        return next((one for one in candidates if one.key_id and "ocsp-signing" in one.usage), None)

    async def _verdict(self, request: OCSPRequest, known: list[Issuer]) -> Verdict:
        if not known:
            return Verdict(None, known=False)
        entry = (await self.certs.revoked()).get(ocsp.asked_serial(request))
        ids = {issuer.id for issuer in known}
        return Verdict(entry if entry is not None and entry.issuer_id in {*ids, ""} else None)


def _refused(status: OCSPResponseStatus, code: int) -> Response:
    return Response(raw=Raw(ocsp.refusal(status), _TYPE, code))
