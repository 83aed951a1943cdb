"""What a user proves itself with: a password, an RSA key or a client certificate, made here and returned once."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from strongroom_common.fields import Pairs
from strongroom_server.engines.database import passwords
from strongroom_server.engines.database.schemas import Role, StaticRole
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.system import System

R = TypeVar("R", Role, StaticRole)

_DEFAULTS: Mapping[str, Mapping[str, str]] = {
    "password": {},
    "rsa_private_key": {"key_bits": "2048", "format": "pkcs8"},
    "client_certificate": {},
}


@dataclass(frozen=True)
class Credential:
    """What the client gets, and what the database is told of it."""

    shown: Mapping[str, Any] = field(repr=False)
    password: str = field(default="", repr=False)
    public_key: str = ""


def checked(role: R) -> R:
    """Return a role with its credential's settings complete; raises InvalidRequest."""
    if role.credential_type not in _DEFAULTS:
        raise InvalidRequest(f'invalid credential_type "{role.credential_type}"')
    config = {**_DEFAULTS[role.credential_type], **role.credential_config}
    return replace(role, credential_config=Pairs(config))


async def make(system: System, role: Role | StaticRole, policy: str) -> Credential:
    """Return a new credential; ``policy`` is the connection's for passwords. Raises InvalidRequest."""
    password = await passwords.make(system, role.credential_config.get("password_policy") or policy)
    return Credential({"password": password}, password)
