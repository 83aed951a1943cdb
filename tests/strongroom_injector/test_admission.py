import copy
import json
from typing import Any

import pytest

from strongroom_injector.admission import Surroundings, decide
from tests.strongroom_injector.pods import NEW, OLD, P, V, injected, pod


@pytest.mark.parametrize("around", [pytest.param(NEW, id="newer"), pytest.param(OLD, id="older")])
@pytest.mark.parametrize("prefix", [P, V, "openbao.org/"])
def test_a_second_pass_changes_nothing(around: Surroundings, prefix: str) -> None:
    once = injected(pod({"agent-inject-token": "true"}, prefix), around)
    assert decide(once, "default", around).patch == []


def test_nor_does_it_when_another_webhook_was_there_in_between() -> None:
    once = injected(pod())
    once["spec"]["containers"].insert(0, {"name": "istio-proxy", "image": "mesh:1"})
    once["spec"]["initContainers"].insert(0, {"name": "istio-init", "image": "mesh:1"})
    once["spec"]["volumes"].append({"name": "istio-token", "emptyDir": {}})
    assert decide(once, "default", NEW).patch == []


def test_the_patch_is_the_same_byte_for_byte() -> None:
    first, second = (json.dumps(decide(pod(), "default", NEW).patch) for _ in range(2))
    assert first == second


def test_the_patch_only_adds() -> None:
    made = pod(volumes=[{"name": "v", "emptyDir": {}}], initContainers=[{"name": "i", "image": "i:1"}])
    assert {operation["op"] for operation in decide(made, "default", OLD).patch} == {"add"}


@pytest.mark.parametrize(
    ("change", "namespace", "warning"),
    [
        pytest.param({}, "kube-system", "pods in namespace kube-system are never injected", id="kube_system"),
        pytest.param({}, "strongroom", "pods in namespace strongroom are never injected", id="own_namespace"),
        pytest.param({"metadata": {"name": "app"}}, "default", None, id="no_annotations"),
        pytest.param({"metadata": {"annotations": None}}, "default", None, id="null_annotations"),
        pytest.param({"metadata": {"annotations": {P + "agent-inject": "false"}}}, "default", None, id="not_wanted"),
        pytest.param({"status": {"phase": "Running"}}, "default", None, id="running"),
    ],
)
def test_left_alone(change: dict[str, Any], namespace: str, warning: str | None) -> None:
    verdict = decide({**pod(), **change}, namespace, NEW)
    assert verdict.patch == []
    assert verdict.kind is None
    assert verdict.warnings == ([f"{P}agent-inject is ignored: {warning}"] if warning else [])


def test_a_pod_that_another_injector_has_seen_to_is_left_alone() -> None:
    made = pod()
    made["metadata"]["annotations"][V + "agent-inject-status"] = "injected"
    verdict = decide(made, "default", NEW)
    assert verdict.patch == []
    assert "an injector has been here before" in verdict.warnings[0]


def test_any_other_status_stops_nothing() -> None:
    assert injected(pod({"agent-inject-status": "update"}))["metadata"]["annotations"][P + "agent-inject-status"] == (
        "injected"
    )


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"containers": []}, id="no_containers"),
        pytest.param({"containers": [{"name": "a"}], "volumes": None, "initContainers": None}, id="null_lists"),
    ],
)
def test_odd_pods_do_not_break_it(spec: Any) -> None:
    made = {**copy.deepcopy(pod()), "spec": spec}
    assert len(injected(made)["spec"]["initContainers"]) == 1
