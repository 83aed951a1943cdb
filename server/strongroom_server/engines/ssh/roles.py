"""Roles: what a client may have signed, or for which hosts it may get a password."""

import ipaddress
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from strongroom_common.fields import KINDS, Given, Ints, Object, Pairs, Seconds, public
from strongroom_server.engines.ssh.certificate import DEFAULT, RSA_ALGORITHMS
from strongroom_server.lib.folders import Page, keys
from strongroom_server.sdk.engine import Engine, delete, list_, read, write
from strongroom_server.sdk.errors import InvalidRequest, NotFound
from strongroom_server.sdk.storage import load, put, remove, save

OTP, CA = "otp", "ca"
_OF_BOTH = frozenset({"key_type", "default_user", "allowed_users"})
_OF_OTP = frozenset({"cidr_list", "exclude_cidr_list", "port"})


@dataclass(frozen=True)
class Role:
    """Body of a write of a role; a write replaces all of it."""

    key_type: Annotated[str, "ca (certificates) or otp (one-time passwords)."] = ""
    default_user: Annotated[str, "User name where the client asks for none; needed for otp."] = ""
    allowed_users: Annotated[str, "User names that may be asked for, with commas between; * is any."] = ""
    cidr_list: Annotated[str, "otp: networks of the hosts that passwords are given for."] = ""
    exclude_cidr_list: Annotated[str, "otp: networks of hosts that they are not given for."] = ""
    port: Annotated[int, "otp: port of the SSH server, only told to the client."] = 22
    allow_user_certificates: Annotated[bool, "ca: whether certificates for users are signed."] = False
    allow_host_certificates: Annotated[bool, "ca: whether certificates for hosts are signed."] = False
    allowed_users_template: Annotated[bool, "ca: whether allowed_users holds identity templates."] = False
    default_user_template: Annotated[bool, "ca: whether default_user holds identity templates."] = False
    allowed_domains: Annotated[str, "ca: domains of hosts, with commas between; * is any."] = ""
    allowed_domains_template: Annotated[bool, "ca: whether allowed_domains holds identity templates."] = False
    allow_bare_domains: Annotated[bool, "ca: whether the domains themselves may be asked for."] = False
    allow_subdomains: Annotated[bool, "ca: whether names below the domains may be asked for."] = False
    allow_empty_principals: Annotated[bool, "ca: whether a certificate may be for everybody. Unsafe."] = False
    allow_commas_in_identity_templates: Annotated[
        bool, "ca: whether what is filled in may hold commas, and so be several names. Unsafe."
    ] = False
    allow_wildcards_in_identity_templates: Annotated[
        bool, "ca: whether what is filled in may hold a *, and so mean any name. Unsafe."
    ] = False
    default_critical_options: Annotated[Pairs, "ca: critical options where the client asks for none."] = field(
        default_factory=lambda: Pairs({})
    )
    default_extensions: Annotated[Pairs, "ca: extensions where the client asks for none."] = field(
        default_factory=lambda: Pairs({})
    )
    default_extensions_template: Annotated[bool, "ca: whether their values hold identity templates."] = False
    allowed_critical_options: Annotated[str, "ca: critical options that may be asked for; empty is any."] = ""
    allowed_extensions: Annotated[str, "ca: extensions that may be asked for; * is any, empty is none."] = ""
    allow_user_key_ids: Annotated[bool, "ca: whether the client may choose the key id."] = False
    key_id_format: Annotated[
        str, "ca: the key id, with {{token_display_name}}, {{role_name}} and {{public_key_hash}} filled in."
    ] = ""
    allowed_user_key_lengths: Annotated[
        Object, "ca: types of keys that are signed, each with its size in bits or a list of sizes; empty is any."
    ] = field(default_factory=lambda: Object({}))
    algorithm_signer: Annotated[str, "ca: rsa-sha2-256, rsa-sha2-512 or ssh-rsa, for issuers with an RSA key."] = ""
    issuer_ref: Annotated[str, "ca: name or id of the issuer that signs."] = DEFAULT
    ttl: Annotated[Seconds, "ca: how long a certificate holds; 0 is as the mount says."] = Seconds(0)
    max_ttl: Annotated[Seconds, "ca: how long one may hold at most; 0 is as the mount says."] = Seconds(0)
    not_before_duration: Annotated[Seconds, "ca: how long before now a certificate begins to hold."] = Seconds(30)

    def facts(self) -> dict[str, Any]:
        """Return what a read shows: the fields of this type of role."""
        otp = self.key_type == OTP
        return {name: value for name, value in public(self).items()
                if name in _OF_BOTH or (name in _OF_OTP) == otp}  # fmt: skip

    @property
    def summary(self) -> dict[str, str]:
        """Return what a list shows."""
        return {"key_type": self.key_type} | ({} if self.key_type == OTP else {"issuer_ref": self.issuer_ref})


