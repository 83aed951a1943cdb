"""Gauges: figures that are read from their owners when someone looks at sys/metrics.

Those that need every token read (by policy, by method, by lifetime) are taken anew at most every
``usage_gauge_period`` of the server file, as Vault does; 0 is never.
"""

import asyncio
import gc
import resource
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strongroom_server.core.metrics import Labels
from strongroom_server.core.tokens import Token

if TYPE_CHECKING:
    from strongroom_server.core.server import Server

_LIFETIMES = ((60, "1m"), (600, "10m"), (1200, "20m"), (3600, "1h"), (7200, "2h"), (86400, "1d"), (172800, "2d"),
              (604800, "7d"), (2592000, "30d"))  # fmt: skip
_USAGE = ("vault.token.count.by_auth", "vault.token.count.by_policy", "vault.token.count.by_ttl")
_PAGE = resource.getpagesize()


class Gauges:
    """Brings the gauges up to date."""

    def __init__(self, server: "Server") -> None:
        self._server = server
        self._counted_at = 0.0

    async def refresh(self) -> None:
        """Take all figures anew."""
        self._server.metrics.gauge("vault.core.unsealed", 0 if self._server.sealed else 1, self._cluster)
        self._server.metrics.gauge("vault.core.active", 0 if self._server.sealed else 1, self._cluster)
        self._runtime()
        if self._server.sealed:
            return
        self._core()
        await self._tokens()

    @property
    def _cluster(self) -> Labels:
        return (("cluster", self._server.cluster_name),)

    def _core(self) -> None:
        server, gauge = self._server, self._server.metrics.gauge
        gauge("vault.core.in_flight_requests", len(server.in_flight), self._cluster)
        gauge("vault.core.locked_users", len(server.lockouts.locked()))
        for table, shown in (("secret", "logical"), ("auth", "auth")):
            rows = Counter(mount.entry.local for mount in server.mounts if mount.table == table)
            for local in (False, True):
                labels = (*self._cluster, ("local", str(local).lower()), ("type", shown))
                gauge("vault.core.mount_table.num_entries", rows[local], labels)
        gauge("vault.expire.num_leases", server.leases.count())
        gauge("vault.expire.num_irrevocable_leases", len(server.leases.irrevocable()))
        entities = len(server.identity.index.entities)
        gauge("vault.identity.num_entities", entities)
        gauge("vault.identity.entity.count", entities, (*self._cluster, ("namespace", "root")))
        key, cache = server.barrier.key_info(), server.barrier.cache_counts()
        gauge("vault.barrier.estimated_encryptions", key.encryptions, (("term", str(key.term)),))
        for name, value in cache.items():
            server.metrics.counters[f"vault.cache.{name}", ()] = value
        index: Any = getattr(server.backend, "committed_index", None)
        if index is not None:
            gauge("vault.raft.committed_index", index() if callable(index) else index)

    async def _tokens(self) -> None:
        server = self._server
        accessors = await server.tokens.accessors()
        labels = (*self._cluster, ("namespace", "root"))
        server.metrics.gauge("vault.token.count", len(accessors), labels)
        period, now = server.options.config.telemetry.usage_gauge_period, server.clock.now()
        if not period or now < self._counted_at + period:
            return
        self._counted_at = now
        counts: Counter[tuple[str, Labels]] = Counter()
        for accessor in accessors:
            token = await server.tokens.by_accessor(accessor)
            if token is not None and not token.expired(now):
                counts.update((name, (*self._cluster, *rest)) for name, rest in _facets(token))
        for name in _USAGE:
            server.metrics.drop_gauges(name)
        most = server.options.config.telemetry.maximum_gauge_cardinality
        for (name, facets), number in counts.most_common(most):
            server.metrics.gauge(name, number, facets)

    def _runtime(self) -> None:
        metrics, gauge = self._server.metrics, self._server.metrics.gauge
        total, resident, *_ = (int(pages) * _PAGE for pages in Path("/proc/self/statm").read_text().split())
        used = resource.getrusage(resource.RUSAGE_SELF)
        gauge("vault.runtime.alloc_bytes", resident)
        gauge("vault.runtime.sys_bytes", total)
        gauge("vault.runtime.num_goroutines", len(asyncio.all_tasks()))
        gauge("vault.runtime.total_gc_runs", sum(generation["collections"] for generation in gc.get_stats()))
        gauge("process_resident_memory_bytes", resident)
        gauge("process_virtual_memory_bytes", total)
        gauge("process_open_fds", sum(1 for _ in Path("/proc/self/fd").iterdir()))
        gauge("process_max_fds", resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        metrics.counters["process_cpu_seconds_total", ()] = used.ru_utime + used.ru_stime


def _facets(token: Token) -> list[tuple[str, Labels]]:
    """Return the gauges that a token counts for."""
    method = token.path.split("/")[1] if token.path.startswith("auth/") else token.path
    by_policy = [("vault.token.count.by_policy", (("namespace", "root"), ("policy", name))) for name in token.policies]
    return [
        ("vault.token.count.by_auth", (("auth_method", method), ("namespace", "root"))),
        ("vault.token.count.by_ttl", (("creation_ttl", lifetime(token.ttl)), ("namespace", "root"))),
        *by_policy,
    ]


def lifetime(seconds: int) -> str:
    """Return the bucket of a lifetime, by the names that Vault's metrics have."""
    if not seconds:
        return "+Inf"
    return next((name for most, name in _LIFETIMES if seconds <= most), "+Inf")
