"""Login by the certificate that a client shows when it connects (api-docs/auth/cert)."""

import asyncio
import contextlib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cryptography import x509

from strongroom_common.fields import Given, public
from strongroom_server.auth.cert import names, ocsp, schemas, web
from strongroom_server.auth.cert.chains import Chain, chain_to
from strongroom_server.auth.cert.schemas import Config, Crl, CrlInput, Login, Role
from strongroom_server.lib import tokenparams
from strongroom_server.lib.cidr import allows
from strongroom_server.lib.folders import Page, keys
from strongroom_server.lib.x509 import der, load_certificate
from strongroom_server.sdk.engine import Engine as Base
from strongroom_server.sdk.engine import delete, list_, read, write
from strongroom_server.sdk.errors import InvalidRequest, NotFound, PermissionDenied
from strongroom_server.sdk.request import Alias, Auth, Request, Response
from strongroom_server.sdk.storage import load, remove, save

_CONFIG = "config"
_UNKNOWN = "invalid certificate or no client certificate supplied"
_UNFIT = "no chain matching all constraints could be found for this login certificate"


@dataclass(frozen=True)
class Trusted:
    """A role and its certificates, parsed."""

    role: Role
    certificates: Chain


class Engine(Base):
    """Lets clients log in with TLS certificates."""

    async def start(self) -> None:
        """Make ready, and tell the listeners whose certificates to take."""
        self._changing = asyncio.Lock()
        self._roles: Mapping[str, Trusted] | None = None
        self._revoked: frozenset[str] | None = None
        await self._trusted()

    async def close(self) -> None:
        """Trust nobody any more."""
        self.system.trust_clients(())

    def invalidate(self, key: str) -> None:
        """Read anew what another server changed."""
        del key
        self._roles = self._revoked = None

    async def tick(self) -> None:
        """Tell the listeners of roles that another server changed; fetch revocation lists whose time is over."""
        await self._trusted()
        now = self.system.clock.now()
        for name in await self.storage.list("crl/"):
            crl = await load(self.storage, _crl_key(name), Crl)
            if crl is not None and crl.url and crl.ends <= now:
                await self._fetch_again(name, crl.url)

    # -- roles --------------------------------------------------------------------------------------------------

    @list_("certs")
    async def list_certs(self, page: Given[Page]) -> dict[str, Any]:
        """List the roles."""
        return keys(page.value.cut(await self.storage.list("cert/")))

    @read("certs/{name}")
    async def read_cert(self, name: str) -> dict[str, Any]:
        """Read a role."""
        role = await self._role(name)
        if role is None:
            raise NotFound
        return schemas.role_facts(role)

    @write("certs/{name}", exists="is_there")
    async def write_cert(self, name: str, given: Given[Role], request: Request) -> None:
        """Create or update a role."""
        async with self._changing:
            role = tokenparams.updated(given, await self._role(name), request)
            role = replace(role, display_name=role.display_name or name.lower())
            schemas.check_role(role)
            await save(self.storage, _key(name), role)
            self._roles = None
        await self._trusted()

    @delete("certs/{name}")
    async def delete_cert(self, name: str) -> None:
        """Delete a role; tokens live on until they end, and are not renewed."""
        async with self._changing:
            await self.storage.commit([remove(_key(name))])
            self._roles = None
        await self._trusted()

    # -- revocation lists and configuration ---------------------------------------------------------------------

    @list_("crls")
    async def list_crls(self, page: Given[Page]) -> dict[str, Any]:
        """List the revocation lists."""
        return keys(page.value.cut(await self.storage.list("crl/")))

    @read("crls/{name}")
    async def read_crl(self, name: str) -> dict[str, Any]:
        """Read the serial numbers of a revocation list."""
        return (await self._crl(name)).facts()

    @write("crls/{name}")
    async def write_crl(self, name: str, given: Given[CrlInput]) -> None:
        """Store a revocation list; certificates that it names do not log in."""
        sent = given.value
        if bool(sent.crl) == bool(sent.url):
            raise InvalidRequest("one of 'crl' or 'url' must be provided")
        crl = await web.fetch_crl(sent.url) if sent.url else await self.system.run_blocking(schemas.given_crl, sent.crl)
        async with self._changing:
            await save(self.storage, _crl_key(name), crl)
            self._revoked = None

    @delete("crls/{name}")
    async def delete_crl(self, name: str) -> None:
        """Forget a revocation list."""
        await self._crl(name)
        async with self._changing:
            await self.storage.commit([remove(_crl_key(name))])
            self._revoked = None

    @read("config")
    async def read_config(self) -> dict[str, Any]:
        """Read what holds for the mount."""
        return public(await self._config())

    @write("config")
    async def write_config(self, given: Given[Config]) -> None:
        """Say what holds for the mount."""
        async with self._changing:
            config = given.over(await self._config())
            schemas.check_config(config)
            await save(self.storage, _CONFIG, config)

    async def _fetch_again(self, name: str, url: str) -> None:
        """Replace a list by what is published now; where nothing is, the old one goes on."""
        with contextlib.suppress(InvalidRequest):  # logged there, and tried again in a minute
            crl = await web.fetch_crl(url)
            async with self._changing:
                await save(self.storage, _crl_key(name), crl)
                self._revoked = None

    # -- logins -------------------------------------------------------------------------------------------------

    @write("login", public=True)
    async def login(self, given: Given[Login], request: Request) -> Response:
        """Log in with the certificate that the client has shown."""
        shown = _shown(request)
        name, role = await self._matching(given.value.name, shown)
        if not allows(role.token_bound_cidrs, request.connection.remote_address):
            raise PermissionDenied
        facts = names.metadata(name, role, shown[0])
        auth = tokenparams.login(role, request)
        told = facts if (await self._config()).enable_identity_alias_metadata else {}
        auth.alias = Alias(_user(shown[0]), told)
        auth.display_name = role.display_name
        auth.metadata = facts
        auth.internal = {"role": name, "fingerprint": _fingerprint(shown[0])}
        return Response(auth=auth)

    async def renew_login(self, auth: Auth, request: Request) -> Auth:
        """Go on while the role takes the very certificate of the login; raises InvalidRequest otherwise."""
        name = auth.internal.get("role", "")
        if not (await self._config()).disable_binding:
            shown = _shown(request)
            if _fingerprint(shown[0]) != auth.internal.get("fingerprint"):
                raise InvalidRequest("client identity during renewal not matching client identity used during login")
            await self._matching(name, shown)
        role = await self._role(name)
        if role is None:
            raise InvalidRequest(f"role {name!r} does not exist during renewal")
        if not tokenparams.same_policies(role.token_policies, auth.policies):
            raise InvalidRequest("policies have changed, not renewing")
        return tokenparams.renewed(role, auth)

    async def _matching(self, wanted: str, shown: Chain) -> tuple[str, Role]:
        """Return the first role that takes a certificate; raises InvalidRequest where none does."""
        revoked = await self._revoked_serials()
        reason = _UNKNOWN
        for name, trusted in (await self._trusted()).items():
            if wanted and name != wanted.lower():
                continue
            chain = chain_to(trusted.certificates, shown, self.system.clock.now())
            if chain is None:
                continue
            reason = _UNFIT
            # Security 1: a revoked certificate anywhere on the way ends it (RFC 5280, 6.3).
            good = revoked.isdisjoint(str(one.serial_number) for one in chain)
            if good and names.allowed(trusted.role, shown[0]) and await self._vouched_for(trusted.role, chain):
                return name, trusted.role
        raise InvalidRequest(reason)

    async def _vouched_for(self, role: Role, chain: Chain) -> bool:
        """Tell whether the authority's responders let a certificate pass; one that is trusted itself has none."""
        if not role.ocsp_enabled or len(chain) < 2:
            return True
        return await ocsp.good(role, chain[0], chain[1], self.system.clock.now(), web.ask_responder)

    # -- what is kept in memory ---------------------------------------------------------------------------------

    async def _trusted(self) -> Mapping[str, Trusted]:
        """Return all roles by name; what they trust is told to the listeners when it is read."""
        if self._roles is None:
            async with self._changing:
                found = {}
                for name in await self.storage.list("cert/"):
                    if (role := await self._role(name)) is not None:
                        found[name] = Trusted(role, schemas.trusted_certificates(role))
                self.system.trust_clients(der(one) for each in found.values() for one in each.certificates)
                self._roles = found
        return self._roles

    async def _revoked_serials(self) -> frozenset[str]:
        if self._revoked is None:
            async with self._changing:
                lists = [await self._crl(name) for name in await self.storage.list("crl/")]
                self._revoked = frozenset().union(*(one.serials for one in lists))
        return self._revoked

    async def is_there(self, name: str) -> bool:
        """Tell whether there is such a role."""
        return await self.storage.get(_key(name)) is not None

    async def _role(self, name: str) -> Role | None:
        return await load(self.storage, _key(name), Role)

    async def _crl(self, name: str) -> Crl:
        crl = await load(self.storage, _crl_key(name), Crl)
        if crl is None:
            raise InvalidRequest(f"no such CRL {name.lower()}")
        return crl

    async def _config(self) -> Config:
        return await load(self.storage, _CONFIG, Config) or Config()


def _key(name: str) -> str:
    return "cert/" + name.lower()


def _crl_key(name: str) -> str:
    return "crl/" + name.lower()


def _shown(request: Request) -> Chain:
    try:
        shown = [load_certificate(raw) for raw in request.connection.certificates]
    except ValueError:
        raise InvalidRequest(_UNKNOWN) from None
    if not shown:
        raise InvalidRequest("no client certificate found")
    return shown


def _user(certificate: x509.Certificate) -> str:
    """Return what the identity is named by; raises InvalidRequest for a certificate without a common name."""
    name = names.common_name(certificate)
    if not name:
        raise InvalidRequest("the certificate's subject has no common name")
    return name


def _fingerprint(certificate: x509.Certificate) -> str:
    return hashlib.sha256(der(certificate)).hexdigest()
