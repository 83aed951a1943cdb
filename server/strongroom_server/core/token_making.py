"""Making a token from another: what it may do and how long, and the token itself.

The order of the steps is the order in which a caller is told what is wrong.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec import structs

from strongroom_common.fields import Given
from strongroom_server.core import token_children, token_roles
from strongroom_server.core.builtin_policies import RESPONSE_WRAPPING
from strongroom_server.core.holder import Holder
from strongroom_server.core.identity.logins import attach
from strongroom_server.core.registration import create_token, mount_limits, normal_policies
from strongroom_server.core.token_children import Create
from strongroom_server.core.token_roles import Role, lesser
from strongroom_server.core.tokens import BATCH, SERVICE, Token
from strongroom_server.core.ttl import grant
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.request import Alias as EntityAlias
from strongroom_server.sdk.request import Auth, Request, Response

if TYPE_CHECKING:
    from strongroom_server.core.server import Server

MOUNT = "auth/token/"


@dataclass(slots=True)
class TokenMaking:
    """One call: who asks (``holder``) for what (``body``), perhaps by a role."""

    server: "Server"
    body: Given[Create]
    request: Request
    holder: Holder
    role: Role | None = None
    role_name: str = ""
    may_orphan: bool = False

    async def make(self) -> Response:
        """Make the token; raises InvalidRequest or PermissionDenied for one that the holder must not have."""
        asked, parent = self.body.value, self.holder.token
        powerful = await self._check_holder()
        kind = token_roles.kind(self.role, asked.type)
        auth = self._auth(kind, powerful=powerful)
        warnings = self._grant(auth, parent, batch=kind == BATCH)
        warnings += [f'Policy "{name}" does not exist' for name in await self.server.policies.missing(auth.policies)]
        if asked.entity_alias:
            await self._attach_entity(auth, asked.entity_alias)
        suffix = f"/{self.role.path_suffix}" if self.role and self.role.path_suffix else ""
        await create_token(
            self.server, auth, MOUNT + self.request.path.rstrip("/") + suffix, mount=MOUNT, kind=kind,
            token=asked.id.reveal(), parent="" if self._orphan else parent.hash, role=self.role_name,
        )  # fmt: skip
        return Response(auth=auth, warnings=warnings)

    @property
    def _orphan(self) -> bool:
        return self.role.orphan if self.role else self.body.value.no_parent

    async def _check_holder(self) -> bool:
        """Return whether the holder may have what needs root or sudo; raises for what they must not ask at all."""
        asked, parent = self.body.value, self.holder.token
        # Security 1: one with a limited number of uses makes none: its children would outlive the limit.
        if parent.uses:
            raise InvalidRequest("restricted use token cannot generate child tokens")
        if parent.type == BATCH:
            raise InvalidRequest("batch tokens cannot create more tokens")
        powerful = self.holder.rooted or await self.holder.is_sudo(MOUNT + self.request.path)
        orphan = self.may_orphan or self.role is not None
        token_children.check_privileges(asked, powerful=powerful, orphan=orphan)
        if asked.id:
            await self._check_free(asked.id.reveal())
        return powerful

    async def _check_free(self, text: str) -> None:
        token_children.check_id(text)
        if self.server.path:
            raise InvalidRequest("token IDs can only be manually specified in the root namespace")
        if await self.server.tokens.by_hash(self.server.tokens.hash(text)) is not None:
            raise InvalidRequest("cannot create a token with a duplicate ID")

    def _auth(self, kind: str, *, powerful: bool) -> Auth:
        asked = self.body.value
        auth = Auth(
            policies=self._policies(powerful=powerful),
            display_name=token_children.display_name(asked.display_name),
            metadata=dict(asked.meta),
            explicit_max_ttl=asked.explicit_max_ttl,
            period=asked.period,
            num_uses=asked.num_uses,
            renewable=asked.renewable and kind == SERVICE,
            no_default_policy=asked.no_default_policy,
            entity_id="" if self._orphan else self.holder.token.entity_id,
        )
        if self.role is not None:
            token_children.apply_role(auth, self.role, self.role_name)
        return auth

    def _policies(self, *, powerful: bool) -> tuple[str, ...]:
        """Return the policies of a child: a subset of its parent's, unless root, sudo or the role says otherwise."""
        asked, parent, role = self.body.value, self.holder.token, self.role
        wanted, default = tuple(asked.policies), not asked.no_default_policy
        if self.holder.home is not self.server:
            # Security 2: policies are those of this namespace. A parent from above has none here, so it passes none on.
            if "root" in normal_policies(wanted, default=False):
                raise InvalidRequest("root tokens may not be created from a parent namespace")
            parent = structs.replace(parent, policies=("default",))
        if role is not None:
            default = default and not role.token_no_default_policy
        if role is not None and role.rules_policies:
            found = token_roles.policies(role, wanted, parent.policies, default=default)
        elif wanted or token_children.names_none(self.request.data):
            found = token_children.policies(wanted, parent, powerful=powerful, default=default)
        else:
            inherited = tuple(name for name in parent.policies if name != "default")
            found = normal_policies(inherited, default=default and (parent.root or "default" in parent.policies))
        # Security 3: what is root begets root, and nothing else does, be it sudo or a role.
        if "root" in found and not parent.root:
            raise InvalidRequest("root tokens may not be created without parent token being root")
        if RESPONSE_WRAPPING in found:
            raise InvalidRequest(f'cannot assign policy "{RESPONSE_WRAPPING}"')
        return found

    def _grant(self, auth: Auth, parent: Token, *, batch: bool) -> list[str]:
        """Set how long the token lives; returns what was cut short."""
        asked, role, now = self.body.value, self.role, self.server.clock.now()
        wish = asked.ttl or asked.lease or token_children.shortest(self.request.data.get("ttl"))
        period, explicit_max = auth.period, auth.explicit_max_ttl
        warnings: list[str] = []
        if role is not None:
            period, warnings = lesser("Period", period, role.token_period)
            explicit_max, more = lesser("Explicit max TTL", explicit_max, role.token_explicit_max_ttl)
            warnings += more
        if batch:
            token_children.check_batch(auth, period, explicit_max)
        if "root" in auth.policies and not wish and not period:
            wish = explicit_max
            if not wish and parent.expires:
                raise InvalidRequest("expiring root tokens cannot create non-expiring root tokens")
            if not wish:
                auth.ttl, auth.renewable = 0, False
                return []
        limits = mount_limits(self.server, self.server.mounts.at(MOUNT), explicit_max=explicit_max, period=period)
        auth.ttl, capped = grant(limits, asked=wish, now=now, issued=now)
        return warnings + capped

    async def _attach_entity(self, auth: Auth, name: str) -> None:
        """Give the token the entity behind a name at this mount, if the role allows that name."""
        mount = self.server.mounts.at(MOUNT)
        if self.role is None or mount is None:
            raise InvalidRequest("'entity_alias' is only allowed in combination with token role")
        if not any(fnmatchcase(name.lower(), glob.lower()) for glob in self.role.allowed_entity_aliases):
            raise InvalidRequest("invalid 'entity_alias' value")
        auth.alias = EntityAlias(name)
        await attach(self.server.identity, auth, mount)
