"""A Kubernetes namespace as the tests see it: apply, read, wait, look inside."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from tools.cluster.steps import StepFailed
from tools.cluster.target import Target


@dataclass(frozen=True)
class Namespace:
    """A Kubernetes namespace."""

    name: str
    cluster: Target

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        return self.cluster.kubectl("--namespace", self.name, *words, stdin=stdin)

    def apply(self, *objects: dict[str, Any]) -> None:
        self.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))

    def get(self, what: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", what, "--output=json"))
        return found

    def until(self, what: str, accept: Callable[[dict[str, Any]], object], timeout: float = 60) -> dict[str, Any]:
        """Read an object until it is as wanted; fail with its last state."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                found = self.get(what)
                if accept(found):
                    return found
            except StepFailed as error:
                found = {"status": str(error)}
            if time.monotonic() > deadline:
                pytest.fail(f"{what} in {self.name}: {json.dumps(found.get('status'))[:2000]}\n{self.events()}")
            time.sleep(0.3)

    def events(self) -> str:
        return self.kubectl("get", "events", "--sort-by=.lastTimestamp")

    def running(self, pod: str, timeout: float = 60) -> dict[str, Any]:
        """Wait until a pod is ready."""
        return self.until(f"pod/{pod}", lambda found: condition(found, "Ready") == "True", timeout)

    def python(self, pod: str, program: str, container: str | None = None) -> str:
        """Run a Python program in a pod and return what it prints."""
        where = ["-c", container] if container else []
        return self.kubectl("exec", "-i", pod, *where, "--", "python3", "-", stdin=program)


def condition(found: dict[str, Any], kind: str) -> str:
    """Status of one condition of an object, "" if it has none of that kind."""
    conditions = found.get("status", {}).get("conditions") or []
    return next((each["status"] for each in conditions if each["type"] == kind), "")
