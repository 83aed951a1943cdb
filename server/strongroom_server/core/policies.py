"""Policy texts to rules: what each path may be used for, checked so that a mistake names its line and column.

The accepted keys, old ``policy = "write"`` style and messages are Vault's (https://developer.hashicorp.com/vault/docs/
concepts/policies); corners were asked of OpenBao 2.7.2. Paths may hold ``{{identity.…}}``, which
``policy_templates.resolve`` fills in per entity.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import Any

from strongroom_common.durations import parse_duration
from strongroom_common.hcl import Block, Body, HclError, Item, blocks, parse, plain
from strongroom_server.core.approvals import ControlGroup, Factor
from strongroom_server.core.policy_templates import UNSAFE, check_keys
from strongroom_server.lib.timestamps import is_moment

CAPABILITIES = frozenset({"create", "delete", "deny", "list", "patch", "read", "scan", "sudo", "update"})
_WRITE = frozenset({"create", "delete", "list", "read", "update"})
_OLD_STYLE: Mapping[str, frozenset[str]] = {
    "deny": frozenset({"deny"}), "read": frozenset({"list", "read"}), "write": _WRITE, "sudo": _WRITE | {"sudo"},
}  # fmt: skip
_FILTER = "list_scan_response_keys_filter_path"
_UNMET = ("mfa_methods",)
_KNOWN = frozenset({
    "allowed_parameters", "capabilities", "comment", "control_group", "denied_parameters", "expiration", _FILTER,
    "max_wrapping_ttl", "min_wrapping_ttl", "pagination_limit", "policy", "required_parameters", *_UNMET,
})  # fmt: skip
_IDENTITY = frozenset({"approvals", "group_ids", "group_names", "self_authorization", "ttl"})
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)  # RFC 3339
_BRACES = re.compile(r"\{\{|\}\}")

Values = tuple[Any, ...]


class PolicyError(HclError):
    """A policy is not well-formed; prints as ``At LINE:COLUMN: path "…": message``."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One ``path`` block. Times are in seconds, ``expiration`` since the epoch; parameter names are in lower case.

    ``unmet`` names a condition of the rule that this server cannot check: such a rule grants nothing. ``unsafe`` are
    the characters that a template's value must not hold.
    """

    path: str
    capabilities: frozenset[str] = frozenset()
    allowed_parameters: Mapping[str, Values] | None = None
    denied_parameters: Mapping[str, Values] | None = None
    required_parameters: tuple[str, ...] = ()
    min_wrapping_ttl: float = 0
    max_wrapping_ttl: float = 0
    pagination_limit: int = 0
    keys_filter: str = ""
    expiration: float | None = None
    control_group: ControlGroup | None = None
    unmet: str = ""
    unsafe: str = UNSAFE
    line: int = 0

    @property
    def templated(self) -> bool:
        """Whether the path holds ``{{…}}``."""
        return "{{" in self.path


@dataclass(frozen=True, slots=True)
class Policy:
    """A named text and its rules in order; the same path may come twice."""

    name: str
    text: str
    rules: tuple[Rule, ...]


def parse_policy(name: str, text: str) -> Policy:
    """Read an HCL or JSON text; raises PolicyError (or HclError where it is neither)."""
    body = parse(text)
    _refuse_unknown(body, frozenset({"path", "name"}), "")
    labels = max((len(item.labels) for item in body.all("path")), default=1)
    return Policy(name, text, tuple(_rule(block) for block in blocks(body, "path", max(1, labels))))


def _refuse_unknown(body: Body, known: frozenset[str], where: str) -> None:
    unknown = [item for item in body.items if item.key not in known]
    if unknown:
        reasons = ", ".join(f'invalid key "{item.key}" on line {item.line}' for item in unknown)
        raise _error(unknown[0], where, reasons)


def _error(item: Item, where: str, message: str) -> PolicyError:
    return PolicyError(item.line, item.column, f"{where}{message}")


def _rule(block: Block) -> Rule:
    path, item, body = (block.labels or ("path",))[0], block.item, block.body
    where = f'path "{path}": '
    _refuse_unknown(body, _KNOWN, where)
    path = path.removeprefix("/")
    if "+*" in path:
        raise _error(item, where, "invalid use of wildcards ('+*' is forbidden)")
    _check_braces(path, item, where)
    reader = _Reader(body, where)
    rule = Rule(
        path=path,
        capabilities=reader.capabilities(),
        allowed_parameters=reader.parameters("allowed_parameters"),
        denied_parameters=reader.parameters("denied_parameters"),
        required_parameters=tuple(name.lower() for name in reader.texts("required_parameters")),
        min_wrapping_ttl=reader.seconds("min_wrapping_ttl"),
        max_wrapping_ttl=reader.seconds("max_wrapping_ttl"),
        pagination_limit=reader.integer("pagination_limit"),
        keys_filter=reader.keys_filter(),
        expiration=reader.moment("expiration"),
        control_group=_control_group(body, where),
        unmet=next((key for key in _UNMET if body.get(key)), ""),
        line=item.line,
    )
    if 0 < rule.max_wrapping_ttl < rule.min_wrapping_ttl:
        raise _error(item, where, "max_wrapping_ttl cannot be less than min_wrapping_ttl")
    return rule


def _control_group(body: Body, where: str) -> ControlGroup | None:
    """Read what approvals the rule asks for; None where it asks for none."""
    item = body.get("control_group")
    if item is None:
        return None
    where += "error handling control_group: "
    found, ttl, by_self = [], 0.0, False
    for block in blocks(body, "control_group"):
        _refuse_unknown(block.body, frozenset({"factor", "self_auth_allowed", "ttl"}), where)
        reader = _Reader(block.body, where)
        ttl, by_self = reader.seconds("ttl") or ttl, reader.flag("self_auth_allowed") or by_self
        found += list(blocks(block.body, "factor", 1))
    if not found:
        raise _error(item, where, "requires at least one factor but had none")
    factors = (_factor(block, f"{where}factor {number}: ", by_self) for number, block in enumerate(found))
    return ControlGroup(tuple(factors), ttl)


def _factor(block: Block, where: str, by_self: bool) -> Factor:
    _refuse_unknown(block.body, frozenset({"controlled_capabilities", "identity"}), where)
    inner = [one.body for one in blocks(block.body, "identity")]
    reader = _Reader(inner[-1] if inner else Body(()), where)
    _refuse_unknown(reader.body, _IDENTITY, where)
    outer = _Reader(block.body, where)
    capabilities = frozenset(outer.texts("controlled_capabilities"))
    if unknown := capabilities - CAPABILITIES | capabilities & {"deny"}:
        raise _error(block.item, where, f'invalid capability "{min(unknown)}"')
    factor = Factor(
        name=(block.labels or ("",))[0],
        group_names=frozenset(name.lower() for name in reader.texts("group_names")),
        group_ids=frozenset(reader.texts("group_ids")),
        approvals=reader.integer("approvals"),
        capabilities=capabilities,
        self_authorization=by_self or reader.flag("self_authorization"),
        ttl=reader.seconds("ttl"),
    )
    if not factor.group_names and not factor.group_ids:
        raise _error(block.item, where, "missing approving groups")
    if not factor.approvals:
        raise _error(block.item, where, "missing required approvals")
    return factor


def _check_braces(path: str, item: Item, where: str) -> None:
    """Refuse ``{{`` and ``}}`` that do not take turns."""
    signs = _BRACES.findall(path)
    if len(signs) % 2 or any(sign != ("}}" if index % 2 else "{{") for index, sign in enumerate(signs)):
        raise _error(item, where, "failed to validate policy templating: unbalanced templating characters")


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads one rule's settings; a wrong one is an error at its own line and column."""

    body: Body
    where: str

    def capabilities(self) -> frozenset[str]:
        """Join the list with the old-style word; "deny" in it leaves nothing else."""
        found = frozenset(self.texts("capabilities"))
        for name in self.texts("capabilities"):
            if name not in CAPABILITIES:
                raise self._error("capabilities", f'invalid capability "{name}"')
        old = self.body.get("policy")
        if old and old.value not in ("", None):
            if old.value not in _OLD_STYLE:
                raise _error(old, self.where, f'invalid policy "{old.value}"')
            found |= _OLD_STYLE[str(old.value)]
        return frozenset({"deny"}) if "deny" in found else found

    def texts(self, key: str) -> tuple[str, ...]:
        """Read a list of strings. As in hcl v1 a number is its text, and a list that comes again is added."""
        return tuple(text for item in self.body.all(key) for text in self._texts(item))

    def _texts(self, item: Item) -> tuple[str, ...]:
        values = () if item.value == Body(()) else item.value
        if not isinstance(values, tuple) or any(isinstance(v, bool) or not isinstance(v, str | int) for v in values):
            raise _error(item, self.where, f"{item.key} should be a list of strings")
        return tuple(str(value) for value in values)

    def parameters(self, key: str) -> Mapping[str, Values] | None:
        """Read a map of lists; None where the rule has none."""
        if self.body.get(key) is None:
            return None
        found: dict[str, Values] = {}
        for block in blocks(self.body, key):
            for item in block.body.items:
                values = (item.value,) if isinstance(item.value, Body) else item.value
                if not isinstance(values, tuple):
                    raise _error(item, self.where, f'{key} "{item.key}" should be a list of values')
                name = item.key.lower()
                found[name] = found.get(name, ()) + tuple(plain(values))
        return found or None

    def seconds(self, key: str) -> float:
        """Read a duration; absent or negative is 0, which is no limit."""
        item = self.body.get(key)
        try:
            return max(0, parse_duration(item.value)) if item else 0
        except ValueError as error:
            raise self._error(key, f"error parsing {key}: {error}") from None

    def integer(self, key: str) -> int:
        """Read a whole number; absent or negative is 0."""
        item = self.body.get(key)
        value = item.value if item else 0
        if isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value, re.ASCII):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._error(key, f"{key} should be an integer")
        return max(0, value)

    def flag(self, key: str) -> bool:
        """Read true or false; absent is false."""
        item = self.body.get(key)
        if item is None or item.value in (False, "false"):
            return False
        if item.value in (True, "true"):
            return True
        raise self._error(key, f"{key} should be true or false")

    def keys_filter(self) -> str:
        """Read the template that lists are filtered by (see ``list_filters``)."""
        item = self.body.get(_FILTER)
        template = item.value if item else ""
        if not isinstance(template, str):
            raise self._error(_FILTER, f"{_FILTER} should be a string")
        try:
            check_keys(template)
        except ValueError as error:
            raise self._error(_FILTER, f"{_FILTER}: {error}") from None
        return template

    def moment(self, key: str) -> float | None:
        """Read a date and time (RFC 3339), or seconds since the epoch."""
        item = self.body.get(key)
        if item is None:
            return None
        text = str(item.value)
        try:
            if re.fullmatch(r"\d{1,12}", text, re.ASCII):
                moment = float(text)
            else:
                moment = datetime.fromisoformat(text).timestamp() if _MOMENT.fullmatch(text) else inf
        except (ValueError, OverflowError):
            moment = inf
        if not is_moment(moment):
            raise self._error(key, f'invalid {key} time: expected a date and time such as "2030-01-31T12:00:00Z"')
        return moment

    def _error(self, key: str, message: str) -> PolicyError:
        item = self.body.get(key)
        return PolicyError(item.line if item else 0, item.column if item else 0, f"{self.where}{message}")
