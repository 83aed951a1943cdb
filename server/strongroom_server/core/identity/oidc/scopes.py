"""identity/oidc/scope: claims that clients of a provider may ask for."""

from dataclasses import replace
from typing import Annotated, Any

from strongroom_common.fields import Given
from strongroom_server.core.areas import Area
from strongroom_server.core.identity.oidc import template
from strongroom_server.core.identity.oidc.records import Scope
from strongroom_server.lib.folders import keys
from strongroom_server.sdk.engine import delete, list_, read, write
from strongroom_server.sdk.errors import InvalidRequest, NotFound

Name = Annotated[str, "Name of the scope."]

OPENID = "openid"


class Scopes(Area):
    """Scopes of OpenID providers."""

    @write("oidc/scope/{name}")
    async def write_scope(self, name: Name, body: Given[Scope]) -> None:
        """Create or update a scope."""
        if name == OPENID:
            raise InvalidRequest(f'the "{OPENID}" scope name is reserved')
        scopes = self.server.identity.oidc.scopes
        scope = body.over(await scopes.get(name))
        if "template" in body.sent:
            scope = replace(scope, template=template.plain(scope.template))
            template.check(scope.template)
        await scopes.save(name, scope)

    @read("oidc/scope/{name}")
    async def read_scope(self, name: Name) -> Scope:
        """Read a scope."""
        scope = await self.server.identity.oidc.scopes.get(name)
        if scope is None:
            raise NotFound
        return scope

    @list_("oidc/scope")
    async def list_scopes(self) -> dict[str, Any]:
        """List the scopes."""
        return keys(await self.server.identity.oidc.scopes.names())

    @delete("oidc/scope/{name}")
    async def delete_scope(self, name: Name) -> None:
        """Delete a scope that no provider supports."""
        store = self.server.identity.oidc
        users = [user for user, provider in (await store.providers.all()).items() if name in provider.scopes_supported]
        if users:
            raise InvalidRequest(
                f'unable to delete scope "{name}" because it is currently referenced by these providers: '
                f"{', '.join(users)}"
            )
        await store.scopes.remove(name)
