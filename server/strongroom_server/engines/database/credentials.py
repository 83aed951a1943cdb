"""What a user proves itself with: a password, an RSA key or a client certificate, made here and returned once.

Source: api-docs/secret/databases, "Credential types".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from strongroom_common.fields import Pairs
from strongroom_server.engines.database import certificates, passwords
from strongroom_server.engines.database.schemas import Role, StaticRole
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.system import System

R = TypeVar("R", Role, StaticRole)


@dataclass(frozen=True)
class Credential:
    """What the client gets, and what the database is told of it."""

    shown: Mapping[str, Any] = field(repr=False)
    password: str = field(default="", repr=False)
    public_key: str = ""

    def stored(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {"shown": dict(self.shown), "password": self.password, "public_key": self.public_key}

    @classmethod
    def restored(cls, values: Mapping[str, Any]) -> "Credential":
        """Return what ``stored`` was called on."""
        return cls(**values)


def checked(role: R) -> R:
    """Return a role with its credential's settings complete, and no others; raises InvalidRequest."""
    check = _CHECKS.get(role.credential_type)
    if check is None:
        raise InvalidRequest(f'invalid credential_type "{role.credential_type}"')
    try:
        config = check(role.credential_config)
    except ValueError as error:
        raise InvalidRequest(f"credential_config validation failed: {error}") from None
    return replace(role, credential_config=Pairs(config))


def supported(role: Role | StaticRole, types: frozenset[str]) -> None:
    """Refuse a type of credential that the database cannot set; raises InvalidRequest."""
    if role.credential_type not in types:
        raise InvalidRequest(f'unsupported credential_type: "{role.credential_type}"')


async def make(system: System, role: Role | StaticRole, policy: str, username: str) -> Credential:
    """Return a new credential; ``policy`` is the connection's for passwords. Raises InvalidRequest."""
    config = role.credential_config
    match role.credential_type:
        case "password":
            password = await passwords.make(system, config.get("password_policy") or policy)
            return Credential({"password": password}, password)
        case "rsa_private_key":
            private, public = await system.run_blocking(certificates.rsa_pair, int(config["key_bits"]))
            return Credential({"rsa_private_key": private}, public_key=public)
        case _:
            shown = await system.run_blocking(certificates.issue, config, username, _days(system, role))
            return Credential(shown)


def _days(system: System, role: Role | StaticRole) -> tuple[float, float]:
    now = system.clock.now()
    ttl = role.default_ttl if isinstance(role, Role) else 0
    return now, now + (ttl or system.default_lease_ttl)


def _password(config: Mapping[str, str]) -> dict[str, str]:
    policy = config.get("password_policy", "")
    return {"password_policy": policy} if policy else {}


def _rsa(config: Mapping[str, str]) -> dict[str, str]:
    config = {name: config.get(name) or default for name, default in (("key_bits", "2048"), ("format", "pkcs8"))}
    if config["key_bits"] not in {"2048", "3072", "4096"}:
        raise ValueError(f"invalid key_bits: {config['key_bits']}")
    if config["format"] != "pkcs8":
        raise ValueError(f"invalid format: {config['format']}")
    return config


_CHECKS: Mapping[str, Callable[[Mapping[str, str]], dict[str, str]]] = {
    "password": _password,
    "rsa_private_key": _rsa,
    "client_certificate": certificates.checked,
}
