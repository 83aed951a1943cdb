"""The token auth method: tokens made from tokens (HTTP API, "Token auth method").

It stands in the core, not among the other methods, since it is the door to the token store itself.
"""

from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Any, Literal

from strongroom_common.fields import Alias, Cidrs, Given, Names, Pairs, Seconds
from strongroom_common.secret import Secret
from strongroom_server.core.holder import Holder
from strongroom_server.core.identity.logins import attach
from strongroom_server.core.registration import create_token, mount_limits, normal_policies
from strongroom_server.core.tokens import BATCH, SERVICE, Token
from strongroom_server.core.ttl import Limits, grant
from strongroom_server.sdk.engine import Engine, delete, list_, read, write
from strongroom_server.sdk.errors import InvalidRequest, NotFound, PermissionDenied
from strongroom_server.sdk.request import Alias as EntityAlias
from strongroom_server.sdk.request import Auth, Request, Response
from strongroom_server.sdk.storage import load, remove, save

if TYPE_CHECKING:
    from strongroom_server.core.server import Server

Name = Annotated[str, "Name of the role."]


@dataclass(frozen=True)
class Create:
    """What a new token shall be."""

    id: Annotated[Secret[str], "The token's own text; root only, and not with a dot in it."] = Secret("")
    policies: Annotated[Names, "Policies; the parent's where left out."] = Names(())
    meta: Annotated[Pairs, "Metadata shown in lookups and audit entries."] = field(default_factory=lambda: Pairs({}))
    no_parent: Annotated[bool, "Make an orphan; needs root or sudo."] = False
    no_default_policy: Annotated[bool, "Leave the default policy out."] = False
    renewable: Annotated[bool, "Whether it can be renewed."] = True
    lease: Annotated[Seconds, "Older name of ttl."] = Seconds(0)
    ttl: Annotated[Seconds, "Lifetime."] = Seconds(0)
    type: Annotated[str, '"service" or "batch".'] = ""
    explicit_max_ttl: Annotated[Seconds, "End that no renewal moves."] = Seconds(0)
    display_name: Annotated[str, "Name in lookups and audit entries."] = "token"
    num_uses: Annotated[int, "How often it may be used; 0 is without limit."] = 0
    period: Annotated[Seconds, "Every renewal grants this long; needs root or sudo."] = Seconds(0)
    entity_alias: Annotated[str, "Entity alias to attach, allowed by the role."] = ""


@dataclass(frozen=True)
class Role:
    """What tokens made through a role are."""

    allowed_policies: Annotated[Names, "Policies that may be asked for."] = Names(())
    disallowed_policies: Annotated[Names, "Policies that may not."] = Names(())
    allowed_policies_glob: Annotated[Names, "As allowed_policies, with globs."] = Names(())
    disallowed_policies_glob: Annotated[Names, "As disallowed_policies, with globs."] = Names(())
    orphan: Annotated[bool, "Make orphans."] = False
    renewable: Annotated[bool, "Whether the tokens can be renewed."] = True
    path_suffix: Annotated[str, "Put into the tokens' path, for revocation by prefix."] = ""
    allowed_entity_aliases: Annotated[Names, "Entity aliases that may be attached."] = Names(())
    token_period: Annotated[Seconds, "Every renewal grants this long.", Alias("period")] = Seconds(0)
    token_explicit_max_ttl: Annotated[Seconds, "End that no renewal moves.", Alias("explicit_max_ttl")] = Seconds(0)
    token_bound_cidrs: Annotated[Cidrs, "Networks the tokens may be used from.", Alias("bound_cidrs")] = Cidrs(())
    token_no_default_policy: Annotated[bool, "Leave the default policy out."] = False
    token_num_uses: Annotated[int, "How often the tokens may be used."] = 0
    token_type: Annotated[Literal["default-service", "default-batch", "service", "batch"], "Type of the tokens."] = (
        "default-service"  # noqa: S105 - a kind, not a password
    )


@dataclass(frozen=True)
class Named:
    """A token by its text."""

    token: Annotated[Secret[str], "The token."] = Secret("")


@dataclass(frozen=True)
class ByAccessor:
    """A token by its accessor."""

    accessor: Annotated[str, "The token's accessor."] = ""


