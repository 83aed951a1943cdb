"""When the barrier's key is replaced by itself: after so much use, or so much time (Vault docs, "Key rotation")."""

from dataclasses import dataclass
from typing import Annotated, Any

from strongroom_common.durations import go_duration
from strongroom_common.fields import Seconds
from strongroom_server.barrier.keyring import KeyInfo
from strongroom_server.sdk.errors import InvalidRequest

_FEWEST, MOST = 1_000_000, 3_865_470_566  # NIST SP 800-38D, section 8.3: at most 2^32 with random nonces, less a tenth
_SHORTEST = 24 * 3600


@dataclass(frozen=True)
class Rotation:
    """When a new key is due."""

    max_operations: Annotated[int, "Encryptions with one key."] = MOST
    interval: Annotated[Seconds, "Age of a key; 0 is any."] = Seconds(0)
    enabled: Annotated[bool, "Replace keys by themselves."] = True

    def check(self) -> None:
        """Raise InvalidRequest where the numbers make no sense."""
        if not _FEWEST <= self.max_operations <= MOST:
            raise InvalidRequest(f"max_operations must be in the range [{_FEWEST},{MOST}]")
        if self.interval and self.interval < _SHORTEST:
            raise InvalidRequest("interval must be greater or equal to 24h0m0s")

    def due(self, key: KeyInfo, now: float) -> bool:
        """Say whether ``key`` is to be replaced."""
        old = bool(self.interval) and now >= key.installed + self.interval
        return self.enabled and (old or key.encryptions >= self.max_operations)


def shown(rotation: Rotation) -> dict[str, Any]:
    """Return what a read shows."""
    interval = go_duration(rotation.interval) if rotation.interval else 0
    return {"enabled": rotation.enabled, "interval": interval, "max_operations": rotation.max_operations}
