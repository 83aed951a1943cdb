"""TokenReview: the API server says whether a token is good and whose it is (authentication.k8s.io/v1).

Answers are kept for a short while, so that a herd of logins does not become a herd of reviews. Kept is a hash of the
token, never the token.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from strongroom_common.clock import Clock
from strongroom_server.auth.kubernetes.claims import Account, audiences_of
from strongroom_server.lib.locks import KeyedLocks
from strongroom_server.sdk.errors import PermissionDenied

if TYPE_CHECKING:
    from strongroom_server.auth.kubernetes.api import ApiServer
    from strongroom_server.auth.kubernetes.schemas import Config

KEPT = 60  # seconds an accepted token is remembered; never beyond its end
REFUSED = 5  # seconds a refused one is
MOST = 10_000  # answers kept at a time
Claims = Mapping[str, Any]
PATH = "/apis/authentication.k8s.io/v1/tokenreviews"


class Reviews:
    """Asks, and remembers."""

    def __init__(self, api: "ApiServer", clock: Clock) -> None:
        self._api = api
        self._clock = clock
        self._locks = KeyedLocks()
        self._answers: dict[str, tuple[float, bool]] = {}

    def forget(self) -> None:
        """Ask anew about every token."""
        self._answers.clear()

    async def check(self, config: "Config", token: str, account: Account, found: Claims, audience: str) -> None:
        """Raise PermissionDenied unless the token is good and the account's; UpstreamError where that is not known.

        Where no ``audience`` is demanded it may be any of the token's own (``found``), as with Vault: the API server
        would else only take tokens that were made for itself.

        Security 1: an answer is remembered per token and audience, and no longer than the token lives.
        """
        key = hashlib.sha256(f"{audience}\0{token}".encode()).hexdigest()
        async with self._locks.of(key):  # of many logins with one token, one asks
            now = self._clock.now()
            until, good = self._answers.get(key, (0.0, False))
            if until <= now:
                audiences = [audience] if audience else audiences_of(found)
                good = await self._ask(config, token, account, audiences, audience)
                expires = found.get("exp") or math.inf
                self._remember(key, min(now + KEPT, expires) if good else now + REFUSED, good)
        if not good:
            raise PermissionDenied

    async def _ask(
        self, config: "Config", token: str, account: Account, audiences: Sequence[str], audience: str
    ) -> bool:
        spec = {"token": token} | ({"audiences": audiences} if audiences else {})
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}
        answer = await self._api.post(config, PATH, token, body)
        status = answer.get("status")
        return isinstance(status, dict) and _vouches(status, account, audience)

    def _remember(self, key: str, until: float, good: bool) -> None:
        if len(self._answers) >= MOST:
            now = self._clock.now()
            self._answers = {k: kept for k, kept in self._answers.items() if kept[0] > now}
        if len(self._answers) < MOST:
            self._answers[key] = (until, good)


def _vouches(status: Mapping[str, Any], account: Account, audience: str) -> bool:
    """Tell whether the API server knows the token as the account's.

    Security 2: an API server that does not know of audiences leaves them out and would accept any token; it is not
    believed (TokenReviewSpec, audiences). Security 3: the authenticated account must be the one in the token.
    """
    user = status.get("user")
    if status.get("authenticated") is not True or status.get("error") or not isinstance(user, dict):
        return False
    if audience and audience not in (status.get("audiences") or []):
        return False
    return user.get("username") == account.username and user.get("uid") == account.uid
