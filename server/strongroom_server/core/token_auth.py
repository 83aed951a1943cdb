"""The token auth method: tokens made from tokens (HTTP API, "Token auth method").

It stands in the core, not among the other methods, since it is the door to the token store itself.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

from strongroom_common.fields import Given, Seconds
from strongroom_common.secret import Secret
from strongroom_server.core import token_roles
from strongroom_server.core.holder import Holder
from strongroom_server.core.renewal import GRANTED
from strongroom_server.core.token_children import Create
from strongroom_server.core.token_making import TokenMaking
from strongroom_server.core.token_roles import Role, lesser
from strongroom_server.core.tokens import BATCH, Token
from strongroom_server.sdk.engine import Engine, delete, list_, read, write
from strongroom_server.sdk.errors import InvalidRequest, NotFound, PermissionDenied
from strongroom_server.sdk.request import Auth, Request, Response
from strongroom_server.sdk.storage import load, remove, save

if TYPE_CHECKING:
    from strongroom_server.core.server import Server

Name = Annotated[str, "Name of the role."]


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
        return await TokenMaking(self.server, body, request, await self._caller(request)).make()

    @write("create-orphan")
    async def create_orphan(self, body: Given[Create], request: Request) -> Response:
        """Create a token without a parent."""
        given = Given(replace(body.value, no_parent=True), body.sent, body.ignored)
        return await TokenMaking(self.server, given, request, await self._caller(request), may_orphan=True).make()

    @write("create/{role}")
    async def create_by_role(self, role: Name, body: Given[Create], request: Request) -> Response:
        """Create a token as a role says."""
        found = await self._role(role)
        if found is None:
            raise InvalidRequest(f"unknown role {role}")
        return await TokenMaking(self.server, body, request, await self._caller(request), found, role).make()

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

    @read("lookup")
    @write("lookup")
    async def lookup(self, body: Given[Named], request: Request) -> Response:
        """Describe a token."""
        _check_given(request)
        text = body.value.token.reveal() or request.token
        holder = await self._named(text, request)
        if holder is None:
            raise PermissionDenied("bad token")
        return await self._shown(holder.token, text, holder.home)

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
        return await self._renew(await self._caller(request), request.token, body.value.increment, request)

    @write("renew")
    async def renew_token(self, body: Given[Renew], request: Request) -> Response:
        """Renew a token."""
        _check_given(request)
        text = body.value.token.reveal()
        if not text:
            raise InvalidRequest("missing token ID")
        holder = await self._named(text, request)
        if holder is None:
            raise InvalidRequest("token not found")
        return await self._renew(holder, text, body.value.increment, request)

    @write("renew-accessor")
    async def renew_accessor(self, body: Given[Renew], request: Request) -> Response:
        """Renew the token of an accessor."""
        token = await self._by_accessor(body.value.accessor)
        return await self._renew(Holder(token, self.server, self.server), "", body.value.increment, request)

    async def _renew(self, holder: Holder, text: str, increment: int, request: Request) -> Response:
        auth, warnings = await holder.home.renewal.renew_token(holder.token, increment, request.connection)
        auth.client_token = text
        return Response(auth=auth, warnings=warnings)

    async def renew_login(self, auth: Auth, request: Request) -> Auth:
        """Let a token made here go on as long as it last did; a role's present settings apply."""
        del request
        auth.ttl = auth.internal.get(GRANTED, auth.ttl)
        name = auth.internal.get("role")
        if name:
            role = await self._role(name)
            if role is None:
                raise InvalidRequest(f'original token role "{name}" could not be found, not renewing')
            auth.period, _ = lesser("", auth.period, role.token_period)
            auth.explicit_max_ttl, _ = lesser("", auth.explicit_max_ttl, role.token_explicit_max_ttl)
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
        _check_given(request)
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

    @write("revoke-orphan")
    async def revoke_orphan(self, body: Given[Named], request: Request) -> None:
        """End a token; its children live on without a parent. Needs `sudo`."""
        _check_given(request)
        if not body.value.token:
            raise InvalidRequest("missing token ID")
        # Security 2: children outlive what made them only where an operator says so.
        if not await (await self._caller(request)).is_sudo("auth/token/revoke-orphan"):
            raise InvalidRequest("root or sudo privileges required to revoke and orphan")
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

    @read("roles/{name}")
    async def read_role(self, name: Name) -> dict[str, Any]:
        """Read a role."""
        role = await self._role(name)
        if role is None:
            raise NotFound
        return token_roles.facts(name, role)

    async def role_exists(self, name: str) -> bool:
        """Tell whether a role is there."""
        return await self._role(name) is not None

    @write("roles/{name}", exists="role_exists")
    async def write_role(self, name: Name, role: Given[Role], request: Request) -> Response:
        """Create or update a role."""
        changed, warnings = token_roles.changed(role, await self._role(name), request.data)
        await save(self.storage, f"roles/{name}", changed)
        return Response(warnings=warnings)

    @delete("roles/{name}")
    async def delete_role(self, name: Name) -> None:
        """Delete a role; its tokens live on until they end, and are not renewed."""
        await self.storage.commit([remove(f"roles/{name}")])

    # -- shared -----------------------------------------------------------------------------------------------------

    async def _role(self, name: str) -> Role | None:
        return await load(self.storage, f"roles/{name}", Role)

    async def _caller(self, request: Request) -> Holder:
        holder = self.server.holder_at_hand(request.token) or await self.server.holder(request.token)
        if holder is None:
            raise PermissionDenied
        return holder

    async def _named(self, text: str, request: Request) -> Holder | None:
        """Return the token that the caller names by its text, its own or one that it may know of."""
        if text != request.token:
            self.server.named(text)
        return await self.server.holder(text)

    async def _by_accessor(self, accessor: str) -> Token:
        if not accessor:
            raise InvalidRequest("missing accessor")
        token = await self.server.tokens.by_accessor(accessor)
        if token is None or token.expired(self.server.clock.now()):
            raise InvalidRequest("invalid accessor")
        return token


def _check_given(request: Request) -> None:
    """Security 1: what is no text names no token, and must not stand for the caller's own."""
    if not isinstance(request.data.get("token", ""), str):
        raise PermissionDenied("invalid token")


def _refuse_batch(token: Token) -> None:
    if token.type == BATCH:
        raise InvalidRequest("batch tokens cannot be revoked")
