import asyncio
from typing import Any

import pytest

from strongroom_common.clock import FakeClock
from strongroom_injector.errors import KubeError
from strongroom_injector.failing import Failing, failures
from strongroom_injector.kube import Kube
from tests.strongroom_injector.apiserver import ApiServer
from tests.waiting import until

ENDED = {
    "terminated": {"exitCode": 1, "message": "t [INFO] a\nt [ERROR] b: c\nt [ERROR] d: permission denied\n\nhunter2\n"}
}

JSON = '{"@level": "info", "@message": "a"}\n{"@level": "error", "@message": "permission denied"}\n{"@level": 3\n7\n'


def status(name: str, restarts: int = 1, **states: Any) -> dict[str, Any]:
    return {"name": name, "restartCount": restarts, **states}


@pytest.mark.parametrize(
    ("found", "told"),
    [
        pytest.param({}, [], id="no_status_yet"),
        pytest.param(
            {"initContainerStatuses": [status("vault-agent-init", state={"waiting": {}}, lastState=ENDED)]},
            [("vault-agent-init", 1, "b: c\nd: permission denied")],
            id="init_waits_to_be_restarted",
        ),
        pytest.param(
            {"containerStatuses": [status("vault-agent", 3, state=ENDED, lastState={})]},
            [("vault-agent", 3, "b: c\nd: permission denied")],
            id="sidecar_ended",
        ),
        pytest.param(
            {"containerStatuses": [status("vault-agent", state={"terminated": {"exitCode": 137}})]},
            [("vault-agent", 1, "see its log")],
            id="killed",
        ),
        pytest.param(
            {"initContainerStatuses": [status("vault-agent-init", state={"terminated": {"exitCode": 0}})]},
            [],
            id="done",
        ),
        pytest.param(
            {"containerStatuses": [status("vault-agent", state={"terminated": {"exitCode": 1, "message": JSON}})]},
            [("vault-agent", 1, "permission denied")],
            id="logs_as_json",
        ),
        pytest.param({"containerStatuses": [status("app", state=ENDED)]}, [], id="the_applications_own_trouble"),
    ],
)
def test_what_agents_said_last(found: dict[str, Any], told: list[tuple[str, int, str]]) -> None:
    assert failures({"status": found}) == told


def pod(restarts: int) -> dict[str, Any]:
    statuses = [status("vault-agent-init", restarts, lastState=ENDED)]
    meta = {"namespace": "apps", "name": "p", "uid": "u"}
    return {"metadata": meta, "status": {"initContainerStatuses": statuses}}


async def test_each_failure_is_told_once_though_two_replicas_watch(api: ApiServer, kube: Kube) -> None:
    tasks = [asyncio.create_task(Failing(kube, FakeClock()).watch()) for _ in range(2)]
    await until(lambda: api.event_watchers == 2)
    involved = {"namespace": "apps", "name": "p", "fieldPath": "spec.initContainers{vault-agent-init}"}
    api.back_off("ADDED", {**involved, "name": "gone"})
    api.back_off("ADDED", {**involved, "fieldPath": "spec.containers{app}"})
    for restarts in (1, 1, 2):
        api.put("/api/v1/namespaces/apps/pods/p", pod(restarts))
        before = len(api.requests)
        api.back_off("MODIFIED", involved)
        await until(lambda count=before: len(api.requests) >= count + 2)  # type: ignore[misc]
    await until(lambda: len(api.events) == 2)
    api.back_off("ERROR", {})
    for task in tasks:
        with pytest.raises(KubeError):
            await task
    assert len(api.events) == 2
    assert api.events[0]["reason"] == "AgentFailed"
    assert api.events[0]["involvedObject"]["uid"] == "u"
    assert api.events[0]["message"].startswith("vault-agent-init failed: b: c\nd: permission denied")
