"""Moving ends on: of tokens, where the auth method that made them agrees, and of secrets, where their engine does."""

from dataclasses import replace
from typing import TYPE_CHECKING

from msgspec import structs

from strongroom_server.core.identity.logins import refresh
from strongroom_server.core.leases import TOKEN, LeaseEntry
from strongroom_server.core.registration import mount_limits, within
from strongroom_server.core.revocation import lease_of
from strongroom_server.core.tokens import BATCH, Token
from strongroom_server.core.ttl import grant
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.request import Alias, Auth, Connection, Operation, Request, Response

if TYPE_CHECKING:
    from strongroom_server.core.server import Server


GRANTED = "granted"
"""Where a token keeps the seconds that its last renewal granted, which the next one grants again if not told else."""


class Renewal:
    """Renews tokens and leases."""

    def __init__(self, server: "Server") -> None:
        self._server = server

    async def renew_token(self, token: Token, increment: int, connection: Connection) -> tuple[Auth, list[str]]:
        """Return the renewed login and warnings; raises InvalidRequest where it cannot be renewed.

        ``connection`` is whose asks: a login by certificate is renewed for who shows it again.
        """
        server = self._server
        if token.type == BATCH:
            raise InvalidRequest("batch tokens cannot be renewed")
        if not token.expires or not token.renewable:
            raise InvalidRequest("lease is not renewable")
        found = server.mounts.find(token.path)
        if found is None:
            raise InvalidRequest("the auth method that made this token is gone")
        mount, path = found
        request = Request(
            Operation.RENEW, path, mount_point=mount.point, mount_accessor=mount.entry.accessor, connection=connection
        )
        auth = await mount.running().renew_login(self._auth(token), request)
        now = server.clock.now()
        limits = mount_limits(server, mount, ttl=auth.ttl, max_ttl=auth.max_ttl, explicit_max=auth.explicit_max_ttl,
                              period=auth.period)  # fmt: skip
        auth.ttl, warnings = grant(limits, asked=increment, now=now, issued=token.created)
        if auth.ttl <= 0:
            raise InvalidRequest("the token has reached its maximum lifetime and cannot be renewed")
        await refresh(server.identity, auth, mount)
        auth.identity_policies = tuple(sorted(server.identity.policies(auth.entity_id)))
        renewed = structs.replace(
            token, expires=now + auth.ttl, renewed=now, period=token.period if token.role else auth.period,
            internal=auth.internal | {GRANTED: auth.ttl},
            group_aliases=tuple(alias.name for alias in auth.group_aliases),
        )  # fmt: skip
        await server.store_token(renewed)
        return auth, warnings

    def _auth(self, token: Token) -> Auth:
        return Auth(
            policies=token.policies, display_name=token.display_name, metadata=dict(token.meta or {}), ttl=token.ttl,
            max_ttl=token.max_ttl, explicit_max_ttl=token.explicit_max_ttl, period=token.period, num_uses=token.uses,
            renewable=token.renewable, no_default_policy=token.no_default_policy, bound_cidrs=token.bound_cidrs,
            token_type=token.type, internal=dict(token.internal), accessor=token.accessor, entity_id=token.entity_id,
            orphan=token.orphan, group_aliases=tuple(Alias(name) for name in token.group_aliases),
            identity_policies=tuple(sorted(self._server.identity.policies(token.entity_id))),
        )  # fmt: skip

    async def renew_lease(self, entry: LeaseEntry, increment: int) -> Response:
        """Renew a secret's lease; raises InvalidRequest where it cannot be renewed, and for a token's."""
        server = self._server
        now = server.clock.now()
        if entry.expires and entry.expires <= now:
            raise InvalidRequest("lease expired")
        if not entry.renewable:
            raise InvalidRequest("lease is not renewable")
        if entry.kind == TOKEN:
            raise InvalidRequest("tokens cannot be renewed through this endpoint")
        mount = server.mounts.at(entry.mount)
        if mount is None:
            raise InvalidRequest("the engine that made this lease is gone")
        lease = lease_of(entry)
        limits = mount_limits(server, mount, ttl=lease.ttl, max_ttl=lease.max_ttl)
        lease.ttl, warnings = grant(limits, asked=increment, now=now, issued=entry.issued)
        lease.ttl = within(lease.ttl, entry.latest, now)
        if lease.ttl <= 0:
            raise InvalidRequest("the lease has reached its maximum lifetime and cannot be renewed")
        request = Request(Operation.RENEW, entry.path.removeprefix(entry.mount), mount_point=entry.mount)
        lease = await mount.running().renew(lease, request)
        entry = replace(entry, expires=now + lease.ttl, renewed=now, internal=lease.internal)
        await server.leases.add(entry)
        return Response(lease=lease, warnings=warnings)
