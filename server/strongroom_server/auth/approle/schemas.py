"""Roles of AppRole and the bodies of its calls (api-docs/auth/approle)."""

import base64
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any

from strongroom_common.fields import KINDS, Alias, Cidrs, Kept, Pairs, Seconds
from strongroom_common.secret import Secret
from strongroom_server.lib.cidr import inside
from strongroom_server.lib.tokenparams import TokenParams, shown
from strongroom_server.sdk.errors import InvalidRequest

FIELDS = {
    "policies": ("token_policies", "policies"),
    "period": ("token_period", "period"),
    "bound-cidr-list": ("secret_id_bound_cidrs", "bound_cidr_list"),
    "secret-id-bound-cidrs": ("secret_id_bound_cidrs", "secret_id_bound_cidrs"),
    "secret-id-num-uses": ("secret_id_num_uses", "secret_id_num_uses"),
    "secret-id-ttl": ("secret_id_ttl", "secret_id_ttl"),
    "bind-secret-id": ("bind_secret_id", "bind_secret_id"),
    "token-bound-cidrs": ("token_bound_cidrs", "token_bound_cidrs"),
    "token-ttl": ("token_ttl", "token_ttl"),
    "token-max-ttl": ("token_max_ttl", "token_max_ttl"),
    "token-num-uses": ("token_num_uses", "token_num_uses"),
}
"""Paths below a role for single fields: the field of each, and the name that the path goes by."""


@dataclass(frozen=True)
class Role(TokenParams):
    """What a role demands and gives. ``hmac_key`` hides its secret ids in storage; a new role has a new one."""

    role_id: Annotated[str, "Id to log in with; made up if absent."] = ""
    bind_secret_id: Annotated[bool, "Whether a login needs a secret id."] = True
    secret_id_bound_cidrs: Annotated[Cidrs, "Networks that a login may come from.", Alias("bound_cidr_list")] = Cidrs(
        ()
    )
    secret_id_num_uses: Annotated[int, "How often a secret id can be used; 0 is without limit."] = 0
    secret_id_ttl: Annotated[Seconds, "How long a secret id lives; 0 is for ever."] = Seconds(0)
    local_secret_ids: Annotated[bool, "Whether secret ids stay on this cluster; fixed when the role is made."] = False
    hmac_key: Annotated[Secret[str], "Key of their hashes.", Kept()] = Secret("")


def role_facts(role: Role) -> dict[str, Any]:
    """Return what a read of a role shows; the role id has a path of its own."""
    facts = shown(role) | {"secret_id_bound_cidrs": role.secret_id_bound_cidrs or None}
    hidden = {"role_id", "bound_cidr_list"}
    return {name: value for name, value in facts.items() if name not in hidden}


def check_role(role: Role) -> None:
    """Refuse what cannot be, in Vault's words.

    Security 1: a role id alone, which is no secret, must not be enough to log in from anywhere.
    """
    if not role.bind_secret_id and not role.secret_id_bound_cidrs and not role.token_bound_cidrs:
        raise InvalidRequest("at least one constraint should be enabled on the role")
    if role.secret_id_num_uses < 0:
        raise InvalidRequest("secret_id_num_uses cannot be negative")
    _check_blocks(role.secret_id_bound_cidrs)


def field_facts(role: Role, field: str, name: str) -> dict[str, Any]:
    """Return what a read of the path ``name`` of one field shows: its older name only where that was used."""
    if "cidr" in field:
        return {name: getattr(role, field) or None}
    return {key: value for key, value in shown(role).items() if key in {field, name}}


def _check_blocks(networks: Sequence[str]) -> None:
    """Refuse single addresses, which Vault refuses too where logins are bound to networks."""
    for one in networks:
        if "/" not in one:
            raise InvalidRequest(f"failed to validate CIDR blocks: invalid CIDR address: {one}")


@dataclass(frozen=True)
class RoleId:
    """Body of a write of the role id."""

    role_id: Annotated[str, "Id to log in with."] = ""


@dataclass(frozen=True)
class SecretIdInput:
    """Body of a call that makes a secret id."""

    metadata: Annotated[Any, "Texts that go to the token, as an object or its JSON."] = None
    cidr_list: Annotated[Cidrs, "Networks that a login with it may come from."] = Cidrs(())
    token_bound_cidrs: Annotated[Cidrs, "Networks that its tokens may be used from."] = Cidrs(())
    num_uses: Annotated[int | None, "How often it can be used; else as the role says."] = None
    ttl: Annotated[Seconds | None, "How long it lives; else as the role says."] = None


@dataclass(frozen=True)
class CustomSecretIdInput(SecretIdInput):
    """The same with the secret id itself."""

    secret_id: Annotated[Secret[str], "The secret id."] = Secret("")


@dataclass(frozen=True)
class SecretIdName:
    """Names a secret id by itself."""

    secret_id: Annotated[Secret[str], "The secret id."] = Secret("")


@dataclass(frozen=True)
class AccessorName:
    """Names a secret id by its accessor."""

    secret_id_accessor: Annotated[str, "Accessor of the secret id."] = ""


@dataclass(frozen=True)
class Login:
    """Body of a login."""

    role_id: Annotated[str, "Id of the role."] = ""
    secret_id: Annotated[Secret[str], "Secret id of the role."] = Secret("")


def check_secret_id(wanted: SecretIdInput, role: Role) -> None:
    """Refuse a secret id that would be worth more than its role allows."""
    if not role.bind_secret_id:
        raise InvalidRequest("bind_secret_id is not set on the role")
    if wanted.num_uses is not None:
        _check_uses(wanted.num_uses, role.secret_id_num_uses)
    if wanted.ttl is not None and role.secret_id_ttl and not 0 < wanted.ttl <= role.secret_id_ttl:
        raise InvalidRequest("ttl cannot be longer than the role's secret_id_ttl")
    _check_blocks(wanted.cidr_list)
    _check_blocks(wanted.token_bound_cidrs)
    for field, bound in (("cidr_list", role.secret_id_bound_cidrs), ("token_bound_cidrs", role.token_bound_cidrs)):
        given = getattr(wanted, field)
        if not inside(given, bound):
            raise InvalidRequest(
                f"{field}: failed to verify subset relationship between CIDR blocks on the role {list(bound)} and "
                f"CIDR blocks on the secret ID {list(given)}"
            )


def _check_uses(wanted: int, most: int) -> None:
    if wanted < 0:
        raise InvalidRequest("num_uses cannot be negative")
    if most and not 0 < wanted <= most:
        raise InvalidRequest("num_uses cannot be higher than the role's secret_id_num_uses")


def metadata_of(raw: Any) -> dict[str, str]:
    """Return metadata given as an object, as its JSON or as "a=b,c=d", plain or in base64; raises InvalidRequest."""
    if raw is None or raw == "":
        return {}
    try:
        return _pairs(_decoded(raw) if isinstance(raw, str) else raw)
    except (ValueError, TypeError, RecursionError):
        raise InvalidRequest("failed to parse metadata: expected an object whose values are strings") from None


def _decoded(text: str) -> Any:
    with suppress(ValueError):
        text = base64.b64decode(text, validate=True).decode()
    return json.loads(text) if text.lstrip().startswith("{") else [one.strip() for one in text.split(",")]


def _pairs(parsed: Any) -> dict[str, str]:
    pairs = dict(KINDS[Pairs].parse(parsed))
    if isinstance(parsed, dict) and pairs != parsed:
        raise ValueError("a value is no string")
    return pairs
