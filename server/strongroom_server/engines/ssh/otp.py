"""One-time passwords: a host's helper asks whether the password that a user typed is the one given out for it."""

import asyncio
import hashlib
import ipaddress
import uuid
from dataclasses import dataclass
from typing import Annotated, Any

from strongroom_common.fields import Given, Names
from strongroom_common.secret import Secret
from strongroom_server.engines.ssh.roles import OTP, Role, RoleNames, RolePaths, split_names
from strongroom_server.lib.cidr import allows
from strongroom_server.sdk.engine import delete, read, revokes, write
from strongroom_server.sdk.errors import InvalidRequest, NotFound
from strongroom_server.sdk.request import Lease, Request, Response
from strongroom_server.sdk.storage import Storage, load, put, remove, save
from strongroom_server.sdk.system import System

_ECHO = ("verify-echo-request", "verify-echo-response")  # a helper asks this to test its configuration


@dataclass(frozen=True)
class Host:
    """Which host a request is about."""

    ip: Annotated[str, "Address of the host."] = ""


@dataclass(frozen=True)
class Login(Host):
    """Body of a request for a password."""

    username: Annotated[str, "User on the host; empty is the role's default."] = ""


@dataclass(frozen=True)
class Typed:
    """Body of a host's request."""

    otp: Annotated[Secret[str], "The password that the user typed."] = Secret("")


@dataclass(frozen=True)
class Anywhere:
    """Body of a write of config/zeroaddress."""

    roles: Annotated[Names, "Roles whose passwords are given for any host, whatever their networks."] = Names(())


@dataclass(frozen=True)
class Password:
    """What is kept of a password that was given out, under its hash."""

    username: str
    ip: str
    role_name: str


class OtpPaths(RolePaths):
    """Gives and checks one-time passwords."""

    def __init__(self, storage: Storage, system: System) -> None:
        super().__init__(storage, system)
        self._spending = asyncio.Lock()

    @write("creds/{role:at}")
    async def make_password(self, role: Annotated[str, "Name of the role."], given: Given[Login]) -> Response:
        """Make a one-time password for a host."""
        known = await self.find_role(role)
        if known is None:
            raise InvalidRequest(f'Role "{role}" not found')
        if known.key_type != OTP:
            raise InvalidRequest(f"role key type '{known.key_type}' not allowed to create one-time passwords")
        ip = _address(given.value.ip)
        user = _user(known, given.value.username)
        if role not in await self.zero_address_roles() and not _covers(known, ip):
            raise InvalidRequest("Error validating IP: IP does not belong to role")
        password = str(uuid.uuid4())
        hashed = _hash(password)
        lease = Lease(
            "otp", {"hash": hashed}, ttl=self.system.default_lease_ttl, max_ttl=self.system.max_lease_ttl,
            renewable=False, beside=[put(f"otp/{hashed}", Password(user, ip, role))],
        )  # fmt: skip
        data = {"ip": ip, "key": password, "key_type": OTP, "port": known.port, "username": user}
        return Response(data, lease=lease)

    @revokes("otp")
    async def revoke_password(self, lease: Lease, request: Request) -> None:
        """Forget a password."""
        del request
        await self.storage.commit([remove(f"otp/{lease.internal['hash']}")])

    @write("verify", public=True)
    async def verify(self, given: Given[Typed]) -> dict[str, str]:
        """Tell a host whom a password is for, once.

        Security 1: the password is gone before the answer goes out, and of requests in parallel one gets it.
        """
        if given.value.otp.reveal() == _ECHO[0]:
            return {"message": _ECHO[1]}
        key = f"otp/{_hash(given.value.otp.reveal())}"
        async with self._spending:
            password = await load(self.storage, key, Password)
            if password is None:
                raise InvalidRequest("OTP not found")
            await self.storage.commit([remove(key)])
        return {"ip": password.ip, "role_name": password.role_name, "username": password.username}

    @write("lookup")
    async def look_up(self, given: Given[Host]) -> dict[str, Any]:
        """List the roles that give passwords for a host."""
        ip = _address(given.value.ip)
        anywhere = await self.zero_address_roles()
        found = {name: await self.find_role(name) for name in await self.storage.list("role/")}
        fitting = [name for name, role in found.items()
                   if role and role.key_type == OTP and (name in anywhere or _covers(role, ip))]  # fmt: skip
        return {"roles": fitting or None}

    @write("config/zeroaddress")
    async def write_zero_address(self, given: Given[Anywhere]) -> None:
        """Choose the roles whose passwords are given for any host."""
        if not given.value.roles:
            raise InvalidRequest("Missing roles")
        for name in given.value.roles:
            if await self.find_role(name) is None:
                raise InvalidRequest(f'Role "{name}" does not exist')
        await save(self.storage, "config/zeroaddress", RoleNames(given.value.roles))

    @read("config/zeroaddress")
    async def read_zero_address(self) -> dict[str, Any]:
        """Read the roles whose passwords are given for any host."""
        stored = await load(self.storage, "config/zeroaddress", RoleNames)
        if stored is None:
            raise NotFound
        return {"roles": stored.roles}

    @delete("config/zeroaddress")
    async def delete_zero_address(self) -> None:
        """Bind all roles to their networks again."""
        await self.storage.commit([remove("config/zeroaddress")])

    @delete("tidy/dynamic-keys")
    async def tidy(self) -> dict[str, str]:
        """Remove what roles of the type "dynamic" left in Vault before version 1.13: there is nothing here."""
        return {"message": "Removed 0 of 0 host keys."}


def _hash(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()


def _address(text: str) -> str:
    if not text:
        raise InvalidRequest("Missing ip")
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise InvalidRequest("Invalid IP: expected an address such as 10.0.0.1") from None


def _covers(role: Role, ip: str) -> bool:
    """Tell whether a host lies in the role's networks; no networks are none, not all."""
    inside, outside = split_names(role.cidr_list), split_names(role.exclude_cidr_list)
    return bool(inside) and allows(inside, ip) and not (outside and allows(outside, ip))


def _user(role: Role, asked: str) -> str:
    allowed = split_names(role.allowed_users)
    if asked in {"", role.default_user} or allowed == ("*",) or asked in allowed:
        return asked or role.default_user
    raise InvalidRequest("Username is not present is allowed users list" if allowed else
                         "Username has to be either in allowed users list or has to be a default username")  # fmt: skip
