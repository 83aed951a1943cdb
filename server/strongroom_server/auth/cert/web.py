"""What authorities publish of their certificates, over HTTP: the only I/O of this method besides storage."""

import logging

from strongroom_server.auth.cert.schemas import Crl, read_crl
from strongroom_server.lib.bodies import read_body
from strongroom_server.sdk.errors import InvalidRequest, UpstreamError

log = logging.getLogger("auth.cert")

TIMEOUT = 30  # seconds for a list
SOON = 5  # seconds for a responder, which a login waits for
LONGEST = 32 << 20  # bytes
_OCSP = {"Content-Type": "application/ocsp-request"}


async def fetch_crl(url: str) -> Crl:
    """Return the revocation list at ``url`` (RFC 5280, 4.2.1.13); raises InvalidRequest where there is none."""
    try:
        raw = await _ask(url, None, TIMEOUT)
    except UpstreamError as error:
        raise InvalidRequest(f"failed to fetch CRL from {url}") from error
    return read_crl(raw, url)


async def ask_responder(url: str, question: bytes) -> bytes:
    """Return a responder's answer, in DER (RFC 6960, appendix A); raises UpstreamError where there is none."""
    return await _ask(url, question, SOON)


async def _ask(url: str, body: bytes | None, seconds: float) -> bytes:
    from aiohttp import ClientError, ClientSession, ClientTimeout

    method, headers = ("GET", {}) if body is None else ("POST", _OCSP)
    try:
        async with (
            ClientSession(timeout=ClientTimeout(total=seconds)) as session,
            session.request(method, url, data=body, headers=headers) as answer,
        ):
            answer.raise_for_status()
            return await read_body(answer, LONGEST)
    except (ClientError, TimeoutError, OSError, ValueError) as error:
        log.warning("nothing from %s: %s", url, error)
        raise UpstreamError(f"{url} cannot be asked") from error
