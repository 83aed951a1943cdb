"""Paths that ask for the sudo capability beside what is done there, for ``-output-policy``.

https://developer.hashicorp.com/vault/docs/concepts/policies#root-protected-api-endpoints; a test compares the table
with the server's routes.
"""

import re

_PATHS = (
    r"auth/token/accessors", r"auth/token/revoke-orphan", r"sys/audit(/.+)?", r"sys/auth/.+",
    r"sys/config/(auditing/request-headers|cors|metrics|reload/.+|ui/headers)(/.+)?", r"sys/internal/inspect/.+",
    r"sys/leases", r"sys/leases/lookup/.*", r"sys/(leases/)?revoke-(force|prefix)/.+", r"sys/monitor",
    r"sys/plugins/catalog/.+", r"sys/pprof(/.+)?", r"sys/raw(/.*)?", r"sys/remount",
    r"sys/rotate(/keyring|/root)?", r"sys/seal", r"sys/step-down", r"sys/storage/raft/snapshot-auto/config/.*",
)  # fmt: skip
_SUDO = re.compile("|".join(f"(?:{path})" for path in _PATHS))


def needs_sudo(path: str) -> bool:
    """Tell whether a request to ``path``, without slashes around it, needs sudo."""
    return _SUDO.fullmatch(path) is not None
