"""TokenReview: the API server says whose token it is (authentication.k8s.io/v1).

Answers are kept for a short while, so that a herd of logins does not become a herd of reviews. Kept is a hash of the
token, never the token.
"""

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from strongroom_server.auth.kubernetes.claims import Account
from strongroom_server.lib.locks import KeyedLocks
from strongroom_server.sdk.errors import PermissionDenied

if TYPE_CHECKING:
    from strongroom_server.auth.kubernetes.api import ApiServer
    from strongroom_server.auth.kubernetes.schemas import Config

KEPT = 60  # seconds an accepted token is remembered; never beyond its end
REFUSED = 5  # seconds a refused one is
MOST = 10_000  # answers kept at a time
PATH = "/apis/authentication.k8s.io/v1/tokenreviews"


class Reviews:
    """Asks, and remembers."""

    def __init__(self, api: "ApiServer") -> None:
        self._api = api
        self._locks = KeyedLocks()
        self._answers: dict[str, tuple[float, Account | None]] = {}

    def forget(self) -> None:
        """Ask anew about every token."""
        self._answers.clear()

    async def review(self, config: "Config", token: str, claimed: Account, audience: str, expires: float,
                     now: float) -> Account:  # fmt: skip
        """Return whose token it is; raises PermissionDenied for one that is not good, UpstreamError where unknown.

        Security 1: an answer is remembered per token and audience, and no longer than the token lives.
        """
        key = hashlib.sha256(f"{audience}\0{token}".encode()).hexdigest()
        async with self._locks.of(key):  # of many logins with one token, one asks
            until, account = self._answers.get(key, (0.0, None))
            if until <= now:
                account = await self._ask(config, token, claimed, audience)
                end = min(now + KEPT, expires) if account else now + REFUSED
                self._remember(key, end, account, now)
        if account is None:
            raise PermissionDenied
        return account

    async def _ask(self, config: "Config", token: str, claimed: Account, audience: str) -> Account | None:
        spec = {"token": token} | ({"audiences": [audience]} if audience else {})
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}
        answer = await self._api.post(config, PATH, token, body)
        status = answer.get("status")
        return _account(status, claimed, audience) if isinstance(status, dict) else None

    def _remember(self, key: str, until: float, account: Account | None, now: float) -> None:
        if len(self._answers) >= MOST:
            self._answers = {k: kept for k, kept in self._answers.items() if kept[0] > now}
        if len(self._answers) < MOST:
            self._answers[key] = (until, account)


def _account(status: Mapping[str, Any], claimed: Account, audience: str) -> Account | None:
    """Return the account that was authenticated, or None.

    Security 2: an API server that does not know of audiences leaves them out and would accept any token; it is not
    believed (TokenReviewSpec, audiences). Security 3: the authenticated account must be the one in the token.
    """
    user = status.get("user")
    if status.get("authenticated") is not True or status.get("error") or not isinstance(user, dict):
        return None
    if audience and audience not in (status.get("audiences") or []):
        return None
    same = user.get("username") == claimed.username and user.get("uid") == claimed.uid
    return claimed if same else None
