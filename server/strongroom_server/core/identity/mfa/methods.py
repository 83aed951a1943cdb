"""identity/mfa/method: what second factors there are. The areas of all kinds are made from one declaration."""

from typing import Annotated, Any, cast

from strongroom_common.fields import Given
from strongroom_server.core.areas import Area
from strongroom_server.core.identity.mfa.kinds import KINDS, Settings
from strongroom_server.core.identity.mfa.store import Method, MfaStore
from strongroom_server.core.leases import fresh_nonce
from strongroom_server.lib.folders import keys
from strongroom_server.sdk.engine import delete, list_, read, write
from strongroom_server.sdk.errors import InvalidRequest, NotFound

Id = Annotated[str, "Id of the method."]


class MethodArea(Area):
    """What methods of all kinds share."""

    def facts(self, method: Method) -> dict[str, Any]:
        """Return what a read of a method shows."""
        return method.settings.facts() | {
            "id": method.id, "name": method.settings.method_name, "type": method.kind,
            "namespace_id": self.server.identity.namespace, "namespace_path": self.server.path,
        }  # fmt: skip

    def rows(self, methods: dict[str, Method]) -> dict[str, Any]:
        """Return what a list shows."""
        return keys(list(methods)) | {"key_info": {name: self.facts(method) for name, method in methods.items()}}

    async def save(self, kind: str, settings: Settings, stored: Method | None = None) -> str:
        """Store a method: ``stored`` anew, or the one of this name, or a fresh one; returns its id."""
        store = self.server.identity.mfa
        settings.check()
        if stored is None and settings.method_name:
            known = (await store.methods([kind])).values()
            stored = next((m for m in known if m.settings.method_name == settings.method_name), None)
        if stored is not None and not settings.method_name:
            settings = settings.named(stored.settings.method_name)
        method = Method(stored.id if stored else fresh_nonce(), kind, settings)
        await store.save_method(method)
        return method.id


class AllMethods(MethodArea):
    """Methods of whatever kind."""

    @list_("mfa/method")
    async def list_all(self) -> dict[str, Any]:
        """List the methods of all kinds."""
        return self.rows(await self.server.identity.mfa.methods())

    @read("mfa/method/{method_id:hex}")
    async def read_any(self, method_id: Id) -> dict[str, Any]:
        """Read a method of whatever kind."""
        method = await self.server.identity.mfa.method(method_id)
        if method is None:
            raise NotFound
        return self.facts(method)


def methods_of(kind: str) -> type[MethodArea]:
    """Return the area of the methods of one kind."""

    class Methods(MethodArea):
        __doc__ = f"Methods of kind {kind}."

        @write(f"mfa/method/{kind}")
        async def create_method(self, body: Given[KINDS[kind]]) -> dict[str, Any]:  # type: ignore[valid-type]  # it is
            """Create a method, or update the one of this name."""
            return {"method_id": await self.save(kind, cast(Any, body).value)}

        @write(f"mfa/method/{kind}/{{method_id:hex}}")
        async def update_method(self, method_id: Id, body: Given[KINDS[kind]]) -> None:  # type: ignore[valid-type]  # it is
            """Write a method anew; its name stays where none is given."""
            stored = await _of_kind(self.server.identity.mfa, kind, method_id)
            await self.save(kind, cast(Any, body).value, stored)

        @read(f"mfa/method/{kind}/{{method_id:hex}}")
        async def read_method(self, method_id: Id) -> dict[str, Any]:
            """Read a method."""
            return self.facts(await _of_kind(self.server.identity.mfa, kind, method_id))

        @list_(f"mfa/method/{kind}")
        async def list_methods(self) -> dict[str, Any]:
            """List the methods of this kind."""
            return self.rows(await self.server.identity.mfa.methods([kind]))

        @delete(f"mfa/method/{kind}/{{method_id:hex}}")
        async def delete_method(self, method_id: Id) -> None:
            """Delete a method that no enforcement names, and everybody's secrets for it."""
            store = self.server.identity.mfa
            method = await store.method(method_id)
            if method is None:
                return
            for name, enforcement in (await store.enforcements()).items():
                if method_id in enforcement.mfa_method_ids:
                    raise InvalidRequest(
                        f"methodID is still used by an enforcement configuration with ID: {enforcement.id} ({name})"
                    )
            await store.remove_method(method)

    return Methods


async def _of_kind(store: MfaStore, kind: str, method_id: str) -> Method:
    method = await store.method(method_id)
    if method is None:
        raise NotFound
    if method.kind != kind:
        raise InvalidRequest(f"failed to find the method ID under MFA type {kind}.")
    return method
