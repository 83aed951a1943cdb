"""Logins that wait for their second factor: the password was right, and there is no token yet. In memory alone: they
live five minutes.
"""

from dataclasses import dataclass

from strongroom_common.clock import Clock
from strongroom_server.core.leases import fresh_nonce
from strongroom_server.sdk.request import Auth

LIFETIME = 300
_MOST = 10_000


@dataclass(frozen=True)
class Login:
    """A login up to the point where its token is made: ``mount`` and ``path`` are where, ``kind`` the token's."""

    auth: Auth
    mount: str
    path: str
    kind: str


class Waiting:
    """Logins by the id of their request."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._logins: dict[str, tuple[float, Login]] = {}

    def keep(self, login: Login) -> str:
        """Return the id that the login can be finished by."""
        now = self._clock.now()
        while self._logins:  # they lie in the order of their ends
            oldest, (end, _) = next(iter(self._logins.items()))
            if end > now and len(self._logins) < _MOST:
                break
            del self._logins[oldest]
        request_id = fresh_nonce()
        self._logins[request_id] = now + LIFETIME, login
        return request_id

    def find(self, request_id: str) -> Login | None:
        """Return a login that waits still, or None."""
        end, login = self._logins.get(request_id, (0.0, None))
        return login if end > self._clock.now() else None

    def take(self, request_id: str) -> Login | None:
        """As ``find``, and it waits no more: of two who finish it at once, one gets it."""
        login = self.find(request_id)
        self._logins.pop(request_id, None)
        return login
