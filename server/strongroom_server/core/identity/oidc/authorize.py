"""The authorization endpoint: somebody who is logged in here lets a client know (OpenID Connect Core 1.0, 3.1.2).

As in Vault it is asked by a page or a program that holds the user's token, and answers with the code that the client
is to get, or with the error that it is to be told; sending the browser back is the asker's part.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from strongroom_common.fields import Given
from strongroom_server.core.areas import Area
from strongroom_server.core.identity.oidc.assignments import assigned
from strongroom_server.core.identity.oidc.codes import Grant
from strongroom_server.core.identity.oidc.records import KnownClient, Provider
from strongroom_server.core.identity.oidc.refusals import Refused
from strongroom_server.core.identity.oidc.scopes import OPENID
from strongroom_server.core.identity.records import Entity
from strongroom_server.sdk.engine import read, write
from strongroom_server.sdk.request import Request, Response

_LOOPBACK = frozenset({"127.0.0.1", "::1"})


@dataclass(frozen=True)
class Wish:
    """What the client asks for (OpenID Connect Core 1.0, 3.1.2.1; RFC 7636, 4.3)."""

    client_id: Annotated[str, "Id of the client."] = ""
    redirect_uri: Annotated[str, "Where the answer is to go: one of the client's addresses."] = ""
    response_type: Annotated[str, 'What is asked for: "code".'] = ""
    scope: Annotated[str, 'Scopes with blanks between; "openid" is one of them.'] = ""
    state: Annotated[str, "Goes back to the client as it is."] = ""
    nonce: Annotated[str, "Goes into the id token as it is."] = ""
    max_age: Annotated[int | None, "How many seconds ago the user may have logged in at most."] = None
    prompt: Annotated[str, "Accepted and not looked at: nobody is asked anything here."] = ""
    code_challenge: Annotated[str, "Proof Key for Code Exchange; public clients need it."] = ""
    code_challenge_method: Annotated[str, "plain or S256."] = "plain"
    request: Annotated[str, "Not supported."] = ""
    request_uri: Annotated[str, "Not supported."] = ""


class Authorize(Area):
    """Authorization codes for clients."""

    @read("oidc/provider/{name}/authorize")
    @write("oidc/provider/{name}/authorize")
    async def authorize(
        self, name: Annotated[str, "Name of the provider."], body: Given[Wish], request: Request
    ) -> Response:
        """Let the caller log in to a client: return a code for it."""
        wish = body.value
        try:
            code = await self._code(name, wish, request)
        except Refused as refused:
            return refused.response(state="" if refused.code.endswith("_not_supported") else wish.state)
        return Response({"code": code, "state": wish.state}, bare=True)

    async def _code(self, name: str, wish: Wish, request: Request) -> str:
        store, index = self.server.identity.oidc, self.server.identity.index
        client = _find(await store.clients.all(), wish.client_id)
        _check_address(wish, client)
        provider = await store.providers.get(name)
        if provider is None:
            raise Refused("invalid_request", "provider not found")
        _check_flow(wish, client, provider)
        entity = self._entity(request)
        if not await assigned(store, index, client, entity):
            raise Refused("access_denied", "identity entity not authorized by client assignment")
        _check_challenge(wish, client)
        scopes = tuple(scope for scope in dict.fromkeys(wish.scope.split()) if scope in provider.scopes_supported)
        grant = Grant(
            name, client.client_id, entity.id, wish.redirect_uri, scopes, wish.nonce,
            await self._auth_time(wish, request), wish.code_challenge, wish.code_challenge_method,
        )  # fmt: skip
        return store.codes.keep(grant)

    def _entity(self, request: Request) -> Entity:
        entity_id = request.caller.entity_id if request.caller else ""
        if not entity_id:
            raise Refused("access_denied", "identity entity must be associated with the request")
        entity = self.server.identity.index.entity(entity_id)
        if entity is None:
            raise Refused("access_denied", "identity entity associated with the request not found")
        return entity

    async def _auth_time(self, wish: Wish, request: Request) -> int:
        """Return when the caller logged in, where the client asked for it; refuses one who did too long ago."""
        if wish.max_age is None:
            return 0
        if wish.max_age < 1:
            raise Refused("invalid_request", "max_age must be greater than zero")
        token = await self.server.tokens.lookup(request.token)
        if token is None or self.server.clock.now() - token.created > wish.max_age:
            raise Refused("max_age_violation", "active re-authentication is required by max_age")
        return int(token.created)


def _find(clients: dict[str, KnownClient], client_id: str) -> KnownClient:
    if not client_id:
        raise Refused("invalid_client_id", "client_id parameter is required")
    client = next((client for client in clients.values() if client.client_id == client_id), None)
    if client is None:
        raise Refused("invalid_client_id", "client with client_id not found")
    return client


def _check_address(wish: Wish, client: KnownClient) -> None:
    if not wish.redirect_uri:
        raise Refused("invalid_request", "redirect_uri parameter is required")
    if not any(_same_place(wish.redirect_uri, known) for known in client.settings.redirect_uris):
        raise Refused("invalid_redirect_uri", "redirect_uri is not allowed for the client")


def _check_flow(wish: Wish, client: KnownClient, provider: Provider) -> None:
    """Refuse what is not this flow. Scopes not supported are let go (OpenID Connect Core 1.0, 3.1.2.1)."""
    if not provider.allows(client.client_id):
        raise Refused("unauthorized_client", "client is not authorized to use the provider")
    for name in ("request", "request_uri"):
        if getattr(wish, name):
            raise Refused(f"{name}_not_supported", f"{name} parameter is not supported")
    if OPENID not in wish.scope.split():
        raise Refused("invalid_request", f'scope parameter must contain the "{OPENID}" value')
    if not wish.response_type:
        raise Refused("invalid_request", "response_type parameter is required")
    if wish.response_type != "code":
        raise Refused("unsupported_response_type", "unsupported response_type value")
    if not client.settings.authorization_code:
        raise Refused("invalid_grant", "client not allowed to perform authorization code credential flow")


def _same_place(uri: str, known: str) -> bool:
    """Security 1: addresses are compared as text (RFC 9700, 2.1); only a program on the user's own machine, which
    cannot know its port ahead, may have another one (RFC 8252, 7.3).
    """
    if uri == known:
        return True
    try:
        asked, allowed = urlsplit(uri), urlsplit(known)
        asked_host, allowed_host = asked.hostname, allowed.hostname
        plain = asked.port is None or asked.port > 0
    except ValueError:
        return False
    if asked_host not in _LOOPBACK or asked_host != allowed_host or not plain or "@" in asked.netloc:
        return False
    return asked._replace(netloc="") == allowed._replace(netloc="")


def _check_challenge(wish: Wish, client: KnownClient) -> None:
    """Security 2: a public client proves that the code is its own (RFC 7636, 4.4.1)."""
    if client.public and not wish.code_challenge:
        raise Refused("invalid_request", "PKCE is required for public clients")
    if not wish.code_challenge:
        return
    if wish.code_challenge_method not in {"", "plain", "S256"}:
        raise Refused("invalid_request", "invalid code_challenge_method")
    if not 43 <= len(wish.code_challenge) <= 128:
        raise Refused("invalid_request", "invalid code_challenge")


def check_verifier(grant: Grant, verifier: str) -> None:
    """Refuse a client that cannot show what the challenge was made from (RFC 7636, 4.6)."""
    if not grant.challenge:
        if verifier:
            raise Refused("invalid_request", "unexpected code_verifier for token exchange")
        return
    if not verifier:
        raise Refused("invalid_request", "expected code_verifier for token exchange")
    made = verifier
    if grant.challenge_method == "S256":
        made = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    if not hmac.compare_digest(made.encode(), grant.challenge.encode()):
        raise Refused("invalid_grant", "invalid code_verifier for token exchange")
