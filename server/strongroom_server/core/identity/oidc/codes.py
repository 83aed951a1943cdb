"""Authorization codes: what was granted, until the client comes for it (RFC 6749, 4.1)."""

from dataclasses import dataclass
from functools import partial

from strongroom_common.clock import Clock
from strongroom_server.core.identity.fleeting import Fleeting
from strongroom_server.core.tokens import random_text


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


class Codes(Fleeting[Grant]):
    """Grants by code. Security 1: a code is good once, whatever comes of it (RFC 6749, 10.5)."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock, most=100_000, fresh=partial(random_text, 32))
