import asyncio
from typing import Any

import pytest

from strongroom_common.clock import FakeClock
from strongroom_injector.kube import Kube
from strongroom_injector.metrics import Metrics
from strongroom_injector.missed import Missed, is_missed
from tests.strongroom_injector.apiserver import ApiServer
from tests.strongroom_injector.pods import P, V
from tests.waiting import until

WANTED = {V + "agent-inject": "true"}


@pytest.mark.parametrize(
    ("meta", "missed"),
    [
        pytest.param({"annotations": WANTED}, True, id="asks_and_was_not"),
        pytest.param({"annotations": {P + "agent-inject": "true"}}, True, id="under_the_own_prefix"),
        pytest.param({}, False, id="asks_for_nothing"),
        pytest.param({"annotations": {**WANTED, V + "agent-inject-status": "injected"}}, False, id="injected"),
        pytest.param({"annotations": {**WANTED, V + "agent-inject-status": "update"}}, True, id="some_other_status"),
        pytest.param({"annotations": {V + "agent-inject": "false"}}, False, id="asks_not"),
        pytest.param({"annotations": {V + "agent-inject": "maybe"}}, False, id="asks_wrongly"),
        pytest.param({"annotations": WANTED, "namespace": "kube-system"}, False, id="kube_system"),
        pytest.param({"annotations": WANTED, "namespace": "strongroom"}, False, id="own_namespace"),
        pytest.param({"annotations": WANTED, "deletionTimestamp": "now"}, False, id="on_its_way_out"),
    ],
)
def test_which_pods_were_missed(meta: dict[str, Any], missed: bool) -> None:
    assert is_missed({"namespace": "default", "name": "p", "uid": "u", **meta}, "strongroom") is missed


async def test_each_missed_pod_gets_one_event_and_counts_until_it_is_gone(api: ApiServer, kube: Kube) -> None:
    metrics = [Metrics(), Metrics()]
    api.tell("ADDED", {"name": "old", "annotations": WANTED})
    api.tell("ADDED", {"name": "fine"})
    replicas = [Missed(kube, FakeClock(), each, "strongroom") for each in metrics]
    tasks = [asyncio.create_task(each.watch()) for each in replicas]
    await until(lambda: api.watchers == 2)
    api.tell("ADDED", {"name": "new", "namespace": "other", "annotations": WANTED})
    api.tell("MODIFIED", {"name": "new", "namespace": "other", "annotations": WANTED})
    api.tell("BOOKMARK", {"name": ""})
    await until(lambda: all(each.not_injected.values == {("default",): 1, ("other",): 1} for each in metrics))
    assert [each["involvedObject"]["name"] for each in api.events] == ["old", "new"]
    assert {each["reason"] for each in api.events} == {"NotInjected"}
    api.tell("DELETED", {"name": "new", "namespace": "other"})
    api.tell("DELETED", {"name": "old"})
    await until(lambda: all(not each.not_injected.values for each in metrics))
    api.tell("ERROR", {"name": ""})
    await asyncio.gather(*tasks)


async def test_a_pod_that_went_while_nobody_watched_counts_no_more(api: ApiServer, kube: Kube) -> None:
    metrics = Metrics()
    missed = Missed(kube, FakeClock(), metrics, "strongroom")
    for name in ("a", "b"):
        api.tell("ADDED", {"name": name, "annotations": WANTED})
    for count in (2, 1):
        task = asyncio.create_task(missed.watch())
        await until(lambda: api.watchers == 1)
        assert metrics.not_injected.values == {("default",): count}
        api.tell("ERROR", {"name": ""})
        await task
        api.tell("DELETED", {"name": "a"})
    assert len(api.events) == 2
