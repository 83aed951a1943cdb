"""Roles that are programs: what they say of a token becomes a login (OpenBao, "CEL roles").

A program sees ``claims`` and ``now``, and makes up a ``pb.Auth``; its fields are those of a login, with times in
nanoseconds. A text is why the token is refused.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any

from strongroom_common.fields import Names, Object, SignedSeconds
from strongroom_server.lib import cidr
from strongroom_server.lib.cel import Made, Program, ProgramError
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.request import Alias, Auth

_SECOND = 10**9  # nanoseconds
_LONGEST = 10**10  # seconds
_TYPES = ("default", "service", "batch", "default-service", "default-batch")


@dataclass(frozen=True)
class CelRole:
    """A program and the bounds of the tokens that it sees."""

    cel_program: Annotated[
        Object, "The program: `expression`, and before it `variables`, a list of objects with `name` and `expression`."
    ] = field(default_factory=lambda: Object({}))
    message: Annotated[str, "What the role is for; shown to those who read it."] = ""
    bound_audiences: Annotated[Names, "Audiences of which a token must name one."] = Names(())
    expiration_leeway: Annotated[SignedSeconds, "How long a token without exp lives; 0 is 150, less is none."] = (
        SignedSeconds(150)
    )
    not_before_leeway: Annotated[SignedSeconds, "How long before exp a token begins that says neither; 0 is 150."] = (
        SignedSeconds(150)
    )
    clock_skew_leeway: Annotated[SignedSeconds, "How far clocks may differ; 0 is 60, less is none."] = SignedSeconds(60)

    @property
    def bound_subject(self) -> str:
        """No subject: the program looks at it."""
        return ""

    def check(self) -> None:
        """Raise InvalidRequest for a program that is none."""
        self.program()

    def program(self) -> Program:
        """Return the parsed program; raises InvalidRequest."""
        expression = self.cel_program.get("expression") or ""
        listed = self.cel_program.get("variables") or []
        if not isinstance(expression, str) or not isinstance(listed, list):
            raise InvalidRequest("cel_program must have a text as expression and a list as variables")
        if not expression:
            raise InvalidRequest("cel_program.expression cannot be empty")
        variables = [(one.get("name"), one.get("expression")) if isinstance(one, dict) else () for one in listed]
        if not all(len(pair) == 2 and all(isinstance(text, str) for text in pair) for pair in variables):
            raise InvalidRequest("cel_program.variables must be objects with the texts name and expression")
        try:
            return _parsed(tuple(variables), expression)
        except ProgramError as error:
            raise InvalidRequest(str(error)) from None

    def stored(self) -> "CelRole":
        """Return the same with nothing in the program but what belongs there."""
        kept = {name: self.cel_program[name] for name in ("variables", "expression") if self.cel_program.get(name)}
        return CelRole(Object(kept), self.message, self.bound_audiences, self.expiration_leeway,
                       self.not_before_leeway, self.clock_skew_leeway)  # fmt: skip


@lru_cache(maxsize=64)
def _parsed(variables: tuple[tuple[str, str], ...], expression: str) -> Program:
    messages = {name: frozenset(fields) for name, fields in _MESSAGES.items()}
    return Program(variables, expression, frozenset({"claims", "now"}), messages)


def login(name: str, role: CelRole, claims: Mapping[str, Any], now: float) -> Auth:
    """Return the login that the program makes of a token's claims; raises InvalidRequest where it refuses."""
    try:
        outcome = role.program().run({"claims": claims, "now": datetime.fromtimestamp(now, UTC)})
    except ProgramError as error:
        raise _refused(f"CEL auth program failed: {error}") from None
    # Security 1: nothing but a login is a yes.
    if isinstance(outcome, Made) and outcome.name == "pb.Auth":
        return _auth(name, outcome.fields)
    if outcome is False:
        raise _refused(f"CEL role '{name}' blocked authorization with boolean false return")
    if isinstance(outcome, str):
        raise _refused(f"CEL role '{name}' blocked authorization with message: {outcome}")
    raise _refused(f"CEL program '{name}' returned unexpected type: {type(outcome).__name__}")


