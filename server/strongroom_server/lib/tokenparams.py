"""The ``token_*`` parameters that every auth method's roles and users share (api-docs/auth/approle, "token_ttl" …).

A role is a dataclass that inherits ``TokenParams`` and adds its own fields. Older names ("policies", "ttl") are
aliases; a read shows those that the last write used, as Vault's does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeVar

from msgspec import structs

from strongroom_common.durations import short_duration
from strongroom_common.fields import Alias, Cidrs, Given, Kept, Names, Seconds, fields, public
from strongroom_server.lib import cidr
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.request import Auth, Request

ROOT = "root"
DEFAULT, SERVICE, BATCH = "default", "service", "batch"


@dataclass(frozen=True)
class TokenParams:
    """What the tokens of a role are like. 0 and empty mean "as the mount says"."""

    token_ttl: Annotated[Seconds, "Time to live of a token.", Alias("ttl")] = Seconds(0)
    token_max_ttl: Annotated[Seconds, "Longest life of a token, renewals included.", Alias("max_ttl")] = Seconds(0)
    token_explicit_max_ttl: Annotated[Seconds, "A hard end for a token, periodic ones too."] = Seconds(0)
    token_period: Annotated[Seconds, "If set, a token lives on as long as it is renewed within it.",
                            Alias("period")] = Seconds(0)  # fmt: skip
    token_policies: Annotated[Names, "Policies of a token.", Alias("policies")] = Names(())
    token_bound_cidrs: Annotated[Cidrs, "Networks that a token may be used from.", Alias("bound_cidrs")] = Cidrs(())
    token_no_default_policy: Annotated[bool, 'Whether the policy "default" is left out.'] = False
    token_num_uses: Annotated[int, "How often a token can be used; 0 is without limit.", Alias("num_uses")] = 0
    token_strictly_bind_ip: Annotated[bool, "Whether a token works only from the address it was given to."] = False
    token_type: Annotated[str, 'Kind of token: "service", "batch" or "default", as the mount says.'] = DEFAULT
    old_names: Annotated[Names, "Which older names the last write used.", Kept()] = Names(())


Role = TypeVar("Role", bound=TokenParams)


def updated(given: Given[Role], stored: Role | None, request: Request) -> Role:
    """Return the role after a write; raises InvalidRequest where its parts do not fit together."""
    role = given.over(stored)
    old = older_names(given, stored.old_names if stored else (), request.data)
    role = replace(
        role,
        token_policies=tidy_policies(role.token_policies),
        token_bound_cidrs=Cidrs(cidr.tidy(role.token_bound_cidrs)),
        token_type=role.token_type or DEFAULT,
        old_names=old,
    )
    check(role)
    return role


def older_names(given: Given[Any], stored: Sequence[str], data: Mapping[str, Any]) -> Names:
    """Return which older names the last write of each field used; ``stored`` are those of the writes before."""
    used = set(stored)
    kind: Any = type(given.value)
    for field in fields(kind).values():
        if field.name in given.sent:
            used = (used - set(field.aliases)) | set(field.aliases).intersection(data)
    return Names(tuple(sorted(used)))


def check(role: TokenParams) -> None:
    """Refuse parameters that contradict each other, in Vault's words."""
    if role.token_max_ttl and role.token_ttl > role.token_max_ttl:
        raise InvalidRequest("'token_ttl' cannot be greater than 'token_max_ttl'")
    if role.token_num_uses < 0:
        raise InvalidRequest("'token_num_uses' cannot be negative")
    if role.token_type not in {DEFAULT, SERVICE, BATCH}:
        raise InvalidRequest(f"invalid 'token_type' value \"{role.token_type}\"")
    special = "periodic tokens" if role.token_period else "tokens with limited use count" if role.token_num_uses else ""
    if role.token_type == BATCH and special:
        raise InvalidRequest(f"'token_type' cannot be 'batch' or 'default_batch' when set to generate {special}")


def within_mount(role: TokenParams, longest: int, *, period: bool = True) -> list[str]:
    """Return warnings where tokens could live longer than the mount's ``longest`` seconds.

    Raises InvalidRequest where a renewal could never grant the ``period``, if that is asked about.
    """
    if period and role.token_period > longest:
        raise InvalidRequest(
            f'period of "{short_duration(role.token_period)}" is greater than the backend\'s maximum lease TTL of '
            f'"{short_duration(longest)}"'
        )
    if max(role.token_ttl, role.token_max_ttl) <= longest:
        return []
    return [
        "token_max_ttl is greater than the backend mount's maximum TTL value; issued tokens' max TTL value will be "
        "truncated"
    ]


def shown(role: TokenParams) -> dict[str, Any]:
    """Return what a read of the role shows."""
    data = public(role)
    kind: Any = type(role)
    for field in fields(kind).values():
        if data.get(field.name):
            data |= {name: data[field.name] for name in field.aliases if name in role.old_names}
    return data


def tidy_policies(names: Sequence[str]) -> Names:
    """Return policy names in lower case, sorted, once each; root makes all others moot."""
    tidy = {name.strip().lower() for name in names if name.strip()}
    return Names((ROOT,) if ROOT in tidy else tuple(sorted(tidy)))


def same_policies(one: Sequence[str], other: Sequence[str]) -> bool:
    """Tell whether two lists give the same rights; "default" may be in one alone, as it is added on login."""
    return set(tidy_policies(one)) - {"default"} == set(tidy_policies(other)) - {"default"}


def login(role: TokenParams, request: Request) -> Auth:
    """Return a login with the role's parameters; the method adds who it is."""
    bound = role.token_bound_cidrs
    if role.token_strictly_bind_ip:
        bound = Cidrs((request.connection.remote_address,))
    return Auth(
        policies=role.token_policies,
        ttl=role.token_ttl,
        max_ttl=role.token_max_ttl,
        explicit_max_ttl=role.token_explicit_max_ttl,
        period=role.token_period,
        num_uses=role.token_num_uses,
        no_default_policy=role.token_no_default_policy,
        bound_cidrs=bound,
        token_type=role.token_type,
    )


def renewed(role: TokenParams, auth: Auth) -> Auth:
    """Return ``auth`` with the times that the role gives now."""
    return structs.replace(auth, ttl=role.token_ttl, max_ttl=role.token_max_ttl, period=role.token_period)
