"""Says on the pod why its agent cannot start: kubectl describe then shows what else only the agent's log holds.

The kubelet tells that a container fails (Event BackOff) but not why. The last lines of the container's log are in the
pod's status (terminationMessagePolicy FallbackToLogsOnError, containers.py); the agent's log holds nothing secret.
"""

import json
from hashlib import sha256
from typing import Any

from strongroom_common.clock import Clock
from strongroom_injector.kube import Kube
from strongroom_injector.missed import pod_event

Json = dict[str, Any]

BACK_OFF = "reason=BackOff,involvedObject.kind=Pod"
AGENT = "vault-agent"
_LINES, _LONGEST = 3, 800


def failures(pod: Json) -> list[tuple[str, int, str]]:
    """Return name, count of restarts and last words of each of the pod's agents that ended with an error."""
    status = pod.get("status", {})
    found = []
    for each in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        ends = [(each.get(state) or {}).get("terminated") or {} for state in ("state", "lastState")]
        ended = next((end for end in ends if end.get("exitCode")), None)
        if each["name"].startswith(AGENT) and ended:
            found.append((each["name"], int(each.get("restartCount", 0)), _last_words(ended.get("message") or "")))
    return found


def _last_words(message: str) -> str:
    """Return the agent's last errors, and nothing else: a command that it runs may print what must stay here."""
    errors = [error for line in message.splitlines() if (error := _error(line))]
    return "\n".join(errors[-_LINES:])[-_LONGEST:] or "see its log"


def _error(line: str) -> str:
    """Return the message of a line of the log (strongroom_common.logs, text or JSON) if it is an error, else ""."""
    if not line.startswith("{"):
        return line.partition("[ERROR]")[2].strip()
    try:
        entry = json.loads(line)
    except ValueError:
        return ""
    return str(entry.get("@message", "")) if entry.get("@level") == "error" else ""


class Failing:
    """Watches for agents that fail; several replicas that do so write one Event, since its name follows from it."""

    def __init__(self, kube: Kube, clock: Clock) -> None:
        self._kube, self._clock = kube, clock

    async def watch(self) -> None:
        """Follow the kubelets' Events for some minutes; raises KubeError."""
        told: set[str] = set()
        async for event in self._kube.watch_events(BACK_OFF):
            involved = event["involvedObject"]
            if AGENT in involved.get("fieldPath", ""):
                await self._look_at(involved["namespace"], involved["name"], told)

    async def _look_at(self, namespace: str, name: str, told: set[str]) -> None:
        pod = await self._kube.pod(namespace, name)
        if pod is None:
            return
        meta = pod["metadata"]
        for container, restarts, words in failures(pod):
            digest = sha256(f"{meta['uid']} {container} {restarts}".encode()).hexdigest()[:12]
            if digest not in told:
                told.add(digest)
                message = f"{container} failed: {words}"
                await self._kube.create_event(
                    namespace, pod_event(meta, digest, "AgentFailed", message, self._clock.now())
                )
