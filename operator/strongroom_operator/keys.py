"""What initialisation gives, and how it is kept in a Kubernetes Secret.

Entries: ``unseal-key-1`` … (or ``recovery-key-1`` … where the server unseals itself), and ``root-token`` for the
moments between initialisation and the end of bootstrap, so that an operator that dies in between can go on.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from strongroom_common.secret import Secret
from strongroom_operator.resources import Body, Cluster, unowned

_ROOT = "root-token"


@dataclass(frozen=True)
class Keys:
    """Key shares (base64, in order) and, while bootstrap lasts, the root token."""

    shares: tuple[Secret[str], ...] = ()
    root_token: Secret[str] = field(default_factory=lambda: Secret(""))
    kind: str = "unseal"

    def without_root_token(self) -> "Keys":
        """Return the same shares alone."""
        return replace(self, root_token=Secret(""))


def from_init(answer: Mapping[str, Any]) -> Keys:
    """Read the answer of sys/init."""
    kind = "recovery" if answer.get("recovery_keys_base64") else "unseal"
    shares = answer.get("recovery_keys_base64") or answer.get("keys_base64") or ()
    return Keys(tuple(Secret(share) for share in shares), Secret(answer["root_token"]), kind)


def from_secret(body: Mapping[str, Any] | None) -> Keys | None:
    """Read a Secret; None where it is absent or holds no share."""
    data = {name: base64.b64decode(value).decode() for name, value in ((body or {}).get("data") or {}).items()}
    kind = "recovery" if any(name.startswith("recovery-key-") for name in data) else "unseal"
    names = [name for name in data if name.startswith(f"{kind}-key-")]
    if not names:
        return None
    ordered = sorted(names, key=lambda name: int(name.rpartition("-")[2]))
    return Keys(tuple(Secret(data[name]) for name in ordered), Secret(data.get(_ROOT, "")), kind)


def to_secret(cluster: Cluster, keys: Keys | None) -> Body:
    """Return the Secret; with no keys, an empty one that only proves that it can be written."""
    entries = {f"{keys.kind}-key-{n}": share.reveal() for n, share in enumerate(keys.shares, 1)} if keys else {}
    if keys and keys.root_token:
        entries[_ROOT] = keys.root_token.reveal()
    data = {name: base64.b64encode(text.encode()).decode() for name, text in entries.items()}
    return unowned(cluster, "v1", "Secret", cluster.keys_secret, type="Opaque", data=data)
