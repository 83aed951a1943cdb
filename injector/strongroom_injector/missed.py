"""Finds pods that ask for the agent and run without it, and says so: an Event on the pod, a metric.

Such pods come to be where the webhook was not reached and its failurePolicy is Ignore (clusters before 1.28), or when
they are older than the injector.
"""

import logging
from collections import Counter
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from strongroom_common.clock import Clock
from strongroom_injector.admission import excluded
from strongroom_injector.errors import Denied, KubeError
from strongroom_injector.kube import Kube
from strongroom_injector.metrics import Metrics
from strongroom_injector.settings import already_injected, used_prefix, wants_injection

Json = dict[str, Any]

RUNNING = "status.phase!=Succeeded,status.phase!=Failed"
_log = logging.getLogger(__name__)


def is_missed(meta: Json, own_namespace: str) -> bool:
    """Say from a pod's metadata whether it should have been injected and was not."""
    annotations = meta.get("annotations") or {}
    if "deletionTimestamp" in meta or already_injected(annotations) or excluded(meta["namespace"], own_namespace):
        return False
    try:
        return wants_injection(annotations)
    except Denied:
        return False


class Missed:
    """Watches all pods; several replicas that do so write one Event, since its name follows from the pod."""

    def __init__(self, kube: Kube, clock: Clock, metrics: Metrics, own_namespace: str) -> None:
        self._kube, self._clock, self._metrics, self._own_namespace = kube, clock, metrics, own_namespace
        self._missed: dict[str, str] = {}  # uid of the pod -> its namespace

    async def watch(self) -> None:
        """List the pods, then follow them until the watch cannot be continued; raises KubeError."""
        found, version = await self._kube.pods(RUNNING)
        present = {meta["uid"] for meta in found}
        self._missed = {uid: namespace for uid, namespace in self._missed.items() if uid in present}
        for meta in found:
            await self._see("MODIFIED", meta)
        self._count()
        try:
            while True:
                async for event, meta in self._kube.watch_pods(RUNNING, version):
                    version = meta.get("resourceVersion", version)
                    await self._see(event, meta)
                    self._count()
        except KubeError as error:
            if error.status != 410:  # too old a version is the ordinary end of a watch
                raise

    def _count(self) -> None:
        self._metrics.not_injected.replace(Counter(self._missed.values()))

    async def _see(self, event: str, meta: Json) -> None:
        if event == "BOOKMARK":
            return
        if event == "DELETED" or not is_missed(meta, self._own_namespace):
            self._missed.pop(meta["uid"], None)
        elif meta["uid"] not in self._missed:
            self._missed[meta["uid"]] = meta["namespace"]
            _log.warning("pod %s/%s runs without the agent it asks for", meta["namespace"], meta["name"])
            await self._kube.create_event(meta["namespace"], _not_injected(meta, self._clock.now()))


def pod_event(meta: Json, digest: str, reason: str, message: str, now: float) -> Json:
    """Return a warning on the pod of this metadata; ``digest`` tells it from the pod's other Events."""
    moment = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{meta['name'][:200]}.{digest}", "namespace": meta["namespace"]},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Pod",
            "namespace": meta["namespace"],
            "name": meta["name"],
            "uid": meta["uid"],
        },
        "type": "Warning",
        "reason": reason,
        "message": message,
        "source": {"component": "strongroom-injector"},
        "reportingComponent": "strongroom-injector",
        "reportingInstance": "strongroom-injector",
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
    }


def _not_injected(meta: Json, now: float) -> Json:
    prefix = used_prefix(meta.get("annotations") or {})
    digest = sha256(meta["uid"].encode()).hexdigest()[:12]
    message = (
        f"The pod has {prefix}agent-inject but runs without the agent: the injector was not asked when it was created. "
        "Delete it so that it is created again."
    )
    return pod_event(meta, digest, "NotInjected", message, now)
