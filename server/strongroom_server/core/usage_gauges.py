"""Gauges that need everything read: tokens by policy, method and lifetime, leases by their end, secrets by mount.

Their names and labels are those of Vault's usage metrics (https://developer.hashicorp.com/vault/docs/internals/
telemetry/metrics/all).
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from strongroom_server.config import Telemetry
from strongroom_server.core.builtin_policies import RESPONSE_WRAPPING
from strongroom_server.core.metrics import Labels
from strongroom_server.core.tokens import Token

if TYPE_CHECKING:
    from strongroom_server.core.server import Server

Counts = Counter[Labels]
_LIFETIMES = (60, 600, 1200, 3600, 7200, 86400, 172800, 604800, 2592000)
_NAMES = ("1m", "10m", "20m", "1h", "2h", "1d", "2d", "7d", "30d", "+Inf")
_TOKENS, _LEASES, _SECRETS = "vault.token.count.by_", "vault.expire.leases.by_expiration", "vault.secret.kv.count"


async def usage(root: "Server") -> dict[str, Counts]:
    """Return the gauges by name, each a count by its labels; those without any are there, and empty."""
    telemetry, now = root.options.config.telemetry, root.clock.now()
    found: dict[str, Counts] = {f"{_TOKENS}{facet}": Counter() for facet in ("auth", "policy", "ttl")}
    found |= {_LEASES: Counter(), _SECRETS: Counter()}
    for server in list(root.tree()):
        namespace = ("namespace", server.path.strip("/") or "root")
        for accessor in await server.tokens.accessors():
            token = await server.tokens.by_accessor(accessor)
            if token is not None and not token.expired(now):
                for facet, label in _facets(token):
                    found[f"{_TOKENS}{facet}"][_sorted(namespace, label)] += 1
        by_namespace = (namespace,) if telemetry.add_lease_metrics_namespace_labels else ()
        for moment in _buckets(server.leases.ending().values(), telemetry, now):
            found[_LEASES][_sorted(("expiring", moment), *by_namespace)] += 1
        for mount in server.mounts:
            count = None if mount.engine is None else await mount.engine.count_secrets()
            if count is not None:
                found[_SECRETS][_sorted(("mount_point", mount.point), namespace)] = count
    return found


def _facets(token: Token) -> list[tuple[str, tuple[str, str]]]:
    """Return the gauges that a token counts for, each with its label."""
    method = token.path.split("/")[1] if token.path.startswith("auth/") else token.path
    if RESPONSE_WRAPPING in token.policies:
        method = "response_wrapping"
    by_policy = [("policy", ("policy", name)) for name in token.policies]
    return [("auth", ("auth_method", method)), ("ttl", ("creation_ttl", lifetime(token.ttl))), *by_policy]


def _buckets(ends: Iterable[float], telemetry: Telemetry, now: float) -> Iterable[str]:
    """Yield the round moment at which each lease ends, for those that end within the window of the server file."""
    width = telemetry.lease_metrics_epsilon
    if width <= 0:
        return
    last = now + width * telemetry.num_lease_metrics_buckets
    for end in ends:
        if 0 < end < last:
            moment = datetime.fromtimestamp(int(end / width + 0.5) * width, UTC)
            yield f"{moment:%Y-%m-%d %H:%M:%S} +0000 UTC"


def _sorted(*labels: tuple[str, str]) -> Labels:
    return tuple(sorted(labels))


def lifetime(seconds: int) -> str:
    """Return the bucket of a lifetime, by the names that Vault's metrics have."""
    return _NAMES[bisect_left(_LIFETIMES, seconds) if seconds else -1]
