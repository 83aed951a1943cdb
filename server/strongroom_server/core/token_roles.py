"""Roles of the token method: what tokens made through one may be (HTTP API, "Token auth method", roles). Pure."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Annotated, Any

from strongroom_common.fields import Alias, Cidrs, Given, Kept, Names, Seconds, fields, public
from strongroom_server.core.registration import normal_policies
from strongroom_server.core.tokens import BATCH, SERVICE
from strongroom_server.lib import cidr
from strongroom_server.lib.tokenparams import older_names, tidy_policies
from strongroom_server.sdk.errors import InvalidRequest

DEFAULT_SERVICE, DEFAULT_BATCH = "default-service", "default-batch"
_TYPES = (SERVICE, BATCH, DEFAULT_SERVICE, DEFAULT_BATCH)
_SUFFIX = re.compile(r"\w[\w.-]+\w", re.ASCII)


@dataclass(frozen=True)
class Role:
    """What tokens made through a role are."""

    allowed_policies: Annotated[Names, "Policies that may be asked for."] = Names(())
    disallowed_policies: Annotated[Names, "Policies that may not."] = Names(())
    allowed_policies_glob: Annotated[Names, "As allowed_policies, with globs."] = Names(())
    disallowed_policies_glob: Annotated[Names, "As disallowed_policies, with globs."] = Names(())
    orphan: Annotated[bool, "Make orphans."] = False
    renewable: Annotated[bool, "Whether the tokens can be renewed."] = True
    path_suffix: Annotated[str, "Put into the tokens' path, for revocation by prefix."] = ""
    allowed_entity_aliases: Annotated[Names, "Entity aliases that may be attached."] = Names(())
    token_period: Annotated[Seconds, "Every renewal grants this long.", Alias("period")] = Seconds(0)
    token_explicit_max_ttl: Annotated[Seconds, "End that no renewal moves.", Alias("explicit_max_ttl")] = Seconds(0)
    token_bound_cidrs: Annotated[Cidrs, "Networks the tokens may be used from.", Alias("bound_cidrs")] = Cidrs(())
    token_no_default_policy: Annotated[bool, "Leave the default policy out."] = False
    token_num_uses: Annotated[int, "How often the tokens may be used."] = 0
    token_type: Annotated[str, "Type of the tokens: " + ", ".join(_TYPES) + "."] = DEFAULT_SERVICE
    old_names: Annotated[Names, "Which older names the last write used.", Kept()] = Names(())

    @property
    def rules_policies(self) -> bool:
        """Tell whether the role, and not the parent, says which policies a token may have."""
        return bool(
            self.allowed_policies or self.allowed_policies_glob
            or self.disallowed_policies or self.disallowed_policies_glob
        )  # fmt: skip


def changed(given: Given[Role], stored: Role | None, data: Mapping[str, Any]) -> tuple[Role, list[str]]:
    """Return the role after a write, and warnings; raises InvalidRequest for what cannot be."""
    role = given.over(stored)
    role = replace(
        role,
        allowed_policies=tidy_policies(role.allowed_policies),
        allowed_policies_glob=tidy_policies(role.allowed_policies_glob),
        disallowed_policies=_lower(role.disallowed_policies),
        disallowed_policies_glob=_lower(role.disallowed_policies_glob),
        allowed_entity_aliases=_lower(role.allowed_entity_aliases),
        token_bound_cidrs=Cidrs(cidr.tidy(role.token_bound_cidrs)),
        old_names=older_names(given, stored.old_names if stored else (), data),
    )
    _check(role)
    return role, [
        f"Both '{field.name}' and deprecated '{old}' value supplied, ignoring the deprecated value"
        for field in fields(Role).values()
        for old in field.aliases
        if {old, field.name} <= data.keys()
    ]


def _lower(names: Sequence[str]) -> Names:
    return Names(tuple(sorted({name.lower() for name in names})))


def _check(role: Role) -> None:
    if role.token_type not in _TYPES:
        raise InvalidRequest(f"invalid 'token_type' value \"{role.token_type}\"")
    if role.token_num_uses < 0:
        raise InvalidRequest("error parsing role fields: 'token_num_uses' cannot be negative")
    if role.path_suffix and not _SUFFIX.search(role.path_suffix):
        raise InvalidRequest(r"given role path suffix contains invalid characters; must match \w[\w-.]+\w")
    contradictions = {
        "non-orphan tokens": not role.orphan,
        "periodic tokens": role.token_period,
        "renewable tokens": role.renewable,
        "tokens with an explicit max TTL": role.token_explicit_max_ttl,
    }
    for what, there in contradictions.items():
        if role.token_type == BATCH and there:
            raise InvalidRequest(f"'token_type' cannot be 'batch' when role is set to generate {what}")


def facts(name: str, role: Role) -> dict[str, Any]:
    """Return what a read of a role shows; the older names are 0 where they were not used."""
    shown = {"explicit_max_ttl": 0, "period": 0} | public(role)
    shown["allowed_entity_aliases"] = role.allowed_entity_aliases or None
    for field in fields(Role).values():
        shown |= {old: shown[field.name] for old in field.aliases if old in role.old_names}
    for rare in ("token_bound_cidrs", "token_num_uses"):
        if not shown[rare]:
            del shown[rare]
    return shown | {"name": name}


def kind(role: Role | None, asked: str) -> str:
    """Return the type of a token: the role's, unless it leaves the choice."""
    if role is not None and role.token_type in {SERVICE, BATCH}:
        return role.token_type
    return asked or (BATCH if role is not None and role.token_type == DEFAULT_BATCH else SERVICE)


def lesser(what: str, asked: int, of_role: int) -> tuple[int, list[str]]:
    """Return the smaller of two limits, of which 0 is none, and a warning where both are given."""
    if not asked or not of_role:
        return asked or of_role, []
    least = min(asked, of_role)
    return least, [f"{what} specified both during creation call and in role; using the lesser value of {least} seconds"]


def policies(role: Role, wanted: Sequence[str], parents: Sequence[str], *, default: bool) -> tuple[str, ...]:
    """Return the policies of a token of a role that rules them; raises InvalidRequest for one that may not be.

    What is asked for must be allowed, where anything is, and must not be disallowed. Where nothing is asked for, it is
    all that is allowed by name, or what the parent has.
    """
    default = default and not _among("default", role.disallowed_policies, role.disallowed_policies_glob)
    found = normal_policies(tuple(wanted), default=default) if wanted else ()
    if role.allowed_policies or role.allowed_policies_glob:
        allowed = normal_policies(role.allowed_policies, default=default)
        globs = role.allowed_policies_glob
        if not all(_among(name, allowed, globs) for name in found):
            raise InvalidRequest(
                f"token policies ({_list(found)}) must be subset of the role's allowed policies ({_list(allowed)}) "
                f"or glob policies ({_list(globs)})"
            )
        found = found or allowed
    found = found or normal_policies(tuple(parents), default=default)
    for name in found:
        if _among(name, role.disallowed_policies, role.disallowed_policies_glob):
            raise InvalidRequest(f'token policy "{name}" is disallowed by this role')
    return found


def _among(name: str, names: Sequence[str], globs: Sequence[str]) -> bool:
    return name in names or any(fnmatchcase(name, glob) for glob in globs)


def _list(names: Sequence[str]) -> str:
    return "[" + " ".join(map(json.dumps, names)) + "]"
