"""Login for programs, by the id of a role and a secret id (api-docs/auth/approle)."""

import asyncio
import logging
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from strongroom_common.fields import Given
from strongroom_server.auth.approle import schemas, secret_ids
from strongroom_server.auth.approle.roles import Roles
from strongroom_server.auth.approle.schemas import FIELDS, Role
from strongroom_server.auth.approle.secret_ids import SecretId, SecretIds
from strongroom_server.lib import tokenparams
from strongroom_server.lib.cidr import allows
from strongroom_server.lib.folders import Page, keys
from strongroom_server.sdk.engine import Engine as Base
from strongroom_server.sdk.engine import delete, list_, read, write
from strongroom_server.sdk.errors import InvalidCredentials, InvalidRequest, NotFound
from strongroom_server.sdk.request import Alias, Auth, Request, Response

log = logging.getLogger("auth.approle")

TIDY_EVERY = 3600  # seconds
_LONGEST = 4096  # bytes of a secret id, and of a role's name
_WRONG = "invalid role or secret ID"
_STARTED = (
    "Tidy operation successfully started. Any information from the operation will be printed to Vault's server logs."
)
_OLD_NAME = 'The "bound_cidr_list" field is deprecated and will be removed. Please use "secret_id_bound_cidrs" instead.'
Handler = TypeVar("Handler", bound=Callable[..., Any])


def _each_field(declare: Callable[[str], Callable[[Handler], Handler]]) -> Callable[[Handler], Handler]:
    """Declare the decorated method for every path of a single field."""

    def decorate(handler: Handler) -> Handler:
        for path in FIELDS:
            handler = declare(f"role/{{role_name}}/{path}")(handler)
        return handler

    return decorate


