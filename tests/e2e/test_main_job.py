"""From an installed chart to a rotated secret in a pod, and what must not break it."""

import json
import time
from datetime import datetime
from typing import Any

import pytest

from tools import demo
from tools.cluster.layout import PYTHON_IMAGE
from tools.cluster.objects import Namespace, condition

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]


def annotated_pod(name: str, account: str, role: str = "app") -> dict[str, Any]:
    """A pod that asks for the example's secret."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "annotations": {
                "strongroom.dev/agent-inject": "true",
                "strongroom.dev/role": role,
                "strongroom.dev/agent-inject-secret-app": "secret/data/app",
            },
        },
        "spec": {
            "serviceAccountName": account,
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "app", "image": PYTHON_IMAGE, "command": ["sleep", "infinity"]}],
        },
    }


def test_a_pod_sees_a_secret_and_then_its_new_version(quickstart: Namespace) -> None:
    demo.write(quickstart, "first")
    pod = demo.wait_for_application(quickstart)
    assert "first" in demo.see(quickstart, pod, "first", 60)
    demo.write(quickstart, "second")
    assert "second" in demo.see(quickstart, pod, "second", 60)


def test_a_job_with_a_secret_ends(quickstart: Namespace) -> None:
    demo.write(quickstart, "for the job")
    assert "for the job" in demo.run_job(quickstart)


def test_pods_are_injected_while_one_of_two_injectors_goes_away(quickstart: Namespace, strongroom: Namespace) -> None:
    injectors = [pod for pod in strongroom.find("pods") if "injector" in pod["metadata"]["name"]]
    assert len(injectors) == 2
    strongroom.kubectl("delete", "pod", injectors[0]["metadata"]["name"], "--wait=false")
    for number in range(20):
        made = quickstart.kubectl(
            "create", "--dry-run=server", "--output=json", "--filename=-",
            stdin=json.dumps(annotated_pod(f"probe-{number}", "app")),
        )  # fmt: skip
        assert json.loads(made)["metadata"]["annotations"].get("strongroom.dev/agent-inject-status") == "injected"
        time.sleep(0.2)


def test_a_restarted_server_is_unsealed_again_within_ten_seconds(quickstart: Namespace) -> None:
    before = quickstart.get("pod/vault-0")["metadata"]["uid"]
    quickstart.kubectl("delete", "pod", "vault-0")
    pod = quickstart.until(
        "pod/vault-0", lambda found: found["metadata"]["uid"] != before and condition(found, "Ready") == "True", 90
    )
    started = pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"]
    ready = condition(pod, "Ready", "lastTransitionTime")
    assert (datetime.fromisoformat(ready) - datetime.fromisoformat(started)).total_seconds() <= 10
    quickstart.until_condition("vaultcluster/vault", "Available", 30)


def test_a_service_account_without_a_policy_is_told_so(quickstart: Namespace, request: pytest.FixtureRequest) -> None:
    request.addfinalizer(lambda: quickstart.kubectl("delete", "pod", "stranger", "--ignore-not-found", "--wait=false"))
    quickstart.apply(annotated_pod("stranger", "default"))

    def log(pod: dict[str, Any]) -> str:
        init = next(each["name"] for each in pod["spec"]["initContainers"])
        return quickstart.kubectl("logs", "stranger", "--container", init)

    quickstart.until("pod/stranger", lambda pod: "permission denied" in log(pod), 60)
    quickstart.until("pod/stranger", lambda pod: "permission denied" in quickstart.events(), 60)
