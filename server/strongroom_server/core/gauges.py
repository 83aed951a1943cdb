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
from strongroom_server.core.usage_gauges import usage

if TYPE_CHECKING:
    from strongroom_server.core.server import Server

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
        await self._usage()

    @property
    def _cluster(self) -> Labels:
        return (("cluster", self._server.cluster_name),)

    def _of(self, namespace: "Server") -> Labels:
        return (*self._cluster, ("namespace", namespace.path.strip("/") or "root"))

    def _core(self) -> None:
        server, gauge = self._server, self._server.metrics.gauge
        tree = list(server.tree())
        gauge("vault.core.in_flight_requests", len(server.in_flight), self._cluster)
        gauge("vault.core.locked_users", sum(len(one.lockouts.locked()) for one in tree))
        for table, shown in (("secret", "logical"), ("auth", "auth")):
            rows = Counter(mount.entry.local for one in tree for mount in one.mounts if mount.table == table)
            for local in (False, True):
                labels = (*self._cluster, ("local", str(local).lower()), ("type", shown))
                gauge("vault.core.mount_table.num_entries", rows[local], labels)
        gauge("vault.expire.num_leases", sum(one.leases.count() for one in tree))
        gauge("vault.expire.num_irrevocable_leases", sum(len(one.leases.irrevocable()) for one in tree))
        gauge("vault.identity.num_entities", sum(len(one.identity.index.entities) for one in tree))
        for one in tree:
            gauge("vault.identity.entity.count", len(one.identity.index.entities), self._of(one))
        key, cache = server.barrier.key_info(), server.barrier.cache_counts()
        gauge("vault.barrier.estimated_encryptions", key.encryptions, (("term", str(key.term)),))
        for name, value in cache.items():
            server.metrics.counters[f"vault.cache.{name}", ()] = value
        index: Any = getattr(server.backend, "committed_index", None)
        if index is not None:
            gauge("vault.raft.committed_index", index() if callable(index) else index)

    async def _usage(self) -> None:
        server, metrics = self._server, self._server.metrics
        for one in list(server.tree()):
            metrics.gauge("vault.token.count", len(await one.tokens.accessors()), self._of(one))
        telemetry, now = server.options.config.telemetry, server.clock.now()
        if not telemetry.usage_gauge_period or now < self._counted_at + telemetry.usage_gauge_period:
            return
        self._counted_at = now
        for name, counts in (await usage(server)).items():
            metrics.drop_gauges(name)
            for facets, number in counts.most_common(telemetry.maximum_gauge_cardinality):
                metrics.gauge(name, number, tuple(sorted((*self._cluster, *facets))))

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
