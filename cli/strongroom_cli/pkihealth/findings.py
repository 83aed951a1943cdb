"""What a check finds, and how bad that is: the codes are the command's exit codes."""

from collections.abc import Iterable
from typing import Any, NamedTuple

NOT_APPLICABLE, OK, INFORMATIONAL, WARNING, CRITICAL, INVALID_VERSION, DENIED = range(7)
_NAMES = (
    "not_applicable", "ok", "informational", "warning", "critical", "invalid_version", "insufficient_permissions",
)  # fmt: skip
LEAST = {
    "default": INFORMATIONAL, "informational": INFORMATIONAL, "warning": WARNING, "critical": CRITICAL,
    "permission": INVALID_VERSION,
}  # fmt: skip
"""From which code on the command fails, by ``-return-indicator``."""


class Finding(NamedTuple):
    """One line: ``endpoint`` is the API path that it is about."""

    code: int
    endpoint: str
    message: str

    @property
    def status(self) -> str:
        """The name of the code."""
        return _NAMES[self.code]

    def facts(self) -> dict[str, Any]:
        """Return the finding for JSON."""
        return {
            "status_code": self.code, "status": self.status, "endpoint": self.endpoint, "message": self.message,
        }  # fmt: skip


def exit_code(found: Iterable[Finding], indicator: str) -> int:
    """Return the worst code, 0 where it is not bad enough for ``indicator``."""
    worst = max((finding.code for finding in found), default=OK)
    return worst if worst >= LEAST[indicator] else 0
