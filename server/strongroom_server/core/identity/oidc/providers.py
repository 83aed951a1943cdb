"""identity/oidc/provider: issuers for some clients, and what they publish (OpenID Connect Discovery 1.0)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any

from strongroom_common.fields import Given, public
from strongroom_server.core.areas import Area
from strongroom_server.core.identity.oidc import template
from strongroom_server.core.identity.oidc.keyring import ALGORITHMS, DEFAULT
from strongroom_server.core.identity.oidc.records import Provider, base_of, issuer_of, tidy
from strongroom_server.core.identity.oidc.scopes import OPENID
from strongroom_server.core.identity.oidc.tokens import ISSUER, ISSUER_IS_SET, WRONG_ISSUER
from strongroom_server.lib.folders import keys
from strongroom_server.sdk.engine import delete, list_, read, write
from strongroom_server.sdk.errors import InvalidRequest, NotFound
from strongroom_server.sdk.request import Response

Name = Annotated[str, "Name of the provider."]


@dataclass(frozen=True)
class Filter:
    """Which providers to list."""

    allowed_client_id: Annotated[str, "Only those that let this client in."] = ""


class Providers(Area):
    """OpenID providers."""

    @write("oidc/provider/{name}")
    async def write_provider(self, name: Name, body: Given[Provider]) -> Response:
        """Create or update a provider."""
        store = self.server.identity.oidc
        provider = body.over(await store.providers.get(name))
        provider = replace(
            provider,
            allowed_client_ids=tidy(provider.allowed_client_ids), scopes_supported=tidy(provider.scopes_supported),
        )  # fmt: skip
        if provider.issuer and not ISSUER.fullmatch(provider.issuer):
            raise InvalidRequest(WRONG_ISSUER)
        for scope in provider.scopes_supported:
            if scope == OPENID or await store.scopes.get(scope) is None:
                raise InvalidRequest(f'scope "{scope}" does not exist')
        await store.providers.save(name, provider)
        warnings = [ISSUER_IS_SET] if provider.issuer else []
        return Response(warnings=warnings + await self._conflicts(provider.scopes_supported))

    async def _conflicts(self, scopes: Iterable[str]) -> list[str]:
        owners: dict[str, str] = {}
        found = []
        for name in scopes:
            scope = await self.server.identity.oidc.scopes.get(name)
            for claim in template.names(scope.template) if scope else ():
                if claim in owners:
                    found.append(f'conflict "{claim}" in scopes "{name}", "{owners[claim]}"')
                owners.setdefault(claim, name)
        if not found:
            return []
        return [f"Found scope templates with conflicting top-level keys: {', '.join(found)}. This may result in an "
                "error if the scopes are requested in an OIDC Authentication Request."]  # fmt: skip

    @read("oidc/provider/{name}")
    async def read_provider(self, name: Name) -> dict[str, Any]:
        """Read a provider."""
        return self._facts(name, await self._provider(name))

    async def _provider(self, name: str) -> Provider:
        provider = await self.server.identity.oidc.providers.get(name)
        if provider is None:
            raise NotFound
        return provider

    def _facts(self, name: str, provider: Provider) -> dict[str, Any]:
        return public(provider) | {"issuer": issuer_of(self.server, name, provider)}

    @list_("oidc/provider")
    async def list_providers(self, body: Given[Filter]) -> dict[str, Any]:
        """List the providers."""
        client, known = body.value.allowed_client_id, await self.server.identity.oidc.providers.all()
        rows = {n: self._facts(n, provider) for n, provider in known.items() if not client or provider.allows(client)}
        return keys(list(rows)) | {"key_info": rows}

    @delete("oidc/provider/{name}")
    async def delete_provider(self, name: Name) -> None:
        """Delete a provider."""
        if name == DEFAULT:
            raise InvalidRequest(f'deletion of OIDC provider "{DEFAULT}" not allowed')
        await self.server.identity.oidc.providers.remove(name)

    @read("oidc/provider/{name}/.well-known/openid-configuration", public=True)
    async def discovery(self, name: Name) -> Response:
        """Tell clients where and how people log in (OpenID Connect Discovery 1.0, 3 and 4)."""
        provider = await self._provider(name)
        issuer = issuer_of(self.server, name, provider)
        base = base_of(self.server, provider.issuer)
        data = {
            "issuer": issuer,
            "jwks_uri": f"{issuer}/.well-known/keys",
            "authorization_endpoint": f"{base}/ui/vault/{self.server.path}identity/oidc/provider/{name}/authorize",
            "token_endpoint": f"{issuer}/token",
            "userinfo_endpoint": f"{issuer}/userinfo",
            "request_parameter_supported": False,
            "request_uri_parameter_supported": False,
            "id_token_signing_alg_values_supported": ALGORITHMS,
            "response_types_supported": ["code"],
            "scopes_supported": [*provider.scopes_supported, OPENID],
            "claims_supported": [],
            "subject_types_supported": ["public"],
            "grant_types_supported": ["authorization_code"],
            "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
        }
        return Response(data, bare=True, headers={"Cache-Control": "max-age=3600"})

    @read("oidc/provider/{name}/.well-known/keys", public=True)
    async def public_keys(self, name: Name) -> Response:
        """Return the public keys of the provider's clients (RFC 7517, 5)."""
        provider, store = await self._provider(name), self.server.identity.oidc
        names = {c.settings.key for c in (await store.clients.all()).values() if provider.allows(c.client_id)}
        return Response({"keys": await store.public_keys(names)}, bare=True)
