"""Whether and how a mount speaks ACME; keys for external account binding."""

import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import msgspec

from strongroom_common.fields import Given, Names
from strongroom_common.secret import Secret
from strongroom_server.engines.pki.acme.challenges import Prober
from strongroom_server.engines.pki.acme.jws import encode
from strongroom_server.engines.pki.acme.records import Binding
from strongroom_server.engines.pki.acme.store import Nonces, Records
from strongroom_server.engines.pki.mount import Mount
from strongroom_server.lib.folders import Page, described
from strongroom_server.sdk.engine import delete, list_, read, write
from strongroom_server.sdk.errors import Internal
from strongroom_server.sdk.request import Response
from strongroom_server.sdk.storage import Storage, load, save
from strongroom_server.sdk.system import System

PREFIXES = ("", "roles/{role}/", "issuer/{issuer_ref}/", "issuer/{issuer_ref}/roles/{role}/")
"""Where directories are: for the default policy, for a role, for an issuer, for both."""

_POLICIES = ("not-required", "new-account-required", "always-required")
_KEY_PREFIX = "vault-eab-0-"
Handler = TypeVar("Handler", bound=Callable[..., Any])


def everywhere(declare: Callable[..., Callable[[Handler], Handler]], template: str,
               **flags: Any) -> Callable[[Handler], Handler]:  # fmt: skip
    """Declare the decorated method below every directory."""

    def decorate(handler: Handler) -> Handler:
        for prefix in PREFIXES:
            handler = declare(f"{prefix}acme/{template}", **flags)(handler)
        return handler

    return decorate


class AcmeConfig(msgspec.Struct, frozen=True):
    """The mount's rules."""

    enabled: bool = False
    allowed_issuers: tuple[str, ...] = ("*",)
    allowed_roles: tuple[str, ...] = ("*",)
    allow_role_ext_key_usage: bool = False
    default_directory_policy: str = "sign-verbatim"
    dns_resolver: str = ""
    eab_policy: str = "not-required"


@dataclass(frozen=True)
class AcmeInput:
    """Body of a write of config/acme."""

    enabled: Annotated[bool, "Whether ACME is spoken."] = False
    allowed_issuers: Annotated[Names, "Issuers with a directory; * is all."] = Names(("*",))
    allowed_roles: Annotated[Names, "Roles with a directory; * is all."] = Names(("*",))
    allow_role_ext_key_usage: Annotated[bool, "Whether extended key usages are the role's, not TLS servers' alone."] = (
        False
    )
    default_directory_policy: Annotated[str, '"forbid", "sign-verbatim" or "role:NAME".'] = "sign-verbatim"
    dns_resolver: Annotated[str, "DNS server to ask, as address:port; empty is the system's."] = ""
    eab_policy: Annotated[str, 'Whether accounts need a key from here: "not-required" and so on.'] = "not-required"


class AcmeConfigPaths(Mount):
    """Keeps ACME's settings and keys."""

    def __init__(self, storage: Storage, system: System) -> None:
        super().__init__(storage, system)
        self.records = Records(storage)
        self.nonces = Nonces(system.clock)
        self.prober = Prober()

    async def acme_config(self) -> AcmeConfig:
        """Return the mount's rules."""
        return await load(self.storage, "config/acme", AcmeConfig) or AcmeConfig()

    @read("config/acme")
    async def read_acme(self) -> dict[str, Any]:
        """Read whether and how ACME is spoken."""
        return msgspec.structs.asdict(await self.acme_config())

    @write("config/acme")
    async def write_acme(self, given: Given[AcmeInput]) -> dict[str, Any]:
        """Change whether and how ACME is spoken."""
        changes = {name: getattr(given.value, name) for name in given.sent}
        changed = msgspec.structs.replace(await self.acme_config(), **changes)
        await self._check(changed)
        await save(self.storage, "config/acme", changed)
        return msgspec.structs.asdict(changed)

    @list_("eab")
    async def list_bindings(self, page: Given[Page]) -> dict[str, Any]:
        """List the keys for external account binding that no account has used."""
        return described(page.value, {one.id: one.facts() for one in await self.records.bindings()})

    @delete("eab/{key_id}")
    async def delete_binding(self, key_id: str) -> Response | None:
        """Delete such a key."""
        if await self.records.binding(key_id) is None:
            return Response(warnings=[f"No key id found with id: {key_id}"])
        await self.records.remove_binding(key_id)
        return None

    @everywhere(write, "new-eab")
    async def new_binding(self, role: str = "", issuer_ref: str = "") -> dict[str, Any]:
        """Make a key with which one account can be made."""
        directory = directory_path(role, issuer_ref)
        key = _KEY_PREFIX + encode(secrets.token_bytes(32))
        binding = Binding(str(uuid.uuid4()), Secret(key), directory, self.now)
        await self.records.add_binding(binding)
        return {"id": binding.id, "key": key, **binding.facts()}

    async def _check(self, config: AcmeConfig) -> None:
        if config.enabled and not (await self.signers.cluster()).path:
            raise Internal("ACME feature requires local cluster 'path' field configuration to be set")
        if config.eab_policy not in _POLICIES:
            raise Internal("invalid eab policy name provided, valid values are 'not-required', 'new-account-required', "
                           "'always-required'")  # fmt: skip
        _check_resolver(config.dns_resolver)
        await self._check_policy(config.default_directory_policy)
        for field in ("allowed_roles", "allowed_issuers"):
            if not getattr(config, field):
                raise Internal(f"{field} must take a non-zero length value; specify '*' as the value to allow anything "
                               "or specify enabled=false to disable ACME entirely")  # fmt: skip
        for name in config.allowed_roles:
            if name != "*" and await self.find_role(name) is None:
                raise Internal(f"allowed_role {name} is not a valid acme role: the request message was malformed: role "
                               "does not exist")  # fmt: skip
        for ref in config.allowed_issuers:
            if ref != "*":
                await self._check_issuer(ref)

    async def _check_policy(self, policy: str) -> None:
        kind, _, name = policy.partition(":")
        if policy in {"forbid", "sign-verbatim"}:
            return
        if kind != "role" or not name:
            raise Internal(f"invalid default_directory_policy: string {policy} not a valid Default Directory Policy")
        if await self.find_role(name) is None:
            raise Internal(f"default directory policy role {name} is not a valid ACME role: the request message was "
                           "malformed: role does not exist")  # fmt: skip

    async def _check_issuer(self, ref: str) -> None:
        try:
            await self.issuers.find(ref)
        except Internal as error:
            raise Internal(f"failed validating allowed_issuers: unable to fetch issuer: {ref}: {error}") from None


def directory_path(role: str, issuer_ref: str) -> str:
    """Return the path of a directory within the mount."""
    return f"{_prefix(role, issuer_ref)}acme/directory"


def _prefix(role: str, issuer_ref: str) -> str:
    return (f"issuer/{issuer_ref}/" if issuer_ref else "") + (f"roles/{role}/" if role else "")


def base_path(role: str, issuer_ref: str) -> str:
    """Return the path below which a directory's URLs are."""
    return f"{_prefix(role, issuer_ref)}acme"


def _check_resolver(text: str) -> None:
    if not text:
        return
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal():
        raise Internal(f"failed to parse DNS resolver address: address {text}: missing port in address")
