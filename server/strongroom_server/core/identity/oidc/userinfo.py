"""The userinfo endpoint: what an access token's user let the client know (OpenID Connect Core 1.0, 5.3)."""

from typing import Annotated, Any

from strongroom_server.core.areas import Area
from strongroom_server.core.identity.oidc.assignments import assigned
from strongroom_server.core.identity.oidc.exchange import ACCESS_TOKEN, scope_claims
from strongroom_server.core.identity.oidc.refusals import Refused
from strongroom_server.core.tokens import Token
from strongroom_server.sdk.engine import read, write
from strongroom_server.sdk.request import Request, Response


class Userinfo(Area):
    """Claims of users for clients."""

    @read("oidc/provider/{name}/userinfo", public=True)
    @write("oidc/provider/{name}/userinfo", public=True)
    async def userinfo(self, name: Annotated[str, "Name of the provider."], request: Request) -> Response:
        """Return the claims about the user who has let the client in. It needs an access token of this provider."""
        try:
            return Response(await self._claims(name, request), bare=True)
        except Refused as refused:
            return refused.response()

    async def _claims(self, name: str, request: Request) -> dict[str, Any]:
        identity = self.server.identity
        provider, token = await identity.oidc.providers.get(name), await self._token(name, request)
        if provider is None:
            raise Refused("invalid_request", "provider not found")
        clients = (await identity.oidc.clients.all()).values()
        client = next((client for client in clients if client.client_id == token.internal["client_id"]), None)
        if client is None:
            raise Refused("access_denied", "client not found", 403)
        if not provider.allows(client.client_id):
            raise Refused("access_denied", "client is not authorized to use the provider", 403)
        entity = identity.index.entity(token.internal["entity"])
        if entity is None or entity.disabled:
            raise Refused("invalid_token", "permission denied", 401)
        if not await assigned(identity.oidc, identity.index, client, entity):
            raise Refused("access_denied", "identity entity not authorized by client assignment", 403)
        scopes = tuple(token.internal["scopes"])
        return await scope_claims(identity, scopes, entity, int(self.server.clock.now())) | {"sub": entity.id}

    async def _token(self, name: str, request: Request) -> Token:
        """Return the access token. Security 1: the route asks for no policy, so all that a token must be is asked for
        here: valid (the core has looked), a bearer's (RFC 6750, 2.1), and made by this provider for this purpose.
        """
        if not request.headers.get("Authorization", "").startswith("Bearer ") and request.token:
            raise Refused("invalid_token", "access token must be sent as a Bearer token", 401)
        token = await self.server.tokens.lookup(request.token) if request.caller else None
        if token is None:
            raise Refused("invalid_token", "permission denied", 401)
        if token.meta != ACCESS_TOKEN or "client_id" not in token.internal:
            raise Refused("invalid_token", "access token is malformed or invalid", 401)
        if token.internal["provider"] != name:
            raise Refused("invalid_token", "permission denied", 401)
        return token
