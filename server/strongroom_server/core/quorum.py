"""An operation that needs the holders of the keys together: making a root token, replacing the keys.

The nonce binds all shares to one operation, so that nobody's share can be spent on another one. A share given twice is
refused; a set that does not open is forgotten whole.
"""

import hmac
from typing import Generic, TypeVar

from strongroom_server.core.leases import fresh_nonce
from strongroom_server.core.sealing import Sealing, check_share
from strongroom_server.sdk.errors import InvalidRequest

T = TypeVar("T")


class Quorum(Generic[T]):
    """One attempt at a time. ``plan`` is what it will do once enough shares are there."""

    def __init__(self, sealing: Sealing) -> None:
        self._sealing = sealing
        self.plan: T | None = None
        self.nonce = ""
        self.shares: list[bytes] = []

    @property
    def progress(self) -> int:
        """Return how many shares were given."""
        return len(self.shares)

    @property
    def required(self) -> int:
        """Return how many shares are needed."""
        return self._sealing.config.threshold if self._sealing.config else 0

    def start(self, plan: T, what: str) -> None:
        """Begin an attempt; raises InvalidRequest where one is under way."""
        if self.plan is not None:
            raise InvalidRequest(f"{what} already in progress")
        self.plan, self.nonce, self.shares = plan, fresh_nonce(), []

    def cancel(self) -> None:
        """Forget the attempt under way."""
        self.plan, self.nonce, self.shares = None, "", []

    async def give(self, share: bytes, nonce: str, what: str) -> T | None:
        """Take a share; returns the plan when it is the last one needed, and ends the attempt.

        Raises InvalidRequest for a wrong nonce, a share given before, or a set that is not this server's.
        """
        if self.plan is None or self._sealing.config is None:
            raise InvalidRequest(f"no {what} in progress")
        if not hmac.compare_digest(nonce.encode(), self.nonce.encode()):
            raise InvalidRequest(f'incorrect nonce supplied; nonce for this {what} operation is "{self.nonce}"')
        check_share(share, self._sealing.config)
        if any(hmac.compare_digest(share, given) for given in self.shares):
            raise InvalidRequest("given key has already been provided during this generation operation")
        self.shares.append(share)
        if len(self.shares) < self.required:
            return None
        shares, self.shares = self.shares, []
        await self._sealing.verify_shares(shares)
        plan = self.plan
        self.cancel()
        return plan