@dataclass(frozen=True)
class Renew:
    """A token and the time asked for."""

    token: Annotated[Secret[str], "The token; the caller's own where left out."] = Secret("")
    accessor: Annotated[str, "The token's accessor."] = ""
    increment: Annotated[Seconds, "Time asked for; the server may grant less."] = Seconds(0)


class TokenAuth(Engine):
    """Makes, looks up, renews and ends tokens."""

    server: "Server"

    def attach(self, server: "Server") -> None:
        """Hand the whole server over, as no other auth method gets it."""
        self.server = server

    # -- create -----------------------------------------------------------------------------------------------------

    @write("create")
    async def create(self, body: Given[Create], request: Request) -> Response:
        """Create a token below the caller's."""
        return await self._create(body, request)

    @write("create-orphan", sudo=True)
    async def create_orphan(self, body: Given[Create], request: Request) -> Response:
        """Create a token without a parent."""
        given = Given(replace(body.value, no_parent=True), body.sent, body.ignored)
        return await self._create(given, request, may_orphan=True)

    @write("create/{role:segment}")
    async def create_by_role(self, role: Name, body: Given[Create], request: Request) -> Response:
        """Create a token as a role says."""
        found = await load(self.storage, f"roles/{role.lower()}", Role)
        if found is None:
            raise InvalidRequest(f"unknown role {role}")
        return await self._create(body, request, role=found, role_name=role.lower())

    async def _create(self, body: Given[Create], request: Request, *, role: Role | None = None, role_name: str = "",
                      may_orphan: bool = False) -> Response:  # fmt: skip
        asked, holder = body.value, await self._caller(request)
        parent = holder.token
        # A token that can be used a limited number of times makes none: its children would outlive the limit.
        if parent.uses:
            raise InvalidRequest("restricted use token cannot generate child tokens")
        if parent.type == BATCH:
            raise InvalidRequest("batch tokens cannot create more tokens")
        powerful = await holder.is_sudo(f"auth/token/{request.path}")
        self._check_privileges(asked, parent, role, powerful=powerful, may_orphan=may_orphan)
        if asked.id and self.server.path:
            raise InvalidRequest("token IDs can only be manually specified in the root namespace")
        kind = self._kind(asked, role)
        orphan, foreign = role.orphan if role else asked.no_parent, holder.home is not self.server
        auth = Auth(
            policies=self._policies(body, holder, role, powerful=powerful),
            display_name=_display_name(asked.display_name),
            metadata=dict(asked.meta),
            explicit_max_ttl=asked.explicit_max_ttl,
            period=asked.period,
            num_uses=asked.num_uses,
            renewable=asked.renewable and kind == SERVICE,
            no_default_policy=asked.no_default_policy,
            entity_id="" if orphan or foreign else parent.entity_id,
        )
        if role is not None:
            _apply_role(auth, role)
        if kind == BATCH and (auth.num_uses or auth.period or auth.explicit_max_ttl):
            raise InvalidRequest("batch tokens have no number of uses, period or explicit max TTL")
        missing = await self.server.policies.missing(auth.policies)
        warnings = [f'Policy "{name}" does not exist' for name in missing]
        warnings += self._grant(auth, asked.ttl or asked.lease, parent)
        if asked.entity_alias:
            await self._attach_entity(auth, asked.entity_alias, role)
        path = "auth/token/" + request.path.rstrip("/") + (f"/{role.path_suffix}" if role and role.path_suffix else "")
        await create_token(
            self.server, auth, path, mount="auth/token/", kind=kind, token=asked.id.reveal(),
            parent="" if orphan else parent.hash, role=role_name,
        )  # fmt: skip
        return Response(auth=auth, warnings=warnings)

    def _check_privileges(self, asked: Create, parent: Token, role: Role | None, *, powerful: bool,
                          may_orphan: bool) -> None:  # fmt: skip
        if asked.type not in {"", SERVICE, BATCH}:
            raise InvalidRequest('invalid "type": expected "service" or "batch"')
        if asked.num_uses < 0:
            raise InvalidRequest("number of uses cannot be negative")
        if asked.id:
            if not parent.root:
                raise PermissionDenied("root or sudo privileges required to specify token id")
            if asked.id.reveal().startswith(("hvs.", "hvb.", "s.", "b.")) or "." in asked.id.reveal():
                raise InvalidRequest("custom token ID cannot have a dot in it or begin as the server's own do")
        if asked.no_parent and role is None and not powerful and not may_orphan:
            raise PermissionDenied("root or sudo privileges required to create orphan token")
        if asked.period and role is None and not powerful:
            raise PermissionDenied("root or sudo privileges required to create periodic token")

    @staticmethod
    def _kind(asked: Create, role: Role | None) -> str:
        if role is not None and role.token_type in {SERVICE, BATCH}:
            return role.token_type
        if asked.type:
            return asked.type
        return BATCH if role is not None and role.token_type == "default-batch" else SERVICE  # noqa: S105

    def _policies(self, body: Given[Create], holder: Holder, role: Role | None, *, powerful: bool) -> tuple[str, ...]:
        """Return the policies of a child: a subset of its parent's, unless root, sudo or the role says otherwise."""
        asked, parent = body.value, holder.token
        wanted = tuple(asked.policies)
        if holder.home is not self.server:
            # Security 2: policies are those of this namespace. A parent from above has none here, so it passes none on.
            if "root" in normal_policies(wanted, default=False):
                raise InvalidRequest("root tokens may not be created from a parent namespace")
            parent = replace(parent, policies=("default",))
        if role is not None:
            return _role_policies(wanted, parent, role, default=not asked.no_default_policy)
        if not wanted:
            inherited = tuple(name for name in parent.policies if name != "default")
            default = not asked.no_default_policy and (parent.root or "default" in parent.policies)
            return normal_policies(inherited, default=default)
        tidy = normal_policies(wanted, default=not asked.no_default_policy)
        if "root" in tidy and not parent.root:
            raise InvalidRequest("root tokens may not be created without parent token being root")
        if not powerful:
            missing = set(tidy) - set(parent.policies) - ({"default"} - {n.strip().lower() for n in wanted})
            if missing:
                raise InvalidRequest("child policies must be subset of parent")
            if "default" not in parent.policies and "default" not in {n.strip().lower() for n in wanted}:
                tidy = tuple(name for name in tidy if name != "default")
        return tidy

    async def _attach_entity(self, auth: Auth, name: str, role: Role | None) -> None:
        """Give the token the entity behind a name at this mount, if the role allows that name."""
        mount = self.server.mounts.at("auth/token/")
        if role is None or mount is None:
            raise InvalidRequest("'entity_alias' is only allowed in combination with token role")
        if not any(fnmatchcase(name.lower(), glob.lower()) for glob in role.allowed_entity_aliases):
            raise InvalidRequest("invalid 'entity_alias' value")
        auth.alias = EntityAlias(name)
        await attach(self.server.identity, auth, mount)

    def _grant(self, auth: Auth, wish: int, parent: Token) -> list[str]:
        now = self.server.clock.now()
        if "root" in auth.policies and not wish and not auth.period and not auth.explicit_max_ttl:
            if parent.expires:
                raise InvalidRequest("expiring root tokens cannot create non-expiring root tokens")
            auth.ttl, auth.renewable = 0, False
            return []
        limits = mount_limits(self.server, self.server.mounts.at("auth/token/"))
        if auth.period > limits.maximum:
            raise InvalidRequest(f"period of {auth.period} seconds exceeds the max TTL of {limits.maximum} seconds")
        limits = Limits(limits.default, limits.maximum, explicit_max=auth.explicit_max_ttl, period=auth.period)
        auth.ttl, warnings = grant(limits, asked=wish, now=now, issued=now)
        return warnings

    # -- look up ----------------------------------------------------------------------------------------------------

    @read("lookup-self")
    async def lookup_self(self, request: Request) -> Response:
        """Describe the caller's own token."""
        holder = await self._caller(request)
        return await self._shown(holder.token, request.token, holder.home)

    @write("lookup-self")
    async def lookup_self_by_write(self, request: Request) -> Response:
        """Describe the caller's own token."""
        return await self.lookup_self(request)

    @write("lookup")
    async def lookup(self, body: Given[Named], request: Request) -> Response:
        """Describe a token."""
        text = body.value.token.reveal() or request.token
        holder = await self._named(text, request)
        if holder is None:
            raise PermissionDenied("bad token")
        return await self._shown(holder.token, text, holder.home)

    @read("lookup")
    async def lookup_by_read(self, request: Request) -> Response:
        """Describe the token given as a query parameter, or the caller's own."""
        return await self.lookup(Given(Named(Secret(str(request.data.get("token", "")))), frozenset()), request)

    @write("lookup-accessor")
    async def lookup_accessor(self, body: Given[ByAccessor]) -> Response:
        """Describe the token of an accessor, without the token."""
        return await self._shown(await self._by_accessor(body.value.accessor), "", self.server)

    async def _shown(self, token: Token, text: str, home: "Server") -> Response:
        data = home.tokens.facts(token, text=text)
        if home.path:
            data["namespace_path"] = home.path
        if token.entity_id:
            names = home.identity.policies(token.entity_id)
            if names:
                data |= {"identity_policies": names, "external_namespace_policies": {}}
        return Response(data)

    @list_("accessors/", sudo=True)
    async def accessors(self) -> dict[str, list[str]]:
        """List the accessors of all tokens."""
        return {"keys": await self.server.tokens.accessors()}

    # -- renew ------------------------------------------------------------------------------------------------------

    @write("renew-self")
    async def renew_self(self, body: Given[Renew], request: Request) -> Response:
        """Renew the caller's own token."""
        return await self._renew(await self._caller(request), request.token, body.value.increment)

    @write("renew")
    async def renew_token(self, body: Given[Renew], request: Request) -> Response:
        """Renew a token."""
        text = body.value.token.reveal() or request.token
        holder = await self._named(text, request)
        if holder is None:
            raise InvalidRequest("token not found")
        return await self._renew(holder, text, body.value.increment)

    @write("renew-accessor")
    async def renew_accessor(self, body: Given[Renew]) -> Response:
        """Renew the token of an accessor."""
        token = await self._by_accessor(body.value.accessor)
        return await self._renew(Holder(token, self.server, self.server), "", body.value.increment)

    async def _renew(self, holder: Holder, text: str, increment: int) -> Response:
        auth, warnings = await holder.home.renewal.renew_token(holder.token, increment)
        auth.client_token = text
        return Response(auth=auth, warnings=warnings)

    async def renew_login(self, auth: Auth, request: Request) -> Auth:
        """Let a token made here go on; a role's present settings apply."""
        del request
        return auth

    # -- revoke -----------------------------------------------------------------------------------------------------

    @write("revoke-self")
    async def revoke_self(self, request: Request) -> None:
        """End the caller's own token with its children."""
        holder = await self._caller(request)
        _refuse_batch(holder.token)
        await holder.home.revocation.end_token(holder.token)

    @write("revoke")
    async def revoke_token(self, body: Given[Named], request: Request) -> None:
        """End a token with its children; an unknown one is ended already."""
        if not body.value.token:
            raise InvalidRequest("missing token ID")
        holder = await self._named(body.value.token.reveal(), request)
        if holder is not None:
            _refuse_batch(holder.token)
            await holder.home.revocation.end_token(holder.token)

    @write("revoke-accessor")
    async def revoke_accessor(self, body: Given[ByAccessor]) -> Response | None:
        """End the token of an accessor with its children; an unknown one is ended already."""
        if not body.value.accessor:
            raise InvalidRequest("missing accessor")
        token = await self.server.tokens.by_accessor(body.value.accessor)
        if token is None:
            return Response(warnings=["No token found with this accessor"])
        await self.server.revocation.end_token(token)
        return None

    @write("revoke-orphan", sudo=True)
    async def revoke_orphan(self, body: Given[Named], request: Request) -> None:
        """End a token; its children live on without a parent."""
        if not body.value.token:
            raise InvalidRequest("missing token ID")
        holder = await self._named(body.value.token.reveal(), request)
        if holder is None:
            raise InvalidRequest("token to revoke not found")
        _refuse_batch(holder.token)
        for below in holder.home.tree():
            await below.tokens.adopt_out(holder.token.hash)
        await holder.home.revocation.end_token(holder.token)

    @write("tidy")
    async def tidy(self) -> Response:
        """Clean up what ended tokens left behind; the store leaves nothing, so this only answers."""
        return Response(warnings=["Tidy operation successfully started. Any information from the operation "
                                  "will be printed to the server's logs."], status=202)  # fmt: skip

    # -- roles ------------------------------------------------------------------------------------------------------

    @list_("roles/")
    async def list_roles(self) -> dict[str, list[str]]:
        """List the roles."""
        names = await self.storage.list("roles/")
        if not names:
            raise NotFound
        return {"keys": names}

    @read("roles/{name:segment}")
    async def read_role(self, name: Name) -> dict[str, Any]:
        """Read a role."""
        role = await load(self.storage, f"roles/{name.lower()}", Role)
        if role is None:
            raise NotFound
        shown = {field: getattr(role, field) for field in Role.__dataclass_fields__}
        return {
            **shown,
            "name": name.lower(),
            "explicit_max_ttl": 0,
            "period": 0,
            "allowed_entity_aliases": sorted({name.lower() for name in role.allowed_entity_aliases}) or None,
        }

    async def role_exists(self, name: str) -> bool:
        """Tell whether a role is there."""
        return await self.storage.get(f"roles/{name.lower()}") is not None

    @write("roles/{name:segment}", exists="role_exists")
    async def write_role(self, name: Name, role: Given[Role]) -> None:
        """Create or update a role."""
        value = role.over(await load(self.storage, f"roles/{name.lower()}", Role))
        if value.token_type == BATCH and value.renewable and "renewable" in role.sent:
            raise InvalidRequest("'token_type' cannot be 'batch' when role is set to generate renewable tokens")
        await save(self.storage, f"roles/{name.lower()}", value)

    @delete("roles/{name:segment}")
    async def delete_role(self, name: Name) -> None:
        """Delete a role."""
        await self.storage.commit([remove(f"roles/{name.lower()}")])

    # -- shared -----------------------------------------------------------------------------------------------------

    async def _caller(self, request: Request) -> Holder:
        holder = await self.server.holder(request.token)
        if holder is None:
            raise PermissionDenied
        return holder

    async def _named(self, text: str, request: Request) -> Holder | None:
        """Return the token that the caller names by its text, its own or one that it may know of."""
        if text != request.token:
            self.server.named(text, request.token)
        return await self.server.holder(text)

    async def _by_accessor(self, accessor: str) -> Token:
        if not accessor:
            raise InvalidRequest("missing accessor")
        token = await self.server.tokens.by_accessor(accessor)
        if token is None or token.expired(self.server.clock.now()):
            raise InvalidRequest("invalid accessor")
        return token


