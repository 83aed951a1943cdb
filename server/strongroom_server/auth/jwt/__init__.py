"""Login with signed tokens of another issuer, or at an OpenID provider (api-docs/auth/jwt)."""

import asyncio
import html
import logging
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from strongroom_common.fields import Given
from strongroom_server.auth.jwt import claims, flow, schemas
from strongroom_server.auth.jwt.flow import Logins, Pending
from strongroom_server.auth.jwt.keys import Keys, Verified
from strongroom_server.auth.jwt.provider import Discovered, Provider
from strongroom_server.auth.jwt.schemas import JWT, OIDC, AuthUrl, Callback, Config, Login, Role
from strongroom_server.lib import tokenparams
from strongroom_server.lib.cidr import allows
from strongroom_server.lib.folders import Page, keys
from strongroom_server.lib.locks import KeyedLocks
from strongroom_server.sdk.engine import Engine as Base
from strongroom_server.sdk.engine import delete, list_, read, write
from strongroom_server.sdk.errors import InvalidRequest, NotFound, PermissionDenied, UpstreamError
from strongroom_server.sdk.request import Alias, Auth, Raw, Request, Response
from strongroom_server.sdk.storage import load, remove, save

log = logging.getLogger("auth.jwt")

_CONFIG = "config"


class Engine(Base):
    """Lets in whoever has a token of a trusted issuer, or logs in at an OpenID provider."""

    async def start(self) -> None:
        """Make ready."""
        self._provider = Provider(self.system.clock)
        self._keys = Keys(self._provider, self.system.clock)
        self._logins = Logins(self.system.clock)
        self._locks = KeyedLocks()
        self._loading = asyncio.Lock()
        self._config: Config | None = None

    async def close(self) -> None:
        """Close the connections to the issuer."""
        await self._provider.close()

    def invalidate(self, key: str) -> None:
        """Read the configuration anew when another server changed it."""
        if key in {"", _CONFIG}:
            self._forget()

    # -- configuration ------------------------------------------------------------------------------------------

    @read("config")
    async def read_config(self) -> dict[str, Any]:
        """Read how tokens are known."""
        config = await self._load_config()
        if config is None:
            raise NotFound
        return config.facts() | {"status": await self._status(config)}

    @write("config")
    async def write_config(self, given: Given[Config]) -> Response:
        """Say how tokens are known; what is not given is reset."""
        config = replace(given.value, default_role=given.value.default_role.lower())
        warnings = schemas.check_config(config)
        try:
            await self._keys.check(config)
        except InvalidRequest as error:
            if not config.skip_jwks_validation:
                raise
            warnings.append(str(error))
        async with self._loading:
            await save(self.storage, _CONFIG, config)
            self._forget()
        return Response(warnings=warnings)

    # -- roles --------------------------------------------------------------------------------------------------

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
            role = schemas.changed_role(given, await self._role(name), request)
            warnings = tokenparams.within_mount(role, self.system.max_lease_ttl)
            await save(self.storage, _key(name), role)
        return Response(warnings=warnings + schemas.role_warnings(role))

    @delete("role/{name}")
    async def delete_role(self, name: str) -> None:
        """Delete a role; tokens live on until they end, and are not renewed."""
        await self.storage.commit([remove(_key(name))])

    # -- login with a token -------------------------------------------------------------------------------------

    @write("login", public=True)
    async def login(self, given: Given[Login], request: Request) -> Response:
        """Log in with a token of the issuer."""
        config = await self._known_config()
        name, role = await self._login_role(config, given.value.role)
        if role.role_type == OIDC:
            raise InvalidRequest("role with oidc role_type is not allowed")
        if not given.value.jwt:
            raise InvalidRequest("missing token")
        _check_address(role, request)
        try:
            token = await self._keys.verify(config, given.value.jwt.reveal())
        except InvalidRequest as error:
            raise InvalidRequest(f"error validating token: {error}") from None
        claims.check_token(config, role, token, self.system.clock.now())
        return Response(auth=_auth(name, role, token.claims, request))

    async def renew_login(self, auth: Auth, request: Request) -> Auth:
        """Go on while the role is there; raises InvalidRequest otherwise."""
        name = auth.internal.get("role", "")
        role = await self._role(name)
        if role is None:
            raise InvalidRequest(f"role {name} does not exist during renewal")
        return tokenparams.renewed(role, auth)

    # -- login at a provider ------------------------------------------------------------------------------------

    @write("oidc/auth_url", public=True)
    async def begin_oidc(self, given: Given[AuthUrl], request: Request) -> dict[str, Any]:
        """Begin a login at the provider: get the address to send the user to.

        It is empty where the role does not allow the redirect URI, as in Vault.
        """
        config = await self._oidc_config()
        sent = given.value
        name, role = await self._login_role(config, sent.role)
        if role.role_type == JWT:
            raise InvalidRequest("role with jwt role_type is not allowed")
        if not sent.redirect_uri:
            raise InvalidRequest("missing redirect_uri")
        if not flow.allowed_redirect(sent.redirect_uri, role.allowed_redirect_uris):
            log.warning("role %s does not allow the redirect_uri %s", name, sent.redirect_uri)
            return {"auth_url": ""}
        found = await self._provider.discover(config)
        namespace = request.namespace.strip("/") if config.namespace_in_state else ""
        state, pending = self._logins.begin(name, sent.redirect_uri, sent.client_nonce, namespace)
        return {"auth_url": flow.auth_url(found.authorization_endpoint, config, role, state, pending)}

    @write("oidc/callback", public=True)
    async def post_oidc(self, given: Given[Callback]) -> Response:
        """Keep what the provider posts through the user's browser, which is then sent on to end the login."""
        await self._oidc_config()
        sent = given.value
        if sent.error:
            raise flow.failed(f"{sent.error} {sent.error_description}".strip())
        self._logins.keep(sent.state.reveal(), sent.code, sent.id_token)
        target = html.escape("callback?" + urlencode({"state": sent.state.reveal()}))
        page = f'<!DOCTYPE html><meta http-equiv="refresh" content="0;url={target}"><a href="{target}">Go on</a>'
        return Response(raw=Raw(page.encode(), "text/html; charset=utf-8"))

    @read("oidc/callback", public=True)
    async def end_oidc(self, given: Given[Callback], request: Request) -> Response:
        """End a login at the provider."""
        config = await self._oidc_config()
        sent = given.value
        pending = self._logins.finish(sent.state.reveal(), sent.client_nonce)
        if sent.error:
            raise flow.failed(f"{sent.error} {sent.error_description}".strip())
        role = await self._role(pending.role)
        if role is None:
            raise flow.failed("Role could not be found")
        _check_address(role, request)
        told = await self._told(config, role, pending, sent)
        if role.verbose_oidc_logging:
            log.debug("OIDC login with the claims %s", told)
        return Response(auth=_auth(pending.role, role, told, request))

    async def _told(self, config: Config, role: Role, pending: Pending, sent: Callback) -> dict[str, Any]:
        """Return the claims about the user: of the id token, and of the user info where there is an access token."""
        code = (sent.code or pending.code).reveal()
        token, access, found = (sent.id_token or pending.id_token).reveal(), "", None
        if code and config.wants_code:
            found = await self._provider.discover(config)
            tokens = await self._redeem(config, found, pending, code)
            token, access = str(tokens.get("id_token") or ""), str(tokens.get("access_token") or "")
        if not token:
            raise flow.failed("No code or id_token received.")
        verified = await self._verify(config, token)
        flow.check_id_token(config, role, verified, pending, self.system.clock.now())
        info = await self._user_info(config, found, access) if found and access else {}
        # Security 1: what is told about another user is not used (OpenID Connect Core 1.0, 5.3.2).
        same = info.get("sub") == verified.claims.get("sub")
        return {**verified.claims, **(info if same else {})}

    async def _redeem(self, config: Config, found: Discovered, pending: Pending, code: str) -> dict[str, Any]:
        try:
            return await self._provider.redeem(config, found, flow.redemption(pending, code))
        except UpstreamError as error:
            raise flow.failed(f'Error exchanging oidc code: "{error}".') from error

    async def _verify(self, config: Config, token: str) -> Verified:
        try:
            return await self._keys.verify(config, token)
        except InvalidRequest as error:
            raise flow.failed(f'Error exchanging oidc code: "{error}".') from None

    async def _user_info(self, config: Config, found: Discovered, access: str) -> dict[str, Any]:
        if not found.userinfo_endpoint:
            return {}
        try:
            return await self._provider.user_info(config, found, access)
        except UpstreamError:  # logged there; claims that are missing then are missed by the checks
            return {}

    # -- what several share -------------------------------------------------------------------------------------

    async def is_there(self, name: str) -> bool:
        """Tell whether there is such a role."""
        return await self.storage.get(_key(name)) is not None

    async def _status(self, config: Config) -> str:
        if not config.skip_jwks_validation:
            return "valid"
        try:
            await self._keys.check(config)
        except InvalidRequest as error:
            return str(error)
        return "valid"

    async def _login_role(self, config: Config, asked: str) -> tuple[str, Role]:
        name = (asked or config.default_role).lower()
        if not name:
            raise InvalidRequest("missing role")
        role = await self._role(name)
        if role is None:
            raise InvalidRequest(f'role "{name}" could not be found')
        return name, role

    async def _known_config(self) -> Config:
        config = await self._load_config()
        if config is None:
            raise InvalidRequest("could not load configuration")
        return config

    async def _oidc_config(self) -> Config:
        config = await self._load_config()
        if config is None or not config.oidc_client_id:
            raise InvalidRequest("OIDC login is not configured for this mount")
        return config

    async def _load_config(self) -> Config | None:
        if self._config is None:
            async with self._loading:  # of many logins one loads, and none of what a write replaces meanwhile
                self._config = self._config or await load(self.storage, _CONFIG, Config)
        return self._config

    def _forget(self) -> None:
        self._config = None
        self._keys.forget()

    async def _role(self, name: str) -> Role | None:
        return await load(self.storage, _key(name), Role)


def _key(name: str) -> str:
    return "role/" + name.lower()


def _check_address(role: Role, request: Request) -> None:
    if not allows(role.token_bound_cidrs, request.connection.remote_address):
        raise PermissionDenied


def _auth(name: str, role: Role, told: claims.Claims, request: Request) -> Auth:
    """Return the login of whom the claims are about, if the role lets them in."""
    claims.check_bound_claims(role, told)
    user = claims.user(role, told)
    facts = claims.metadata(role, told) | {"role": name}
    auth = tokenparams.login(role, request)
    auth.alias = Alias(user, facts)
    auth.group_aliases = tuple(Alias(group) for group in claims.groups(role, told))
    auth.display_name = user
    auth.metadata = dict(facts)
    auth.internal = {"role": name}
    return auth
