"""identity/oidc/client: the applications that let people log in by a provider of ours."""

from dataclasses import replace
from typing import Annotated, Any

from strongroom_common.fields import Given, public
from strongroom_common.secret import Secret
from strongroom_server.core.areas import Area
from strongroom_server.core.identity.oidc.records import CONFIDENTIAL, PUBLIC, Client, KnownClient, tidy
from strongroom_server.core.tokens import random_text
from strongroom_server.lib.folders import keys
from strongroom_server.sdk.engine import delete, list_, read, write
from strongroom_server.sdk.errors import InvalidRequest, NotFound

Name = Annotated[str, "Name of the client."]


class Clients(Area):
    """Clients of OpenID providers."""

    @write("oidc/client/{name}")
    async def write_client(self, name: Name, body: Given[Client]) -> None:
        """Create or update a client."""
        store = self.server.identity.oidc
        async with store.changing.of(f"client/{name}"):
            stored = await store.clients.get(name)
            settings = body.over(stored.settings if stored else None)
            settings = replace(
                settings, redirect_uris=tidy(settings.redirect_uris), assignments=tidy(settings.assignments)
            )
            await self._check(settings, stored)
            await store.clients.save(name, replace(stored or _fresh(settings), settings=settings))

    async def _check(self, settings: Client, stored: KnownClient | None) -> None:
        store = self.server.identity.oidc
        if stored is not None and settings.key != stored.settings.key:
            raise InvalidRequest("key modification is not allowed")
        if await store.key(settings.key) is None:
            raise InvalidRequest(f'key "{settings.key}" does not exist')
        if stored is not None and settings.client_type != stored.settings.client_type:
            raise InvalidRequest("client_type modification is not allowed")
        if settings.client_type not in {CONFIDENTIAL, PUBLIC}:
            raise InvalidRequest(f'invalid client_type "{settings.client_type}"')
        if settings.client_credentials and settings.client_type != CONFIDENTIAL:
            raise InvalidRequest("client_credentials=true is only allowed for client_type=confidential")
        for assignment in settings.assignments:
            if await store.assignments.get(assignment) is None:
                raise InvalidRequest(f'assignment "{assignment}" does not exist')
        key = await store.ready_key(settings.key)
        if settings.id_token_ttl > key.settings.verification_ttl:
            raise InvalidRequest(
                "a client's id_token_ttl cannot be greater than the verification_ttl of the key it references"
            )

    @read("oidc/client/{name}")
    async def read_client(self, name: Name) -> dict[str, Any]:
        """Read a client, with its secret."""
        known = await self.server.identity.oidc.clients.get(name)
        if known is None:
            raise NotFound
        secret = {} if known.public else {"client_secret": known.client_secret.reveal()}
        return _facts(known) | secret

    @list_("oidc/client")
    async def list_clients(self) -> dict[str, Any]:
        """List the clients."""
        known = await self.server.identity.oidc.clients.all()
        return keys(list(known)) | {"key_info": {name: _facts(client) for name, client in known.items()}}

    @delete("oidc/client/{name}")
    async def delete_client(self, name: Name) -> None:
        """Delete a client; its access tokens are good for nothing from now on."""
        await self.server.identity.oidc.clients.remove(name)


def _fresh(settings: Client) -> KnownClient:
    secret = "" if settings.client_type == PUBLIC else f"hvo_secret_{random_text(64)}"
    return KnownClient(settings, random_text(32), Secret(secret))


def _facts(known: KnownClient) -> dict[str, Any]:
    return public(known.settings) | {"client_id": known.client_id}
