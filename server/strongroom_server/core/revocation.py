"""Taking back: a token with all that hangs from it, and a secret at its engine.

An ended token is unusable first (its stored record expires), then its children, its leases and its cubbyhole go, its
record last. A crash in between leaves a lease that is due, so the work is taken up again after the restart.
"""

from typing import TYPE_CHECKING

from msgspec import structs

from strongroom_server.core.leases import TOKEN, LeaseEntry
from strongroom_server.core.tokens import Token
from strongroom_server.sdk.request import Lease, Operation, Request

if TYPE_CHECKING:
    from strongroom_server.core.server import Server


class Revocation:
    """Ends tokens and leases on behalf of the lease store and of the token routes."""

    def __init__(self, server: "Server") -> None:
        self._server = server

    async def take_back(self, entry: LeaseEntry) -> None:
        """Do what ends a lease at its source; raises where it could not be done."""
        with self._server.metrics.timed("vault.expire.revoke", self._server.clock):
            await self._take_back(entry)

    async def _take_back(self, entry: LeaseEntry) -> None:
        if entry.kind == TOKEN:
            token = await self._server.tokens.by_hash(entry.token)
            if token is not None:
                await self._end_tree(token)
            return
        mount = self._server.mounts.at(entry.mount)
        if mount is None:  # the mount is gone, and its secrets were ended with it
            return
        request = Request(Operation.REVOKE, entry.path.removeprefix(entry.mount), mount_point=entry.mount)
        await mount.running().revoke(lease_of(entry), request)

    async def end_token(self, token: Token) -> None:
        """End a token now, with its children and leases."""
        server = self._server
        if not token.lease_id:  # it has no end of its own: give it one, so that a crash cannot leave it half ended
            now = server.clock.now()
            token = structs.replace(token, lease_id=server.tokens.lease_id(token.path, token.hash), expires=now)
            await server.store_token(token)
        await server.leases.revoke(token.lease_id)

    async def _end_tree(self, root: Token) -> None:
        """End a token and what hangs from it, the leaves first, without recursion: trees may be deep."""
        order, waiting = [], [(self._server, root)]
        while waiting:
            home, token = waiting.pop()
            order.append((home, token))
            if not token.expired(home.clock.now()):
                lease_id = token.lease_id or home.tokens.lease_id(token.path, token.hash)
                await home.tokens.save(structs.replace(token, expires=1.0, lease_id=lease_id))
            for below in home.tree():
                children = [await below.tokens.by_hash(hashed) for hashed in await below.tokens.children(token.hash)]
                waiting.extend((below, child) for child in children if child is not None)
        for home, token in reversed(order):
            await _end_leases(home, token)
            await home.tokens.remove(token)
            if token is not root and token.lease_id:
                await home.leases.drop(token.lease_id)


async def _end_leases(home: "Server", token: Token) -> None:
    for below in home.reached(token.hash):
        for lease_id in await below.leases.of_token(token.hash):
            await below.leases.revoke_or_retry(lease_id)


def lease_of(entry: LeaseEntry) -> Lease:
    """Return what an engine sees of a stored lease."""
    return Lease(entry.kind, entry.internal, ttl=entry.ttl, max_ttl=entry.max_ttl, renewable=entry.renewable,
                 id=entry.id)  # fmt: skip