class Engine(Base):
    """Lets programs log in with a role id and a secret id."""

    async def start(self) -> None:
        """Make ready."""
        self._roles = Roles(self.storage)
        self._secret_ids = SecretIds(self.storage, self.system.clock)
        self._tidied = self.system.clock.now()
        self._tidying: asyncio.Task[None] | None = None

    async def tick(self) -> None:
        """Remove secret ids whose time has passed, now and then."""
        if self.system.clock.now() - self._tidied >= TIDY_EVERY:
            self._tidied = self.system.clock.now()
            await self._secret_ids.tidy()

    async def close(self) -> None:
        """Stop tidying."""
        if self._tidying is not None:
            self._tidying.cancel()

    # -- roles --------------------------------------------------------------------------------------------------

    @list_("role")
    async def list_roles(self, page: Given[Page]) -> dict[str, Any]:
        """List the roles."""
        return keys(page.value.cut(await self._roles.names()))

    @read("role/{role_name}")
    async def read_role(self, role_name: str) -> dict[str, Any]:
        """Read a role."""
        return schemas.role_facts(await self._known(role_name, NotFound()))

    @write("role/{role_name}", exists="is_there")
    async def write_role(self, role_name: str, given: Given[Role], request: Request) -> Response:
        """Create or update a role."""
        if "role_id" in given.sent and not given.value.role_id:
            raise InvalidRequest("invalid role_id supplied, or failed to generate a role_id")
        if len(role_name.encode()) > _LONGEST:
            raise InvalidRequest(f"role_name is longer than maximum of {_LONGEST} bytes")
        async with self._roles.writing:
            stored = await self._roles.find(role_name)
            role = tokenparams.updated(given, stored, request)
            if stored is not None and role.local_secret_ids != stored.local_secret_ids:
                raise InvalidRequest("local_secret_ids can only be modified during role creation")
            schemas.check_role(role)
            longest = self.system.max_lease_ttl
            warnings = tokenparams.within_mount(role, longest, period="period" in request.data)
            await self._roles.save(role_name, role, stored)
        return Response(warnings=warnings)

    @delete("role/{role_name}")
    async def delete_role(self, role_name: str) -> None:
        """Delete a role with its secret ids; tokens live on until they end, and are not renewed."""
        async with self._roles.writing:
            role = await self._roles.find(role_name)
            if role is not None:
                await self._roles.delete(role_name, role, await self._secret_ids.all_of(role_name.lower()))

    @read("role/{role_name}/role-id")
    async def read_role_id(self, role_name: str) -> dict[str, Any]:
        """Read the role id."""
        return {"role_id": (await self._known(role_name, NotFound())).role_id}

    @write("role/{role_name}/role-id")
    async def write_role_id(self, role_name: str, given: Given[schemas.RoleId]) -> None:
        """Choose the role id."""
        if not given.value.role_id:
            raise InvalidRequest("missing role_id")
        async with self._roles.writing:
            role = await self._known(role_name)
            await self._roles.save(role_name, replace(role, role_id=given.value.role_id), role)

    @read("role/{role_name}/local-secret-ids")
    async def read_local_secret_ids(self, role_name: str) -> dict[str, Any]:
        """Read whether secret ids stay on this cluster."""
        return {"local_secret_ids": (await self._known(role_name, NotFound())).local_secret_ids}

    @_each_field(read)
    async def read_field(self, role_name: str, request: Request) -> Response:
        """Read one field of a role."""
        role = await self._known(role_name, NotFound())
        field, name = _field(request)
        warnings = [_OLD_NAME] if name == "bound_cidr_list" else []
        return Response(schemas.field_facts(role, field, name), warnings=warnings)

    @_each_field(write)
    async def write_field(self, role_name: str, given: Given[Role], request: Request) -> None:
        """Write one field of a role."""
        field, name = _field(request)
        if field not in given.sent:
            raise InvalidRequest(f"missing {name}")
        await self._change(role_name, Given(given.value, frozenset({field})), request)

    @_each_field(delete)
    async def delete_field(self, role_name: str, request: Request) -> None:
        """Set one field of a role back to what it is by default."""
        field, _ = _field(request)
        if await self.is_there(role_name):
            await self._change(role_name, Given(Role(), frozenset({field})), request)

    # -- secret ids ---------------------------------------------------------------------------------------------

    @list_("role/{role_name}/secret-id")
    async def list_secret_ids(self, role_name: str, page: Given[Page]) -> dict[str, Any]:
        """List the accessors of a role's secret ids."""
        await self._known(role_name, InvalidRequest(f'role "{role_name}" does not exist'))
        return keys(page.value.cut(await self._secret_ids.accessors(role_name.lower())))

    @write("role/{role_name}/secret-id")
    async def make_secret_id(self, role_name: str, given: Given[schemas.SecretIdInput]) -> dict[str, Any]:
        """Make a secret id."""
        return await self._make(role_name, given.value, str(uuid.uuid4()))

    @write("role/{role_name}/custom-secret-id")
    async def make_custom_secret_id(self, role_name: str, given: Given[schemas.CustomSecretIdInput]) -> dict[str, Any]:
        """Make a secret id of one's own choice."""
        return await self._make(role_name, given.value, _named(given.value))

    @write("role/{role_name}/secret-id/lookup")
    async def look_up(self, role_name: str, given: Given[schemas.SecretIdName]) -> dict[str, Any] | None:
        """Read the properties of a secret id."""
        secret = _named(given.value)
        role = await self._known(role_name)
        entry = await self._secret_ids.find(role_name.lower(), role, secret)
        return None if entry is None else entry.facts()

    @write("role/{role_name}/secret-id/destroy")
    @delete("role/{role_name}/secret-id/destroy")
    async def destroy(self, role_name: str, given: Given[schemas.SecretIdName]) -> None:
        """Destroy a secret id."""
        secret = _named(given.value)
        await self._secret_ids.destroy(role_name.lower(), await self._known(role_name), secret)

    @write("role/{role_name}/secret-id-accessor/lookup")
    async def look_up_by_accessor(self, role_name: str, given: Given[schemas.AccessorName]) -> dict[str, Any]:
        """Read the properties of the secret id that an accessor leads to."""
        return (await self._by_accessor(role_name, given.value.secret_id_accessor)).facts()

    @write("role/{role_name}/secret-id-accessor/destroy")
    @delete("role/{role_name}/secret-id-accessor/destroy")
    async def destroy_by_accessor(self, role_name: str, given: Given[schemas.AccessorName]) -> None:
        """Destroy the secret id that an accessor leads to."""
        entry = await self._by_accessor(role_name, given.value.secret_id_accessor)
        await self._secret_ids.destroy_by_accessor(role_name.lower(), entry.accessor)

    @write("tidy/secret-id")
    async def tidy(self) -> Response:
        """Remove secret ids whose time has passed, in the background."""
        if self._tidying is not None and not self._tidying.done():
            return Response(warnings=["Tidy operation already in progress."])
        self._tidying = asyncio.ensure_future(self._tidy())
        return Response(status=202, warnings=[_STARTED])

    # -- login --------------------------------------------------------------------------------------------------

    @write("login", public=True)
    async def login(self, given: Given[schemas.Login], request: Request) -> Response:
        """Log in.

        Security 1: an unknown role id and a wrong secret id get the same words. Security 2: where the login comes
        from is checked before a use of the secret id is spent, so that a stranger cannot use it up.
        """
        role_id = given.value.role_id.strip()  # ids come out of files, with a line's end
        if not role_id:
            raise InvalidRequest("missing role_id")
        found = await self._roles.by_id(role_id)
        if found is None:
            raise InvalidRequest(_WRONG)
        name, role = found
        address = request.connection.remote_address
        entry = None
        if role.bind_secret_id:
            entry = await self._checked(name, role, _named(given.value).strip(), address)
        elif not allows(role.secret_id_bound_cidrs, address):
            raise InvalidRequest(_stranger(address))
        auth = tokenparams.login(role, request)
        auth.metadata = ((entry.metadata or {}) if entry else {}) | {"role_name": name}
        auth.alias = Alias(role.role_id, auth.metadata)
        auth.internal = {"role_name": name}
        if entry and entry.token_bound_cidrs:
            auth.bound_cidrs = entry.token_bound_cidrs
        return Response(auth=auth)

    def login_name(self, request: Request) -> str:
        """Return the role id of a login: what lockouts and entities know it by."""
        return _role_id(request) if request.path.rstrip("/") == "login" else ""

    async def login_role(self, request: Request) -> str:
        """Return the role of a login's role id."""
        found = await self._roles.by_id(_role_id(request))
        return found[0] if found else ""

    async def renew_login(self, auth: Auth, request: Request) -> Auth:
        """Go on while the role is there; raises InvalidRequest otherwise."""
        name = auth.internal.get("role_name", "")
        role = await self._known(name, InvalidRequest(f'role "{name}" does not exist during renewal'))
        return tokenparams.renewed(role, auth)

    async def is_there(self, role_name: str) -> bool:
        """Tell whether there is such a role."""
        return await self._roles.find(role_name) is not None

    async def _checked(self, name: str, role: Role, secret: str, address: str) -> SecretId:
        entry = await self._secret_ids.find(name, role, secret)
        if entry is None:
            raise InvalidCredentials(_WRONG)
        if not allows(entry.cidr_list, address):
            raise InvalidRequest(f'source address "{address}" unauthorized through CIDR restrictions on the secret ID')
        if not allows(role.secret_id_bound_cidrs, address):
            raise InvalidRequest(_stranger(address))
        if entry.num_uses and not await self._secret_ids.spend(name, role, secret):
            raise InvalidRequest(_WRONG)
        return entry

    async def _known(self, role_name: str, otherwise: Exception | None = None) -> Role:
        role = await self._roles.find(role_name)
        if role is None:
            raise otherwise or NotFound(f'role "{role_name}" does not exist')
        return role

    async def _change(self, role_name: str, given: Given[Role], request: Request) -> None:
        async with self._roles.writing:
            role = await self._known(role_name)
            changed = tokenparams.updated(given, role, request)
            schemas.check_role(changed)
            tokenparams.within_mount(changed, self.system.max_lease_ttl, period="period" in request.data)
            await self._roles.save(role_name, changed, role)

    async def _make(self, role_name: str, wanted: schemas.SecretIdInput, secret: str) -> dict[str, Any]:
        role = await self._known(role_name)
        schemas.check_secret_id(wanted, role)
        if len(secret.encode()) > _LONGEST:
            raise InvalidRequest(f"secret_id is longer than the maximum of {_LONGEST} bytes")
        ttl = wanted.ttl if wanted.ttl is not None else role.secret_id_ttl
        entry = secret_ids.make(
            self.system.clock.now(),
            wanted.num_uses if wanted.num_uses is not None else role.secret_id_num_uses,
            min(ttl, self.system.max_lease_ttl),
            metadata=schemas.metadata_of(wanted.metadata),
            cidr_list=wanted.cidr_list,
            token_bound_cidrs=wanted.token_bound_cidrs,
        )
        await self._secret_ids.add(role_name.lower(), role, secret, entry)
        return {
            "secret_id": secret,
            "secret_id_accessor": entry.accessor,
            "secret_id_num_uses": entry.num_uses,
            "secret_id_ttl": entry.ttl,
        }

    async def _by_accessor(self, role_name: str, accessor: str) -> SecretId:
        if not accessor:
            raise InvalidRequest("missing secret_id_accessor")
        await self._known(role_name)
        entry = await self._secret_ids.by_accessor(role_name.lower(), accessor)
        if entry is None:
            raise NotFound(f'failed to find accessor entry for secret_id_accessor: "{accessor}"')
        return entry

    async def _tidy(self) -> None:
        try:
            await self._secret_ids.tidy()
        except Exception:
            log.exception("tidying secret ids failed; the next round goes on")


def _named(given: schemas.Login | schemas.SecretIdName | schemas.CustomSecretIdInput) -> str:
    secret = given.secret_id.reveal()
    if not secret:
        raise InvalidRequest("missing secret_id")
    return secret


def _role_id(request: Request) -> str:
    return str(request.data.get("role_id", "")).strip()


def _field(request: Request) -> tuple[str, str]:
    return FIELDS[request.path.rstrip("/").rpartition("/")[2]]


def _stranger(address: str) -> str:
    return f'source address "{address}" unauthorized by CIDR restrictions on the role'
