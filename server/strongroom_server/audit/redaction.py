"""What an audit entry may show: strings become HMACs under the device's own salt, so that a value can be looked for
but not read. Numbers, booleans, null and the names of fields stay.

Times in RFC 3339 stay too, as Vault leaves them; so do strings whose nearest field is exempted by the mount.
"""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from strongroom_common.fields import parse
from strongroom_common.jsonx import Number
from strongroom_server.sdk import codec
from strongroom_server.sdk.errors import AuditError

_TIME = re.compile(
    r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?"
    r"(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)\Z",
    re.ASCII,
)
_LONGEST_TIME = 40
_NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Options:
    log_raw: bool = False
    hmac_accessor: bool = True
    elide_list_responses: bool = False
    format: str = "json"


@dataclass(frozen=True, slots=True)
class Redaction:
    """One device's rule. ``salt`` is random, kept in the barrier and never shown."""

    salt: bytes = field(repr=False)
    log_raw: bool = False
    hmac_accessor: bool = True
    elide_list_responses: bool = False

    @classmethod
    def of(cls, salt: bytes, options: Mapping[str, str]) -> "Redaction":
        """Read the rule from a device's options; raises AuditError that names the wrong one."""
        try:
            given = parse(_Options, options).value
        except ValueError as error:
            raise AuditError(str(error)) from None
        if given.format != "json":
            raise AuditError(f"format {given.format!r}: expected json")
        return cls(salt, given.log_raw, given.hmac_accessor, given.elide_list_responses)

    def hash(self, text: str) -> str:
        """Return the HMAC of ``text``, as ``sys/audit-hash`` gives it, whatever ``log_raw`` says."""
        return "hmac-sha256:" + hmac.digest(self.salt, text.encode("utf-8", "surrogatepass"), "sha256").hex()

    def secret(self, text: str) -> str:
        """Return what is shown of a token; nothing of nothing."""
        return text if self.log_raw or not text else self.hash(text)

    def accessor(self, text: str) -> str:
        """Return what is shown of an accessor."""
        return text if not self.hmac_accessor else self.secret(text)

    def data(self, value: Any, exempt: frozenset[str] = _NOTHING) -> Any:
        """Return ``value`` with its strings hashed, maps in the order of their keys."""
        return self._walk(value, exempt, clear=self.log_raw)

    def _walk(self, value: Any, exempt: frozenset[str], *, clear: bool) -> Any:
        if isinstance(value, Number):
            return value
        if isinstance(value, str):
            return value if clear or _is_time(value) else self.hash(value)
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            return {
                str(key): self._walk(value[key], exempt, clear=self.log_raw or key in exempt)
                for key in sorted(value, key=str)
            }
        if isinstance(value, list | tuple):
            return [self._walk(item, exempt, clear=clear) for item in value]
        return self._walk(_plain(value), exempt, clear=clear)


def _is_time(text: str) -> bool:
    return len(text) <= _LONGEST_TIME and _TIME.match(text) is not None


def _plain(value: Any) -> Any:
    """Return what will be sent for ``value`` (JSON kept as it is, a dataclass, a Secret) as plain values."""
    if isinstance(value, bytes) and not isinstance(value, msgspec.Raw):
        return value.decode("utf-8", "replace")
    return codec.loads(codec.encode(value))
