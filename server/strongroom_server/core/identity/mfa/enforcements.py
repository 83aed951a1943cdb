"""identity/mfa/login-enforcement: which logins need a second factor."""

from dataclasses import asdict, dataclass
from typing import Annotated, Any

from strongroom_common.fields import Given, Names
from strongroom_server.core.areas import Area
from strongroom_server.core.identity.mfa.store import Enforcement
from strongroom_server.core.leases import fresh_nonce
from strongroom_server.lib.folders import keys
from strongroom_server.sdk.engine import delete, list_, read, write
from strongroom_server.sdk.errors import InvalidRequest, NotFound

Name = Annotated[str, "Name of the enforcement."]

_SUBJECTS = ("auth_method_accessors", "auth_method_types", "identity_group_ids", "identity_entity_ids")


@dataclass(frozen=True)
class Fields:
    """What an enforcement says: one of the methods is needed where one of the others fits."""

    mfa_method_ids: Annotated[Names, "Ids of the methods, of which one is needed."] = Names(())
    auth_method_accessors: Annotated[Names, "Accessors of auth mounts whose logins need it."] = Names(())
    auth_method_types: Annotated[Names, "Types of auth mounts whose logins need it."] = Names(())
    identity_group_ids: Annotated[Names, "Ids of groups whose members need it."] = Names(())
    identity_entity_ids: Annotated[Names, "Ids of entities who need it."] = Names(())


class Enforcements(Area):
    """Which logins need a second factor."""

    @write("mfa/login-enforcement/{name}")
    async def write_enforcement(self, name: Name, body: Given[Fields]) -> None:
        """Create or replace an enforcement."""
        store, value = self.server.identity.mfa, body.value
        await self._check(value)
        stored = (await store.enforcements()).get(name)
        await store.save_enforcement(name, Enforcement(stored.id if stored else fresh_nonce(), **asdict(value)))

    async def _check(self, value: Fields) -> None:
        if not value.mfa_method_ids:
            raise InvalidRequest("missing method ids")
        methods = await self.server.identity.mfa.methods()
        if not set(value.mfa_method_ids) <= methods.keys():
            raise InvalidRequest("one of the provided method ids doesn't exist")
        mounts, index = self.server.mounts, self.server.identity.index
        auths = {mount.entry.accessor: mount.entry.type for mount in mounts.table("auth").values()}
        for kind, wanted, known in (
            ("auth method accessors provided is invalid", value.auth_method_accessors, auths.keys()),
            ("auth method types provided is invalid", value.auth_method_types, set(auths.values())),
            ("provided group ids doesn't exist", value.identity_group_ids, index.groups.keys()),
            ("provided entity ids doesn't exist", value.identity_entity_ids, index.entities.keys()),
        ):
            if not set(wanted) <= known:
                raise InvalidRequest(f"one of the {kind}")
        if not any(getattr(value, name) for name in _SUBJECTS):
            raise InvalidRequest("One of auth_method_accessors, auth_method_types, identity_group_ids, "
                                 "identity_entity_ids must be specified")  # fmt: skip

    @read("mfa/login-enforcement/{name}")
    async def read_enforcement(self, name: Name) -> dict[str, Any]:
        """Read an enforcement."""
        found = (await self.server.identity.mfa.enforcements()).get(name)
        if found is None:
            raise NotFound
        return self._facts(name, found)

    @list_("mfa/login-enforcement")
    async def list_enforcements(self) -> dict[str, Any]:
        """List the enforcements."""
        known = await self.server.identity.mfa.enforcements()
        return keys(list(known)) | {"key_info": {name: self._facts(name, found) for name, found in known.items()}}

    @delete("mfa/login-enforcement/{name}")
    async def delete_enforcement(self, name: Name) -> None:
        """Delete an enforcement: its logins need nothing more from now on."""
        await self.server.identity.mfa.remove_enforcement(name)

    def _facts(self, name: str, found: Enforcement) -> dict[str, Any]:
        where = {"namespace_id": self.server.identity.namespace, "namespace_path": self.server.path}
        return asdict(found) | {"name": name} | where
