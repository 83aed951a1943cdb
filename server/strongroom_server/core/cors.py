"""Cross-origin requests: which web pages of other sites may ask (Fetch standard, "CORS protocol")."""

from dataclasses import dataclass
from typing import Annotated

from strongroom_common.fields import Alias, Names

METHODS = ("DELETE", "GET", "OPTIONS", "POST", "PUT", "LIST", "PATCH")
_HEADERS = ("Content-Type", "Authorization", "X-Vault-Token", "X-Vault-MFA", "X-Vault-No-Request-Forwarding",
            "X-Vault-Wrap-Format", "X-Vault-Wrap-TTL", "X-Requested-With", "X-Vault-AWS-IAM-Server-ID",
            "X-Vault-Policy-Override")  # fmt: skip


@dataclass(frozen=True)
class Cors:
    """Who may ask. Without origins nobody may, and the server says nothing of it."""

    allowed_origins: Annotated[Names, "Origins that may ask; * alone is all.", Alias("origins")] = Names(())
    allowed_headers: Annotated[Names, "Headers that they may send beside Vault's.", Alias("headers")] = Names(())
    allow_credentials: Annotated[bool, "Let browsers send cookies along."] = False

    @property
    def enabled(self) -> bool:
        """Whether anyone may."""
        return bool(self.allowed_origins)

    @property
    def headers(self) -> tuple[str, ...]:
        """Return all headers that may be sent."""
        return (*_HEADERS, *self.allowed_headers)

    def check(self) -> None:
        """Raise ValueError for origins that contradict each other or are none."""
        if not self.allowed_origins:
            raise ValueError("at least one origin or the wildcard must be provided")
        if "*" in self.allowed_origins and len(self.allowed_origins) > 1:
            raise ValueError("to allow all origins the '*' must be the only value for allowed_origins")

    def allows(self, origin: str) -> bool:
        """Say whether a page of ``origin`` may ask."""
        return "*" in self.allowed_origins or origin.lower() in {known.lower() for known in self.allowed_origins}

    def answer_headers(self, origin: str, *, preflight: bool) -> dict[str, str]:
        """Return what an answer to ``origin`` says."""
        headers = {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}
        if self.allow_credentials:
            headers["Access-Control-Allow-Credentials"] = "true"
        if preflight:
            headers["Access-Control-Allow-Methods"] = ",".join(METHODS)
            headers["Access-Control-Allow-Headers"] = ",".join(self.headers)
            headers["Access-Control-Max-Age"] = "300"
        return headers