@dataclass(frozen=True)
class RoleNames:
    """The roles whose passwords are given for hosts anywhere."""

    roles: tuple[str, ...] = ()


class RolePaths(Engine):
    """Keeps roles."""

    @list_("roles")
    async def list_roles(self, page: Given[Page]) -> dict[str, Any]:
        """List the roles."""
        listed = keys(page.value.cut(await self.storage.list("role/")))
        found = {name: await self.find_role(name) for name in listed["keys"]}
        return listed | {"key_info": {name: role.summary for name, role in found.items() if role}}

    @read("roles/{role:at}")
    async def read_role(self, role: Annotated[str, "Name of the role."]) -> dict[str, Any]:
        """Read a role."""
        found = await self.find_role(role)
        if found is None:
            raise NotFound
        return found.facts()

    @write("roles/{role:at}")
    async def write_role(self, role: str, given: Given[Role]) -> None:
        """Create a role, or replace it."""
        await save(self.storage, f"role/{role}", _normal(given.value))

    @delete("roles/{role:at}")
    async def delete_role(self, role: str) -> None:
        """Delete a role."""
        anywhere = await self.zero_address_roles()
        left = RoleNames(tuple(name for name in anywhere if name != role))
        changes = [remove(f"role/{role}")]
        if len(left.roles) != len(anywhere):
            changes.append(put("config/zeroaddress", left))
        await self.storage.commit(changes)

    async def find_role(self, name: str) -> Role | None:
        """Return a role, or None."""
        return await load(self.storage, f"role/{name}", Role)

    async def zero_address_roles(self) -> tuple[str, ...]:
        """Return the names of roles for hosts anywhere."""
        stored = await load(self.storage, "config/zeroaddress", RoleNames)
        return stored.roles if stored else ()


def _normal(role: Role) -> Role:
    """Return the role as it is stored; raises InvalidRequest."""
    if not role.key_type:
        raise InvalidRequest("missing key type")
    if role.key_type == "dynamic":
        raise InvalidRequest("dynamic key type roles are no longer supported")
    if role.key_type not in {OTP, CA}:
        raise InvalidRequest("invalid key type: expected ca or otp")
    return _normal_otp(role) if role.key_type == OTP else _normal_ca(role)


def _normal_otp(role: Role) -> Role:
    if not role.default_user:
        raise InvalidRequest("missing default user")
    for name in ("cidr_list", "exclude_cidr_list"):
        for network in split_names(getattr(role, name)):
            _check_network(name, network)
    return role


def _check_network(name: str, network: str) -> None:
    try:
        ipaddress.ip_network(network, strict=False)
    except ValueError:
        raise InvalidRequest(f"failed to validate {name}: expected networks such as 10.0.0.0/8") from None


def _normal_ca(role: Role) -> Role:
    if not role.allow_user_certificates and not role.allow_host_certificates:
        raise InvalidRequest("Either 'allow_user_certificates' or 'allow_host_certificates' must be set to 'true'")
    if role.max_ttl and role.ttl > role.max_ttl:
        raise InvalidRequest('"ttl" value must be less than "max_ttl" when both are specified')
    algorithm = role.algorithm_signer or DEFAULT
    if algorithm != DEFAULT and algorithm not in RSA_ALGORITHMS:
        known = ", ".join([*RSA_ALGORITHMS, DEFAULT])
        raise InvalidRequest(f'unknown algorithm signer "{algorithm}": expected one of {known}')
    lengths = Object({name: _sizes(size) for name, size in role.allowed_user_key_lengths.items()})
    return replace(
        role, algorithm_signer=algorithm, issuer_ref=role.issuer_ref or DEFAULT, allowed_user_key_lengths=lengths
    )


def _sizes(raw: Any) -> list[int]:
    try:
        return list(KINDS[Ints].parse(raw))
    except (TypeError, ValueError):
        raise InvalidRequest("error processing allowed_user_key_lengths: expected sizes in bits") from None


def split_names(text: str) -> tuple[str, ...]:
    """Return the names in a text with commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())
