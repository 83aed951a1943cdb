"""What an ACME client is told when something is wrong (RFC 8555, section 6.7; RFC 7807)."""

from typing import Any

_STATUS = {
    "serverInternal": 500, "unauthorized": 401, "rateLimited": 429, "userActionRequired": 403,
    "externalAccountRequired": 401, "accountDoesNotExist": 400, "orderNotReady": 403,
}  # fmt: skip
_PREFIX = "urn:ietf:params:acme:error:"


class Problem(Exception):
    """One of the protocol's errors, by the last part of its name. The detail goes to the client."""

    def __init__(self, kind: str, detail: str, status: int = 0) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail
        self.status = status or _STATUS.get(kind, 400)

    @property
    def facts(self) -> dict[str, Any]:
        """Return the problem document."""
        return {"type": _PREFIX + self.kind, "detail": self.detail}


def malformed(detail: str, status: int = 400) -> Problem:
    """Return the commonest one."""
    return Problem("malformed", f"{detail}: the request message was malformed", status)
