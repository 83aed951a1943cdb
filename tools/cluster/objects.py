"""One namespace of a cluster, seen through kubectl: apply, read, wait, look into containers, tell what went wrong."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tools.cluster.clients import client
from tools.cluster.steps import StepFailed, last_lines
from tools.cluster.target import Target

Object = dict[str, Any]

_TRIES = 30


@dataclass(frozen=True)
class Namespace:
    """A namespace and the cluster it is in."""

    name: str
    cluster: Target

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        """Run kubectl in this namespace and return what it prints; raises StepFailed."""
        return self.cluster.kubectl("--namespace", self.name, *words, stdin=stdin)

    def apply(self, *objects: Object) -> str:
        """Create or change objects."""
        document = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        return self.kubectl("apply", "-f", "-", stdin=json.dumps(document))

    def get(self, what: str) -> Object:
        """Read an object, named as kind/name; raises StepFailed."""
        found: Object = json.loads(self.kubectl("get", what, "--output=json"))
        return found

    def find(self, kind: str, selector: str = "") -> list[Object]:
        """Read all objects of a kind, or those with certain labels."""
        items: list[Object] = json.loads(self.kubectl("get", kind, f"--selector={selector}", "--output=json"))["items"]
        return items

    def until(self, what: str, accept: Callable[[Object], object], timeout: float = 60) -> Object:
        """Read an object until it is as wanted.

        Raises StepFailed with its conditions, its last events and those of its namespace.
        """
        started = told = time.monotonic()
        while True:
            try:
                found = self.get(what)
                if accept(found):
                    return found
            except StepFailed as error:
                found = {"status": str(error)}
            if time.monotonic() - started > timeout:
                raise StepFailed(f"{what} is not as it should be after {timeout:.0f} s.\n{self.trouble(what, found)}")
            if time.monotonic() - told > 10:
                told = time.monotonic()
                print(f"\n    {told - started:4.0f} s  {self.newest_event()[:150]}", end="", flush=True)
            time.sleep(0.3)

    def until_condition(self, what: str, kind: str, timeout: float = 60) -> Object:
        """Wait until a condition of an object is True."""
        return self.until(what, lambda found: condition(found, kind) == "True", timeout)

    def trouble(self, what: str, found: Object) -> str:
        """Say where to look: the object's state, the namespace's last events, the logs of pods that are not ready."""
        status = json.dumps(found.get("status"), indent=1)
        parts = [
            f"  Look at: kubectl --namespace {self.name} describe {what.replace('/', ' ')}",
            f"    its status:\n{last_lines(status, 40)}",
            f"    last events:\n{last_lines(self.events())}",
        ]
        for pod in self.find("pods"):
            if condition(pod, "Ready") != "True" and pod["status"].get("phase") != "Succeeded":
                name = pod["metadata"]["name"]
                logs = self.kubectl("logs", name, "--all-containers", "--tail=8", "--prefix", "--ignore-errors")
                parts.append(f"    log of {name}:\n{last_lines(logs, 24)}")
        return "\n".join(parts)

    def events(self) -> str:
        """Tell the namespace's events, the newest last."""
        columns = "custom-columns=OBJECT:.involvedObject.name,REASON:.reason,MESSAGE:.message"
        return self.kubectl("get", "events", "--sort-by=.lastTimestamp", "--output", columns)

    def newest_event(self) -> str:
        """Tell the newest event in one line."""
        return " ".join(self.events().strip().splitlines()[-1].split())

    def python(self, pod: str, program: str, container: str = "") -> str:
        """Run a Python program in a pod and return what it prints."""
        where = ["--container", container] if container else []
        command = ["exec", "--stdin", pod, *where, "--", "python3", "-"]
        for _ in range(_TRIES):
            try:
                return self.kubectl(*command, stdin=program)
            except StepFailed as error:  # nothing was run: the kubelet does not know of the container yet
                if "container not found" not in str(error):
                    raise
            time.sleep(1)
        return self.kubectl(*command, stdin=program)

    @contextmanager
    def forward(self, what: str, port: int) -> Iterator[int]:
        """Reach a port of a Service or pod at a port of 127.0.0.1, which is given out."""
        command = [client("kubectl"), "--namespace", self.name, "port-forward", what, f":{port}"]
        with subprocess.Popen(command, env=self.cluster.env(), stdout=subprocess.PIPE, text=True) as process:
            try:
                words = process.stdout.readline().split() if process.stdout else []
                if len(words) < 3:
                    raise StepFailed(f"{' '.join(command[1:])} does not answer")
                yield int(words[2].rpartition(":")[2])
            finally:
                process.terminate()


def condition(found: Object, kind: str, part: str = "status") -> str:
    """Read one condition of an object; "" if it has none of that kind."""
    conditions = found.get("status", {}).get("conditions") or []
    return next((each.get(part, "") for each in conditions if each["type"] == kind), "")
