"""Revocation lists from where an authority publishes them (RFC 5280, 4.2.1.13): the only I/O of this method."""

import logging
from typing import TYPE_CHECKING

from strongroom_server.auth.cert.schemas import Crl, read_crl
from strongroom_server.sdk.errors import InvalidRequest

if TYPE_CHECKING:
    from aiohttp import ClientResponse

log = logging.getLogger("auth.cert")

TIMEOUT = 30  # seconds
LONGEST = 32 << 20  # bytes


async def fetch(url: str) -> Crl:
    """Return the list at ``url``; raises InvalidRequest where there is none."""
    from aiohttp import ClientError, ClientSession, ClientTimeout

    try:
        async with ClientSession(timeout=ClientTimeout(total=TIMEOUT)) as session, session.get(url) as answer:
            answer.raise_for_status()
            raw = await _read(answer)
    except (ClientError, TimeoutError, OSError, ValueError) as error:
        log.warning("no revocation list from %s: %s", url, error)
        raise InvalidRequest(f"failed to fetch CRL from {url}") from error
    return read_crl(raw, url)


async def _read(answer: "ClientResponse") -> bytes:
    raw = bytearray()
    async for chunk in answer.content.iter_any():
        raw += chunk
        if len(raw) > LONGEST:
            raise ValueError("the list is too long")
    return bytes(raw)
