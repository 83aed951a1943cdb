"""identity/oidc: signing tokens, checking them, and telling the world how to."""

import re
from dataclasses import dataclass
from typing import Annotated, Any

from strongroom_common.fields import Given
from strongroom_common.secret import Secret
from strongroom_server.core.areas import Area
from strongroom_server.core.identity.oidc import template
from strongroom_server.core.identity.oidc.keyring import ALGORITHMS, signed
from strongroom_server.core.identity.oidc.records import base_of
from strongroom_server.core.identity.oidc.store import Config
from strongroom_server.core.identity.records import Entity
from strongroom_server.sdk import codec
from strongroom_server.sdk.engine import read, write
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.request import Request, Response

ISSUER = re.compile(r"https?://[^/?#\s]+", re.ASCII)
WRONG_ISSUER = (
    "invalid issuer, which must include only a scheme, host, and optional port (e.g. https://example.com:8200)"
)
ISSUER_IS_SET = (
    'If "issuer" is set explicitly, all tokens must be validated against that address, including those issued by '
    'secondary clusters. Setting issuer to "" will restore the default behavior of using the cluster\'s api_addr as '
    "the issuer."
)


@dataclass(frozen=True)
class Question:
    """A token to check."""

    token: Annotated[Secret[str], "The identity token."] = Secret("")
    client_id: Annotated[str, "Audience that the token must be for."] = ""


class Tokens(Area):
    """Identity tokens."""

    @read("oidc/config")
    async def read_config(self) -> Config:
        """Read the issuer's configuration."""
        return await self.server.identity.oidc.config()

    @write("oidc/config")
    async def write_config(self, body: Given[Config]) -> Response:
        """Configure the issuer."""
        store = self.server.identity.oidc
        config = body.over(await store.config())
        if config.issuer and not ISSUER.fullmatch(config.issuer):
            raise InvalidRequest(WRONG_ISSUER)
        await store.save_config(config)
        return Response(warnings=[ISSUER_IS_SET] if config.issuer else [])

    @read("oidc/.well-known/openid-configuration", public=True)
    async def discovery(self) -> Response:
        """Tell how identity tokens are checked (OpenID Connect Discovery 1.0, 4)."""
        issuer = await self._issuer()
        data = {
            "issuer": issuer,
            "jwks_uri": f"{issuer}/.well-known/keys",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": list(ALGORITHMS),
        }
        return Response(data, bare=True, headers={"Cache-Control": "max-age=3600"})

    @read("oidc/.well-known/keys", public=True)
    async def public_keys(self) -> Response:
        """Return the public keys (RFC 7517, 5)."""
        return Response({"keys": await self.server.identity.oidc.published()}, bare=True)

    async def _issuer(self) -> str:
        config = await self.server.identity.oidc.config()
        return f"{base_of(self.server, config.issuer)}/v1/{self.server.path}identity/oidc"

    @read("oidc/token/{name}")
    async def sign(self, name: Annotated[str, "Name of the role."], request: Request) -> dict[str, Any]:
        """Sign a token that says who the caller is."""
        role = await self.server.identity.oidc.roles.get(name)
        if role is None:
            raise InvalidRequest(f'role "{name}" not found')
        key = await self.server.identity.oidc.ready_key(role.key)
        if not key.allows(role.client_id):
            raise InvalidRequest(
                f'the key "{role.key}" does not list the client ID of the role "{name}" as an allowed client ID'
            )
        entity, now = self._caller(request), int(self.server.clock.now())
        claims = template.claims(role.template, self.server.identity.index, entity, now) | {
            "iss": await self._issuer(), "sub": entity.id, "aud": role.client_id, "iat": now, "exp": now + role.ttl,
            "namespace": self.server.identity.namespace,
        }  # fmt: skip
        return {"token": signed(key, claims), "client_id": role.client_id, "ttl": role.ttl}

    def _caller(self, request: Request) -> Entity:
        entity = self.server.identity.index.entity(request.caller.entity_id) if request.caller else None
        if entity is None:
            raise InvalidRequest("no entity associated with the request's token")
        return entity

    @write("oidc/introspect")
    async def introspect(self, body: Given[Question]) -> Response:
        """Tell whether a token is good (RFC 7662, 2.2)."""
        error = await self._objection(body.value)
        return Response({"active": False, "error": error} if error else {"active": True}, bare=True)

    async def _objection(self, asked: Question) -> str:
        """Say what is wrong with a token; "" if nothing is.

        Security 1: the algorithm is the key's own, never what the token's header asks for (RFC 8725, 3.1).
        """
        import jwt

        try:
            key_id = jwt.get_unverified_header(asked.token.reveal()).get("kid")
        except jwt.PyJWTError as error:
            return f"error parsing token: {error}"
        found = [jwk for jwk in await self.server.identity.oidc.published() if jwk["kid"] == key_id]
        try:
            claims = self._claims(asked.token.reveal(), found)
        except jwt.PyJWTError:
            return "unable to validate the token signature"
        return await self._wrong_claim(claims, asked.client_id)

    @staticmethod
    def _claims(token: str, found: list[dict[str, str]]) -> dict[str, Any]:
        import jwt

        if not found:
            raise jwt.InvalidSignatureError
        claims: dict[str, Any] = codec.loads(jwt.PyJWS().decode(token, jwt.PyJWK(found[0]).key, [found[0]["alg"]]))
        return claims

    async def _wrong_claim(self, claims: dict[str, Any], client_id: str) -> str:
        wrong = "error validating claims: "
        if claims.get("iss") != await self._issuer():
            return wrong + "invalid issuer claim (iss)"
        if client_id and claims.get("aud") != client_id:
            return wrong + "invalid audience claim (aud)"
        if claims.get("exp", 0) <= self.server.clock.now():
            return wrong + "token is expired (exp)"
        if not self.server.identity.usable(str(claims.get("sub") or "-")):
            return "entity was not found or is disabled"
        return ""
