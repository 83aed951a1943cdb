"""What is stored of a namespace, and what may name one. Pure."""

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Any

from strongroom_server.sdk.errors import InvalidRequest

RESERVED = frozenset({"audit", "auth", "cubbyhole", "identity", "root", "sys"})


@dataclass(frozen=True)
class NamespaceEntry:
    """One row. ``path`` is the whole one ("ns1/ns2/"), ``id`` is what ends tokens and leases."""

    uuid: str
    id: str
    path: str
    custom_metadata: dict[str, str] = field(default_factory=dict)
    tainted: bool = False
    unlock_hash: str = ""

    @property
    def locked(self) -> bool:
        """Whether requests are refused until someone unlocks."""
        return bool(self.unlock_hash)

    def facts(self) -> dict[str, Any]:
        """Return what a read shows."""
        return {
            "custom_metadata": self.custom_metadata,
            "id": self.id,
            "locked": self.locked,
            "path": self.path,
            "tainted": self.tainted,
            "uuid": self.uuid,
        }

    def unlocks(self, key: str) -> bool:
        """Say whether ``key`` is the one that locking gave out."""
        return hmac.compare_digest(self.unlock_hash, hash_of(key))


def hash_of(key: str) -> str:
    """Return what is stored of an unlock key."""
    return hashlib.sha256(key.encode()).hexdigest()


def check_name(name: str) -> None:
    """Raise InvalidRequest for what cannot name a namespace, with OpenBao's messages."""
    if "/" in name:
        raise InvalidRequest("namespace name cannot contain /")
    if name in RESERVED:
        raise InvalidRequest(f'"{name}/" is a reserved path and cannot be used as a namespace name')
    if any(character.isspace() or not character.isprintable() for character in name):
        raise InvalidRequest(f'"{name}" contains space characters that cannot be used in a namespace name')
    if wild := next((sign for sign in "*+" if sign in name), ""):
        raise InvalidRequest(
            f"\"{name}\" contains wildcard characters that cannot be used in a namespace name: '{wild}'"
        )
    if not name.strip("."):
        raise InvalidRequest("namespace name must not be empty")
