"""What a token made from another may be: the body of the call, and the rules that need nobody but the parent. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from strongroom_common.durations import parse_duration
from strongroom_common.fields import Names, Pairs, Seconds
from strongroom_common.secret import Secret
from strongroom_server.core.registration import normal_policies
from strongroom_server.core.token_roles import Role, lesser
from strongroom_server.core.tokens import BATCH, SERVICE, Token
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.request import Auth

_ODD = re.compile(r"[^a-zA-Z0-9-]")


@dataclass(slots=True)
class Create:
    """What a new token shall be."""

    id: Annotated[Secret[str], "The token's own text, without a dot; needs root or sudo."] = Secret("")
    policies: Annotated[Names, "Policies; the parent's where left out."] = Names(())
    meta: Annotated[Pairs, "Metadata shown in lookups and audit entries."] = field(default_factory=lambda: Pairs({}))
    no_parent: Annotated[bool, "Make an orphan; needs root or sudo."] = False
    no_default_policy: Annotated[bool, "Leave the default policy out."] = False
    renewable: Annotated[bool, "Whether it can be renewed."] = True
    lease: Annotated[Seconds, "Older name of ttl."] = Seconds(0)
    ttl: Annotated[Seconds, "Lifetime."] = Seconds(0)
    type: Annotated[str, '"service" or "batch".'] = ""
    explicit_max_ttl: Annotated[Seconds, "End that no renewal moves."] = Seconds(0)
    display_name: Annotated[str, "Name in lookups and audit entries."] = ""
    num_uses: Annotated[int, "How often it may be used; 0 is without limit."] = 0
    period: Annotated[Seconds, "Every renewal grants this long; needs root or sudo."] = Seconds(0)
    entity_alias: Annotated[str, "Entity alias to attach, allowed by the role."] = ""


def check_privileges(asked: Create, *, powerful: bool, orphan: bool) -> None:
    """Raise InvalidRequest for what needs root or sudo, unless the caller has it. ``orphan``: path or role lets it."""
    if asked.type not in {"", SERVICE, BATCH}:
        raise InvalidRequest("invalid 'token_type' value")
    if asked.num_uses < 0:
        raise InvalidRequest("number of uses cannot be negative")
    if powerful:
        return
    if asked.id:
        raise InvalidRequest("root or sudo privileges required to specify token id")
    if asked.no_parent and not orphan:
        raise InvalidRequest("root or sudo privileges required to create orphan token")
    if asked.period:
        raise InvalidRequest("root or sudo privileges required to create periodic token")


def names_none(data: Mapping[str, Any]) -> bool:
    """Tell whether the policies that are sent are blanks: then there are none, and the parent's are not meant."""
    sent = data.get("policies")
    return isinstance(sent, list) and bool(sent)


def policies(wanted: tuple[str, ...], parent: Token, *, powerful: bool, default: bool) -> tuple[str, ...]:
    """Return the policies that are asked for; raises InvalidRequest unless they are the parent's, or it has sudo."""
    if powerful:
        return normal_policies(wanted, default=default)
    if not set(normal_policies(wanted, default=False)) <= set(parent.policies):
        raise InvalidRequest("child policies must be subset of parent")
    return normal_policies(wanted, default=default and "default" in parent.policies)


def apply_role(auth: Auth, role: Role, name: str) -> None:
    """Put what the role says into the grant."""
    auth.num_uses, _ = lesser("", auth.num_uses, role.token_num_uses)
    auth.bound_cidrs = role.token_bound_cidrs
    auth.renewable = auth.renewable and role.renewable
    auth.internal = {"role": name}


def shortest(raw: object) -> int:
    """Return 1 for a TTL below a second: in whole seconds it would be none, and get the default. 0 is for none."""
    return int(isinstance(raw, str) and parse_duration(raw) > 0)


def display_name(name: str) -> str:
    """Return the name as lookups show it."""
    return _ODD.sub("-", f"token-{name}").removesuffix("-") if name else "token"


def check_id(text: str) -> None:
    """Refuse texts that the server could have made itself; raises InvalidRequest."""
    for prefix in ("hvs.", "s."):
        if text.startswith(prefix):
            raise InvalidRequest(f"custom token ID cannot have the '{prefix}' prefix")
    if "." in text:
        raise InvalidRequest("custom token ID cannot have a '.' in the value")


def check_batch(auth: Auth, period: int, explicit_max: int) -> None:
    """Refuse what batch tokens cannot have, as nothing is stored of them; raises InvalidRequest."""
    limits = {"num_uses": auth.num_uses, "period": period, "explicit_max_ttl": explicit_max}
    for name, value in limits.items():
        if value:
            raise InvalidRequest(f'batch tokens cannot have "{name}" set')
    if "root" in auth.policies:
        raise InvalidRequest("batch tokens cannot be root tokens")
