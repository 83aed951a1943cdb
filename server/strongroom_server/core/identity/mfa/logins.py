"""Logins that wait for their second factor: the password was right, and there is no token yet."""

from dataclasses import dataclass

from strongroom_common.clock import Clock
from strongroom_server.core.identity.fleeting import Fleeting
from strongroom_server.core.leases import fresh_nonce
from strongroom_server.sdk.request import Auth


@dataclass(frozen=True)
class Login:
    """A login up to the point where its token is made: ``mount`` and ``path`` are where, ``kind`` the token's."""

    auth: Auth
    mount: str
    path: str
    kind: str


class Waiting(Fleeting[Login]):
    """Logins by the id of their request."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock, most=10_000, fresh=fresh_nonce)
