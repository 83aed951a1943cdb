"""Login with signed tokens of another issuer, or at an OpenID provider (api-docs/auth/jwt)."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from secrets import compare_digest, token_urlsafe
from typing import Any

from strongroom_common.fields import Given
from strongroom_common.secret import Secret
from strongroom_server.auth.jwt import claims, flow, pages, policies, schemas
from strongroom_server.auth.jwt.answers import Answers, NotYet, Told
from strongroom_server.auth.jwt.cel_roles import CelRoles
from strongroom_server.auth.jwt.flow import Logins, Pending
from strongroom_server.auth.jwt.keys import Keys
from strongroom_server.auth.jwt.provider import Discovered, Provider
from strongroom_server.auth.jwt.schemas import (
    CLIENT,
    DEVICE,
    DIRECT,
    JWT,
    OIDC,
    AuthUrl,
    Callback,
    Config,
    Login,
    Poll,
    Role,
)
from strongroom_server.lib import tokenparams
from strongroom_server.lib.cidr import allows
from strongroom_server.lib.folders import Page, keys
from strongroom_server.lib.locks import KeyedLocks
from strongroom_server.sdk.engine import delete, list_, read, write
from strongroom_server.sdk.errors import InvalidRequest, NotFound, PermissionDenied, RequestError, UpstreamError
from strongroom_server.sdk.request import Alias, Auth, Raw, Request, Response
from strongroom_server.sdk.storage import load, remove, save

log = logging.getLogger("auth.jwt")

POLLED_EVERY = 5  # seconds
_CONFIG = "config"


class Engine(CelRoles):
    """Lets in whoever has a token of a trusted issuer, or logs in at an OpenID provider."""

    async def start(self) -> None:
        """Make ready."""
        self._provider = Provider(self.system.clock)
        self._keys = Keys(self._provider, self.system.clock)
        self._logins = Logins(self.system.clock)
        self._answers = Answers(self._provider, self._keys, self.system.clock)
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
        config = await self.known_config()
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
        claims.check_addressed(role, token)
        return Response(auth=_auth(name, role, Told(token.claims), request))

    async def renew_login(self, auth: Auth, request: Request) -> Auth:
        """Go on while the role is there; raises InvalidRequest otherwise."""
        if program := auth.internal.get("cel_role"):
            if not await self.is_cel_role(program):
                raise InvalidRequest(f"role {program} does not exist during renewal")
            return auth
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
        if not sent.redirect_uri and role.callback_mode != DEVICE:
            raise InvalidRequest("missing redirect_uri")
        if role.callback_mode != DEVICE and not flow.allowed_redirect(sent.redirect_uri, role.allowed_redirect_uris):
            log.warning("role %s does not allow the redirect_uri %s", name, sent.redirect_uri)
            return {"auth_url": ""}
        if role.callback_mode != CLIENT and not sent.client_nonce:
            raise InvalidRequest("missing client_nonce")
        found = await self._provider.discover(config)
        begin = partial(
            self._logins.begin, sent, name, request.namespace.strip("/") if config.namespace_in_state else "",
            address=request.connection.remote_address,
        )  # fmt: skip
        if role.callback_mode == DEVICE:
            return await self._begin_device(config, role, found, begin)
        state, pending = begin()
        url = flow.auth_url(found.authorization_endpoint, config, role, state, pending)
        if role.callback_mode == CLIENT:
            return {"auth_url": url}
        return {"auth_url": url, "state": state, "poll_interval": str(role.poll_interval or POLLED_EVERY)}

    async def _begin_device(
        self, config: Config, role: Role, found: Discovered, begin: Callable[..., tuple[str, Pending]]
    ) -> dict[str, Any]:
        try:
            told = await self._provider.begin_device(config, found, flow.scopes(role))
        except UpstreamError as error:
            raise InvalidRequest(f"the provider does not begin a login by device: {error}") from error
        state, _ = begin(device_code=Secret(str(told.get("device_code") or "")))
        interval = role.poll_interval or told.get("interval") or POLLED_EVERY
        complete = told.get("verification_uri_complete")
        facts = {"auth_url": complete or told.get("verification_uri"), "state": state, "poll_interval": str(interval)}
        return facts if complete else facts | {"user_code": told.get("user_code")}

    @write("oidc/callback", public=True)
    async def post_oidc(self, given: Given[Callback]) -> Response:
        """Keep what the provider posts through the user's browser, which is then sent on to end the login."""
        await self._oidc_config()
        sent = given.value
        if sent.error:
            raise flow.failed(f"{sent.error} {sent.error_description}".strip())
        self._logins.keep(sent.state.reveal(), code=sent.code, id_token=sent.id_token)
        return _page(pages.forward(sent.state.reveal()))

    @read("oidc/callback", public=True)
    async def end_oidc(self, given: Given[Callback], request: Request) -> Response:
        """End a login at the provider."""
        config = await self._oidc_config()
        sent = given.value
        state = sent.state.reveal()
        pending = self._logins.under_way(state)
        role = await self._role(pending.role)
        if role is not None and role.callback_mode == DIRECT:
            return await self._end_direct(config, role, pending, sent)
        pending = self._logins.finish(state, sent.client_nonce)
        if sent.error:
            raise flow.failed(f"{sent.error} {sent.error_description}".strip())
        if role is None:
            raise flow.failed("Role could not be found")
        _check_address(role, request)
        told = await self._answers.by_callback(config, role, pending, sent)
        if role.verbose_oidc_logging:
            log.debug("OIDC login with the claims %s", told.claims)
        return Response(auth=_auth(pending.role, role, told, request))

    async def _end_direct(self, config: Config, role: Role, pending: Pending, sent: Callback) -> Response:
        """Hear the provider's answer ourselves, and keep what it tells for the client that polls.

        Security 1: whoever is sent an address that somebody else has asked for would log in for that somebody. So the
        user is asked first (RFC 8628, 5.4), by a page whose link nobody else can make up.
        """
        state = sent.state.reveal()
        if sent.error:
            self._logins.end(state)
            raise flow.failed(f"{sent.error} {sent.error_description}".strip())
        if pending.told is not None:  # the user comes back to the page
            return _page(pages.done())
        if not role.oidc_disable_confirmation and not sent.confirmation:
            confirmation = Secret(token_urlsafe(24))
            kept = {"code": sent.code or pending.code, "id_token": sent.id_token or pending.id_token}
            self._logins.keep(state, confirmation=confirmation, **kept)
            return _page(pages.confirm(state, confirmation.reveal(), pending.role, pending.address))
        if not compare_digest(pending.confirmation.reveal().encode(), sent.confirmation.reveal().encode()):
            self._logins.end(state)
            raise flow.failed("Wrong confirmation.")
        try:
            told = await self._answers.by_callback(config, role, pending, sent)
            claims.check_bound_claims(role, told.claims)
        except RequestError:
            self._logins.end(state)
            raise
        self._logins.keep(state, told=told, code=Secret(""), id_token=Secret(""))
        return _page(pages.done())

    @write("oidc/poll", public=True)
    async def poll_oidc(self, given: Given[Poll], request: Request) -> Response:
        """Ask after a login whose answer the client does not hear itself."""
        config = await self._oidc_config()
        state = given.value.state.reveal()
        pending = self._logins.polled(state, given.value.client_nonce)
        role = await self._role(pending.role)
        if role is None or role.callback_mode == CLIENT:
            raise flow.failed("Role could not be found")
        _check_address(role, request)
        told = pending.told
        if pending.device_code:
            try:
                told = await self._answers.by_device(config, role, pending)
            except flow.Failed:
                self._logins.end(state)
                raise
        if told is None:
            raise NotYet("authorization_pending")
        self._logins.end(state)
        return Response(auth=_auth(pending.role, role, told, request))

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

    async def known_config(self) -> Config:
        """Return the configuration; raises InvalidRequest where there is none."""
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


def _page(text: str) -> Response:
    return Response(raw=Raw(text.encode(), "text/html; charset=utf-8"))


def _check_address(role: Role, request: Request) -> None:
    if not allows(role.token_bound_cidrs, request.connection.remote_address):
        raise PermissionDenied


def _auth(name: str, role: Role, told: Told, request: Request) -> Auth:
    """Return the login of whom the claims are about, if the role lets them in."""
    claims.check_bound_claims(role, told.claims)
    user = claims.user(role, told.claims)
    facts = claims.metadata(role, told.claims) | {"role": name}
    auth = tokenparams.login(role, request)
    if role.token_policies_template_claims:
        auth.policies = policies.filled(role.token_policies, told.claims)
    auth.alias = Alias(user, facts)
    auth.group_aliases = tuple(Alias(group) for group in claims.groups(role, told.claims))
    auth.display_name = user
    auth.metadata = facts | told.metadata(role.oauth2_metadata)
    auth.internal = {"role": name}
    return auth