def _refuse_batch(token: Token) -> None:
    if token.type == BATCH:
        raise InvalidRequest("batch tokens cannot be revoked")


def _display_name(name: str) -> str:
    tidy = "".join(c if c.isalnum() or c == "-" else "-" for c in name)
    return tidy if tidy == "token" else f"token-{tidy}"


def _apply_role(auth: Auth, role: Role) -> None:
    auth.period = role.token_period or auth.period
    limits = [limit for limit in (auth.explicit_max_ttl, role.token_explicit_max_ttl) if limit]
    auth.explicit_max_ttl = min(limits, default=0)
    auth.num_uses = role.token_num_uses or auth.num_uses
    auth.bound_cidrs = role.token_bound_cidrs
    auth.renewable = auth.renewable and role.renewable


def _role_policies(wanted: tuple[str, ...], parent: Token, role: Role, *, default: bool) -> tuple[str, ...]:
    default = default and not role.token_no_default_policy
    allowed, globs = set(role.allowed_policies), role.allowed_policies_glob
    if not wanted:
        wanted = tuple(role.allowed_policies) or (() if globs else parent.policies)
    tidy = normal_policies(wanted, default=default and "default" not in role.disallowed_policies)
    for name in tidy:
        if (allowed or globs) and name not in allowed and not any(fnmatchcase(name, glob) for glob in globs):
            if name == "default" and default:
                continue
            raise InvalidRequest(f"token policies ({', '.join(tidy)}) must be subset of the role's allowed policies")
        if name in role.disallowed_policies or any(fnmatchcase(name, g) for g in role.disallowed_policies_glob):
            raise InvalidRequest(f"token policy {name!r} is disallowed by this role")
    if "root" in tidy and not parent.root:
        raise InvalidRequest("root tokens may not be created without parent token being root")
    return tidy
