"""The token endpoint: a client changes a code for tokens (OpenID Connect Core 1.0, 3.1.3), or gets one for itself."""

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import unquote_plus

from strongroom_common.fields import Given
from strongroom_common.secret import Secret
from strongroom_server.core.areas import Area
from strongroom_server.core.identity.oidc import template
from strongroom_server.core.identity.oidc.assignments import assigned
from strongroom_server.core.identity.oidc.authorize import check_verifier
from strongroom_server.core.identity.oidc.codes import Grant
from strongroom_server.core.identity.oidc.keyring import NamedKey, half_hash, signed
from strongroom_server.core.identity.oidc.records import KnownClient, Provider, issuer_of
from strongroom_server.core.identity.oidc.refusals import Refused
from strongroom_server.core.identity.oidc.scopes import OPENID
from strongroom_server.core.identity.records import Entity
from strongroom_server.core.identity.store import Identity
from strongroom_server.core.leases import fresh_nonce
from strongroom_server.sdk.engine import write
from strongroom_server.sdk.request import Auth, Request, Response

_NO_GRANT = "authorization grant is invalid or expired"
ACCESS_TOKEN = {"oidc_token_type": "access token"}


@dataclass(frozen=True)
class Demand:
    """What a client shows (RFC 6749, 4.1.3 and 4.4.2; RFC 7636, 4.5)."""

    grant_type: Annotated[str, "authorization_code or client_credentials."] = ""
    code: Annotated[Secret[str], "The authorization code."] = Secret("")
    redirect_uri: Annotated[str, "The address that the code was sent to."] = ""
    client_id: Annotated[str, "Id of the client, where it is not in the Authorization header."] = ""
    client_secret: Annotated[Secret[str], "Secret of the client, likewise."] = Secret("")
    code_verifier: Annotated[Secret[str], "What the code's challenge was made from."] = Secret("")
    scope: Annotated[str, "Scopes of client credentials; openid is one of them."] = ""


