"""Whose address a request has: the peer's, or the one that a trusted proxy names in X-Forwarded-For."""

from collections.abc import Sequence
from dataclasses import dataclass

from strongroom_server.config import Listener
from strongroom_server.lib.cidr import allows
from strongroom_server.sdk.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class Forwarding:
    """A listener's rules; without ``proxies`` the header means nothing."""

    proxies: tuple[str, ...] = ()
    hop_skips: int = 0
    reject_not_authorized: bool = True
    reject_not_present: bool = True

    @classmethod
    def of(cls, listener: Listener) -> "Forwarding":
        """Return the rules of a stanza."""
        return cls(
            listener.x_forwarded_for_authorized_addrs, listener.x_forwarded_for_hop_skips,
            listener.x_forwarded_for_reject_not_authorized, listener.x_forwarded_for_reject_not_present,
        )  # fmt: skip

    def address(self, peer: str, header: Sequence[str]) -> str:
        """Return the client's address; raises InvalidRequest where the rules refuse (listener docs, "tcp")."""
        if not self.proxies:
            return peer
        # Security 1: the header of anyone but a listed proxy is a claim, not a fact.
        if not allows(self.proxies, peer):
            if header and self.reject_not_authorized:
                raise InvalidRequest("client address not authorized for x-forwarded-for, rejecting connection")
            return peer
        if not header:
            if self.reject_not_present:
                raise InvalidRequest("missing x-forwarded-for header and configured to reject when not present")
            return peer
        hops = [hop.strip() for line in header for hop in line.split(",")]
        index = len(hops) - 1 - self.hop_skips
        if index < 0:
            raise InvalidRequest(f"malformed x-forwarded-for configuration or request, hops to skip ({self.hop_skips}) "
                                 f"would skip before earliest chain link (chain length {len(hops)})")  # fmt: skip
        return hops[index]
