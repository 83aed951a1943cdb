"""sys/ as it is in a namespace: without what is the whole server's.

What is not named here as open is closed, so that a new route is the root's until someone says otherwise. The messages
are OpenBao's.
"""

from typing import Any

from strongroom_server.core.sys import Sys
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.request import Request, Response
from strongroom_server.sdk.routes import Route

_OPEN = frozenset({
    "auth", "capabilities", "capabilities-accessor", "capabilities-self", "control-group", "decode-token", "ha-status",
    "internal/counters/entities", "internal/counters/requests", "internal/counters/tokens", "internal/specs",
    "internal/ui", "leader", "leases", "locked-users", "mfa", "mounts", "namespaces", "plugins", "policies", "policy",
    "remount", "renew", "revoke", "revoke-force", "revoke-prefix", "seal-status", "tools", "version-history",
    "wrapping",
})  # fmt: skip
_NOT_BELOW = frozenset({
    "generate-recovery-token", "generate-root", "generate-root-token", "health", "in-flight-req", "init", "metrics",
    "pprof", "raw", "rekey", "rekey-recovery-key", "seal", "step-down", "storage", "unseal",
})  # fmt: skip
_OF_SEALS = frozenset({"key-status", "rotate"})


def closed(path: str) -> str:
    """Return why a path of sys/ (without "sys/") is not served in a namespace; "" where it is."""
    parts = path.split("/")
    names = {"/".join(parts[:length]) for length in range(1, len(parts) + 1)}
    if names & _OPEN:
        return ""
    if names & _NOT_BELOW:
        return "operation unavailable in namespaces"
    return "namespace is not sealable" if names & _OF_SEALS else "operation only available in root namespace"


def closed_to_all(path: str) -> str:
    """Return the message for a whole path that is refused before anyone asks who the caller is; "" for others."""
    first = path.removeprefix("sys/").partition("/")[0] if path.startswith("sys/") else ""
    return closed(first) if first in _NOT_BELOW else ""


class NamespaceSys(Sys):
    """The namespace itself: its mounts, policies, leases and what lies below it."""

    async def exists(self, request: Request, found: Any = None) -> bool | None:
        """Tell whether what a write addresses is there. Of what is the whole server's nothing is told."""
        return None if closed(request.path) else await super().exists(request, found)

    async def call(self, route: Route, captures: dict[str, Any], request: Request) -> Response:
        """Serve a request; raises InvalidRequest for what is the whole server's."""
        if message := closed(request.path):
            raise InvalidRequest(message)
        return await super().call(route, captures, request)