class Exchange(Area):
    """Tokens for codes."""

    @write("oidc/provider/{name}/token", public=True)
    async def exchange(
        self, name: Annotated[str, "Name of the provider."], body: Given[Demand], request: Request
    ) -> Response:
        """Change an authorization code for an id token and an access token."""
        try:
            response = Response(await self._tokens(name, body.value, request.headers), bare=True)
        except Refused as refused:
            response = refused.response()
        response.headers = {"Cache-Control": "no-store", "Pragma": "no-cache"}  # RFC 6749, 5.1
        return response

    async def _tokens(self, name: str, demand: Demand, headers: Mapping[str, str]) -> dict[str, Any]:
        provider = await self.server.identity.oidc.providers.get(name)
        if provider is None:
            raise Refused("invalid_request", "provider not found")
        client = await self._client(provider, demand, headers)
        key = await self._key(client)
        if demand.grant_type == "client_credentials":
            return self._for_itself(name, provider, client, key, demand.scope)
        if demand.grant_type != "authorization_code":
            raise Refused("unsupported_grant_type", "unsupported grant_type or parameter is empty value")
        grant = self._grant(name, client, demand)
        return await self._for_user(provider, client, key, grant, demand.code.reveal())

    async def _client(self, provider: Provider, demand: Demand, headers: Mapping[str, str]) -> KnownClient:
        """Return the client that asks. Security 1: secrets are compared in constant time; who is unknown and who has
        the wrong secret hear the same.
        """
        client_id, secret = _credentials(headers) or (demand.client_id, demand.client_secret.reveal())
        if not client_id:
            raise Refused("invalid_request", "client_id parameter is required")
        clients = await self.server.identity.oidc.clients.all()
        client = next((client for client in clients.values() if client.client_id == client_id), None)
        known = client.client_secret.reveal() if client else "-"
        proven = (client is not None and client.public) or hmac.compare_digest(known.encode(), secret.encode())
        if client is None or not proven:
            raise Refused("invalid_client", "client failed to authenticate", 401)
        if not provider.allows(client.client_id):
            raise Refused("invalid_client", "client is not authorized to use the provider", 401)
        return client

    async def _key(self, client: KnownClient) -> NamedKey:
        key = await self.server.identity.oidc.ready_key(client.settings.key)
        if not key.allows(client.client_id):
            raise Refused("invalid_client", "client is not authorized to use the key", 401)
        return key

    def _grant(self, name: str, client: KnownClient, demand: Demand) -> Grant:
        if not client.settings.authorization_code:
            raise Refused("invalid_grant", "client is not authorized to use given credentials flow")
        if not demand.code.reveal():
            raise Refused("invalid_request", "code parameter is required")
        grant = self.server.identity.oidc.codes.take(demand.code.reveal())
        if grant is None:
            raise Refused("invalid_grant", _NO_GRANT)
        if grant.client_id != client.client_id:
            raise Refused("invalid_grant", "authorization code was not issued to the client")
        if grant.provider != name:
            raise Refused("invalid_grant", "authorization code was not issued by the provider")
        if not demand.redirect_uri:
            raise Refused("invalid_request", "redirect_uri parameter is required")
        if grant.redirect_uri != demand.redirect_uri:
            raise Refused("invalid_grant", "redirect_uri does not match the redirect_uri used in the authorization "
                                           "request")  # fmt: skip
        check_verifier(grant, demand.code_verifier.reveal())
        return grant

    async def _for_user(
        self, provider: Provider, client: KnownClient, key: NamedKey, grant: Grant, code: str
    ) -> dict[str, Any]:
        identity, now = self.server.identity, int(self.server.clock.now())
        entity = identity.index.entity(grant.entity_id)
        if entity is None:
            raise Refused("invalid_request", "identity entity associated with the request not found")
        if entity.disabled or not await assigned(identity.oidc, identity.index, client, entity):
            raise Refused("invalid_request", "identity entity not authorized by client assignment")
        added = await scope_claims(identity, grant.scopes, entity, now)
        access_token = self._access_token(grant, client, entity)
        claims = added | {
            "iss": issuer_of(self.server, grant.provider, provider), "sub": entity.id,
            "aud": client.client_id, "iat": now, "exp": now + client.settings.id_token_ttl,
            "namespace": identity.namespace,
            "at_hash": half_hash(key.algorithm, access_token), "c_hash": half_hash(key.algorithm, code),
        }  # fmt: skip
        claims |= {"nonce": grant.nonce} if grant.nonce else {}
        claims |= {"auth_time": grant.auth_time} if grant.auth_time else {}
        return {"access_token": access_token, "expires_in": client.settings.access_token_ttl,
                "id_token": signed(key, claims), "token_type": "Bearer"}  # fmt: skip

    def _access_token(self, grant: Grant, client: KnownClient, entity: Entity) -> str:
        """Return a token that is good for the user's claims alone.

        Security 2: it has no policy, not even the default one, and does not stand for the user, whose own policies and
        groups it would have: the user is known to the userinfo endpoint only.
        """
        told = {"client_id": client.client_id, "provider": grant.provider, "scopes": grant.scopes, "entity": entity.id}
        ttl = max(client.settings.access_token_ttl, 1)  # 0 would be a token without an end
        auth = Auth(no_default_policy=True, metadata=dict(ACCESS_TOKEN), ttl=ttl, internal=told)
        text, _ = self.server.tokens.issue_batch(auth, f"oidc/provider/{grant.provider}/token")
        return text

    def _for_itself(
        self, name: str, provider: Provider, client: KnownClient, key: NamedKey, scope: str
    ) -> dict[str, Any]:
        """Return a token that says which client it is (RFC 6749, 4.4), to be checked by the provider's keys."""
        if not client.settings.client_credentials:
            raise Refused("invalid_grant", "client is not authorized to use given credentials flow")
        if OPENID not in scope.split():
            raise Refused("invalid_request", f'scope parameter must contain the "{OPENID}" value')
        now, ttl = int(self.server.clock.now()), client.settings.access_token_ttl
        claims = {
            "iss": issuer_of(self.server, name, provider), "sub": client.client_id,
            "aud": client.client_id, "iat": now, "exp": now + ttl, "jti": fresh_nonce(),
            "namespace": self.server.identity.namespace,
        }  # fmt: skip
        return {"access_token": signed(key, claims), "expires_in": ttl, "token_type": "Bearer"}


async def scope_claims(identity: Identity, scopes: tuple[str, ...], entity: Entity, now: int) -> dict[str, Any]:
    """Return what scopes tell of an entity; refuses scopes that say the same claim."""
    found: dict[str, Any] = {}
    owners: dict[str, str] = {}
    for name in scopes:
        scope = await identity.oidc.scopes.get(name)
        told = template.claims(scope.template, identity.index, entity, now) if scope else {}
        for claim in told.keys() & owners.keys():
            raise Refused("invalid_request", f'found scopes with conflicting top-level claim: claim "{claim}" in '
                                             f'scopes "{name}", "{owners[claim]}"')  # fmt: skip
        owners |= dict.fromkeys(told, name)
        found |= told
    return found


def _credentials(headers: Mapping[str, str]) -> tuple[str, str] | None:
    """Return what the Authorization header says (RFC 6749, 2.3.1: both parts are form-encoded)."""
    kind, _, text = headers.get("Authorization", "").partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        client_id, colon, secret = base64.b64decode(text, validate=True).decode().partition(":")
    except ValueError:
        return None
    return (unquote_plus(client_id), unquote_plus(secret)) if colon else None
