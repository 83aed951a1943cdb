"""Login for pods, by the token of their service account (api-docs/auth/kubernetes)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from strongroom_common.fields import Given
from strongroom_server.auth.kubernetes import claims, schemas, selectors
from strongroom_server.auth.kubernetes.api import IN_POD, ApiServer
from strongroom_server.auth.kubernetes.claims import Account
from strongroom_server.auth.kubernetes.keys import IssuerKeys
from strongroom_server.auth.kubernetes.review import Reviews
from strongroom_server.auth.kubernetes.schemas import KEYS, NAME, Config, Login, Role
from strongroom_server.lib import tokenparams
from strongroom_server.lib.cidr import allows
from strongroom_server.lib.folders import Page, keys
from strongroom_server.lib.globs import fits
from strongroom_server.lib.locks import KeyedLocks
from strongroom_server.sdk.engine import Engine as Base
from strongroom_server.sdk.engine import delete, list_, read, write
from strongroom_server.sdk.errors import InvalidRequest, NotFound, PermissionDenied
from strongroom_server.sdk.request import Alias, Auth, Request, Response
from strongroom_server.sdk.storage import load, remove, save

_CONFIG = "config"
Claims = Mapping[str, Any]


class Engine(Base):
    """Lets pods log in with the token of their service account."""

    account: ClassVar[Path] = IN_POD
    """Where a pod finds its own service account."""

    async def start(self) -> None:
        """Make ready."""
        self._api = ApiServer(self.account)
        self._reviews = Reviews(self._api, self.system.clock)
        self._keys = IssuerKeys(self._api)
        self._locks = KeyedLocks()
        self._config: Config | None = None

    async def close(self) -> None:
        """Close the connections to the API server."""
        await self._api.close()

    def invalidate(self, key: str) -> None:
        """Read the configuration anew when another server changed it."""
        if key in {"", _CONFIG}:
            self._forget()

    @read("config")
    async def read_config(self) -> dict[str, Any]:
        """Read how the cluster is reached."""
        config = await self._load_config()
        if config is None:
            raise NotFound
        return config.facts()

    @write("config")
    async def write_config(self, given: Given[Config]) -> Response:
        """Say how the cluster is reached; what is not given is reset."""
        warnings = schemas.check_config(given.value)
        self._api.check_local_files(given.value)
        await save(self.storage, _CONFIG, given.value)
        self._forget()
        return Response(warnings=warnings)

    @list_("role")
    async def list_roles(self, page: Given[Page]) -> dict[str, Any]:
        """List the roles."""
        return keys(page.value.cut(await self.storage.list("role/")))

    @read("role/{name}")
    async def read_role(self, name: str) -> dict[str, Any]:
        """Read a role."""
        role = await self._role(name)
        if role is None:
            raise NotFound
        return schemas.role_facts(role)

    @write("role/{name}", exists="is_there")
    async def write_role(self, name: str, given: Given[Role], request: Request) -> Response:
        """Create or update a role."""
        async with self._locks.of(name.lower()):
            role = tokenparams.updated(given, await self._role(name), request)
            schemas.check_role(role)
            warnings = tokenparams.within_mount(role, self.system.max_lease_ttl)
            await save(self.storage, _key(name), role)
        return Response(warnings=warnings)

    @delete("role/{name}")
    async def delete_role(self, name: str) -> None:
        """Delete a role; tokens live on until they end, and are not renewed."""
        await self.storage.commit([remove(_key(name))])

    @write("login", public=True)
    async def login(self, given: Given[Login], request: Request) -> Response:
        """Log in with a service account's token.

        What the token claims is checked first, as that is cheap and spares the API server; then that it is true.
        """
        sent = given.value
        if not sent.role:
            raise InvalidRequest("missing role")
        if not sent.jwt:
            raise InvalidRequest("missing jwt")
        role = await self._role(sent.role)
        if role is None:
            raise InvalidRequest(f'invalid role name "{sent.role}"')
        if not allows(role.token_bound_cidrs, request.connection.remote_address):
            raise PermissionDenied
        config = await self._load_config()
        if config is None:
            raise InvalidRequest("could not load backend configuration")
        token = sent.jwt.reveal()
        found = claims.unverified(token)
        account = claims.account(found)
        self._check_claims(config, role, found, account)
        await self._verify(config, role, token, found, account)
        await self._check_namespace(config, role, token, account)
        auth = _auth(sent.role.lower(), role, account, request)
        if config.use_annotations_as_alias_metadata and auth.alias:
            path = f"/api/v1/namespaces/{account.namespace}/serviceaccounts/{account.name}"
            owner = await self._api.get(config, path, token)
            # Security 3: what the method itself says of the account is not to be written over by its annotations.
            auth.alias.metadata = claims.annotated(owner) | auth.alias.metadata
        return Response(auth=auth)

    async def renew_login(self, auth: Auth, request: Request) -> Auth:
        """Go on while the role is there; raises InvalidRequest otherwise."""
        name = auth.internal.get("role", "")
        role = await self._role(name)
        if role is None:
            raise InvalidRequest(f"role {name!r} does not exist during renewal")
        return tokenparams.renewed(role, auth)

    async def is_there(self, name: str) -> bool:
        """Tell whether there is such a role."""
        return await self.storage.get(_key(name)) is not None

    def _check_claims(self, config: Config, role: Role, found: Claims, account: Account) -> None:
        claims.check_times(found, self.system.clock.now())
        if not config.disable_iss_validation:
            claims.check_issuer(found, config.issuer)
        if role.audience:
            claims.check_audience(found, role.audience)
        claims.check_name(role.bound_service_account_names, account.name)

    async def _verify(self, config: Config, role: Role, token: str, found: Claims, account: Account) -> None:
        """Security 1: nobody is let in whose token neither the API server nor the issuer's signature vouches for."""
        now = self.system.clock.now()
        if config.verification == KEYS:
            issuer = await self._keys.verify(config, token, now)
            claims.check_locally(found, issuer, role.audience)
            return
        if config.pem_keys:  # as Vault has it: the signature is checked here as well
            await self._keys.verify(config, token, now)
        await self._reviews.check(config, token, account, found, role.audience)

    async def _check_namespace(self, config: Config, role: Role, token: str, account: Account) -> None:
        """Security 2: a namespace that the role neither names nor selects is refused."""
        if fits(role.bound_service_account_namespaces, account.namespace):
            return
        selector = schemas.selector_of(role)
        if selector is not None:
            found = await self._api.get(config, f"/api/v1/namespaces/{account.namespace}", token)
            labels = found.get("metadata", {}).get("labels") or {}
            if found and selectors.matches(selector, labels):
                return
        raise PermissionDenied("namespace not authorized")

    async def _load_config(self) -> Config | None:
        if self._config is None:
            self._config = await load(self.storage, _CONFIG, Config)
        return self._config

    def _forget(self) -> None:
        self._config = None
        self._reviews.forget()
        self._keys.forget()

    async def _role(self, name: str) -> Role | None:
        return await load(self.storage, _key(name), Role)


def _key(name: str) -> str:
    return "role/" + name.lower()


def _auth(name: str, role: Role, account: Account, request: Request) -> Auth:
    facts = {
        "service_account_name": account.name,
        "service_account_namespace": account.namespace,
        "service_account_secret_name": account.secret,
        "service_account_uid": account.uid,
    }
    auth = tokenparams.login(role, request)
    by_name = role.alias_name_source == NAME
    auth.alias = Alias(f"{account.namespace}/{account.name}" if by_name else account.uid, facts)
    auth.display_name = f"{account.namespace}-{account.name}"
    auth.metadata = facts | {"role": name}
    auth.internal = {"role": name}
    return auth
