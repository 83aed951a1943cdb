"""Authorization codes: what was granted, until the client comes for it (RFC 6749, 4.1). In memory alone: a code lives
five minutes, and a client whose code is lost with the server asks its user again.
"""

from dataclasses import dataclass

from strongroom_common.clock import Clock
from strongroom_server.core.tokens import random_text

LIFETIME = 300
_MOST = 100_000


@dataclass(frozen=True)
class Grant:
    """What a code stands for. ``auth_time`` (epoch seconds) is 0 where nobody asked for it."""

    provider: str
    client_id: str
    entity_id: str
    redirect_uri: str
    scopes: tuple[str, ...]
    nonce: str
    auth_time: int
    challenge: str
    challenge_method: str


class Codes:
    """Grants by code. Security 1: a code is good once, whatever comes of it (RFC 6749, 10.5)."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._grants: dict[str, tuple[float, Grant]] = {}

    def keep(self, grant: Grant) -> str:
        """Return a fresh code for ``grant``."""
        now = self._clock.now()
        while self._grants:  # they lie in the order of their ends
            oldest, (end, _) = next(iter(self._grants.items()))
            if end > now and len(self._grants) < _MOST:
                break
            del self._grants[oldest]
        code = random_text(32)
        self._grants[code] = now + LIFETIME, grant
        return code

    def take(self, code: str) -> Grant | None:
        """Return what ``code`` stands for, and end it; None where it is unknown or too old."""
        end, grant = self._grants.pop(code, (0.0, None))
        return grant if end > self._clock.now() else None