def _refused(why: str) -> InvalidRequest:
    return InvalidRequest(f"error executing cel program: {why}")


def _auth(role: str, fields: Mapping[str, Any]) -> Auth:
    made = _read("pb.Auth", fields)
    lease = _read("pb.LeaseOptions", made["lease_options"].fields if made["lease_options"] else {})
    aliases = [_alias(alias) for alias in made["group_aliases"]]
    kind = made["token_type"]
    if kind >= len(_TYPES):
        raise _wrong("pb.Auth", "token_type")
    networks = tuple(made["bound_cidrs"])
    if not all(map(cidr.is_network, networks)):
        raise _wrong("pb.Auth", "bound_cidrs")
    return Auth(
        policies=tuple(made["policies"]), display_name=made["display_name"], metadata=dict(made["metadata"]),
        alias=_alias(made["alias"]) if made["alias"] else None, group_aliases=tuple(aliases),
        ttl=_seconds(lease["TTL"]), max_ttl=_seconds(lease["MaxTTL"]), renewable=lease["renewable"],
        explicit_max_ttl=_seconds(made["explicit_max_ttl"]), period=_seconds(made["period"]),
        num_uses=made["num_uses"], no_default_policy=made["no_default_policy"], bound_cidrs=cidr.tidy(networks),
        token_type=_TYPES[kind], internal={"cel_role": role},
    )  # fmt: skip


def _alias(made: Made) -> Alias:
    fields = _read("logical.Alias", made.fields)
    if not fields["name"]:
        raise _refused("missing name in alias")
    return Alias(fields["name"], dict(fields["metadata"]))


def _seconds(nanoseconds: int) -> int:
    """Return whole seconds; what is less than one is one, as none would be without limit."""
    return min(max(nanoseconds // _SECOND, 1), _LONGEST) if nanoseconds else 0


def _read(message: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return all fields of a message; those that are not set are at their default."""
    found = {}
    for name, (default, fits) in _MESSAGES[message].items():
        value = fields.get(name, default)
        if name in fields and not fits(value):
            raise _wrong(message, name)
        found[name] = value
    return found


def _wrong(message: str, name: str) -> InvalidRequest:
    return _refused(f"CEL auth program failed: field type conversion error for {message}.{name}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _are_pairs(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_text(text) for pair in value.items() for text in pair)


def _made(name: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, Made) and value.name == name


def _are_aliases(value: Any) -> bool:
    return isinstance(value, list) and all(map(_made("logical.Alias"), value))


def _is_anything(_: Any) -> bool:
    return True


_Fields = Mapping[str, tuple[Any, Callable[[Any], bool]]]
_NONE: Sequence[Any] = ()
# A field by name: its default, and what fits it. What the server says itself of a login (its token, its accessor, its
# entity) is not there; the mount of an alias is the method's own, whatever the program says.
_MESSAGES: Mapping[str, _Fields] = {
    "pb.Auth": {
        "policies": (_NONE, _are_texts), "display_name": ("", _is_text), "metadata": ({}, _are_pairs),
        "alias": (None, _made("logical.Alias")), "group_aliases": (_NONE, _are_aliases),
        "lease_options": (None, _made("pb.LeaseOptions")), "explicit_max_ttl": (0, _is_number),
        "period": (0, _is_number), "num_uses": (0, _is_number), "no_default_policy": (False, _is_flag),
        "bound_cidrs": (_NONE, _are_texts), "token_type": (0, _is_number),
    },
    "pb.LeaseOptions": {
        "TTL": (0, _is_number), "MaxTTL": (0, _is_number), "renewable": (False, _is_flag),
        "increment": (0, _is_number), "issue_time": (None, _is_anything),
    },
    "logical.Alias": {
        "name": ("", _is_text), "metadata": ({}, _are_pairs), "mount_accessor": ("", _is_text),
        "mount_type": ("", _is_text),
    },
}  # fmt: skip
