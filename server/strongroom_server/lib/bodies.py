"""What others answer over HTTP, read as far as was agreed, so that nobody can fill our memory."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiohttp import ClientResponse


async def read_body(answer: "ClientResponse", longest: int) -> bytes:
    """Return the whole body; raises ValueError where it has more than ``longest`` bytes."""
    raw = bytearray()
    async for chunk in answer.content.iter_any():
        raw += chunk
        if len(raw) > longest:
            raise ValueError("the answer is too long")
    return bytes(raw)
