"""From what was seen of the servers to the next step and the words for it."""

import pytest

from strongroom_operator.checks import Verdict
from strongroom_operator.state import Member, Seen, Step, conditions, member, next_step
from strongroom_operator.vault import Health

EMPTY = Health(initialized=False, sealed=True, standby=True, version="1")
SEALED = Health(initialized=True, sealed=True, standby=True, version="1")
STANDBY = Health(initialized=True, sealed=False, standby=True, version="1")
ACTIVE = Health(initialized=True, sealed=False, standby=False, version="1")


def seen(*answers: Health | None, set_up: bool = False, replicas: int = 1, rolling: bool = False) -> Seen:
    members = tuple(Member(f"vault-{n}", "10.0.0.1", health=health) for n, health in enumerate(answers))
    return Seen(replicas, members, set_up, rolling)


@pytest.mark.parametrize(
    ("found", "step"),
    [
        pytest.param(seen(), None, id="no_pod_yet"),
        pytest.param(seen(None), None, id="no_answer_yet"),
        pytest.param(seen(EMPTY), "initialise", id="an_empty_server"),
        pytest.param(seen(EMPTY, None, replicas=2), None, id="empty_but_another_may_hold_the_data"),
        pytest.param(seen(SEALED), "unseal", id="a_sealed_server"),
        pytest.param(seen(ACTIVE, SEALED, replicas=2, set_up=True), "unseal", id="one_of_two_is_sealed"),
        pytest.param(seen(ACTIVE), "set up", id="open_but_bare"),
        pytest.param(seen(STANDBY), None, id="open_but_without_a_leader"),
        pytest.param(seen(ACTIVE, set_up=True), None, id="all_is_well"),
    ],
)
def test_the_next_step(found: Seen, step: Step | None) -> None:
    assert next_step(found) == step


BAD = Verdict("KeysMissing", "gone")
LATER = Verdict("CannotLogIn", "not yet")


@pytest.mark.parametrize(
    ("found", "problem", "waiting", "expected"),
    [
        pytest.param(seen(), None, None, "Unknown Unknown False:NoAnswer True False", id="nothing_there_yet"),
        pytest.param(seen(EMPTY), None, None, "False False False:NotInitialized True False", id="empty"),
        pytest.param(seen(SEALED), None, None, "True False False:Sealed True False", id="sealed"),
        pytest.param(seen(SEALED), BAD, None, "True False False:Sealed False True:KeysMissing", id="sealed_for_good"),
        pytest.param(seen(STANDBY), None, None, "True True False:NoActiveServer True False", id="no_leader"),
        pytest.param(seen(ACTIVE), None, None, "True True False:NotSetUp True False", id="not_set_up"),
        pytest.param(seen(ACTIVE), None, LATER, "True True False:CannotLogIn True False", id="waiting_says_what_for"),
        pytest.param(seen(ACTIVE, set_up=True), None, None, "True True True False False", id="serving"),
        pytest.param(
            seen(ACTIVE, set_up=True, rolling=True), None, None, "True True True True False", id="rolling_out"
        ),
        pytest.param(
            seen(ACTIVE, set_up=True), BAD, None, "True True True False True:KeysMissing", id="serving_with_a_problem"
        ),
    ],
)
def test_conditions(found: Seen, problem: Verdict | None, waiting: Verdict | None, expected: str) -> None:
    made = conditions(found, problem, waiting)
    assert [c.type for c in made] == ["Initialized", "Unsealed", "Available", "Progressing", "Degraded"]
    shown = [f"{c.status}:{c.reason}" for c in made]
    for text, whole in zip(expected.split(), shown, strict=True):
        assert whole.startswith(text), shown
    assert all(c.message for c in made)


def test_a_pod_that_cannot_start_degrades_the_cluster() -> None:
    waiting = {"reason": "ImagePullBackOff", "message": "no such image"}
    pod = {
        "metadata": {"name": "vault-0"},
        "status": {"containerStatuses": [{"name": "strongroom", "state": {"waiting": waiting}}]},
    }
    made = {c.type: c for c in conditions(Seen(1, (member(pod),)), None)}
    assert (made["Degraded"].status, made["Degraded"].reason) == ("True", "ImagePullBackOff")
    assert made["Available"].message == "vault-0: ImagePullBackOff: no such image"


def test_a_pod_that_is_leaving_is_not_asked() -> None:
    pod = {"metadata": {"name": "vault-0", "deletionTimestamp": "now"}, "status": {"podIP": "10.0.0.1"}}
    assert member(pod).address == ""


def test_clients_are_promised_a_server_only_once_the_services_send_them_there() -> None:
    pod = {"metadata": {"name": "vault-0"}, "status": {"podIP": "10.0.0.1", "conditions": []}}
    made = {c.type: c for c in conditions(Seen(1, (member(pod, ACTIVE),), is_set_up=True), None)}
    assert (made["Available"].status, made["Available"].reason) == ("False", "NotReady")


def test_an_unschedulable_pod_says_why() -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no volume"}
    pod = {"metadata": {"name": "vault-0"}, "status": {"conditions": [condition]}}
    assert member(pod).waits == Verdict("Unschedulable", "no volume")


@pytest.mark.parametrize(
    ("health", "label"),
    [
        pytest.param(None, "sealed", id="no_answer"),
        pytest.param(SEALED, "sealed", id="sealed"),
        pytest.param(STANDBY, "standby", id="standby"),
        pytest.param(ACTIVE, "active", id="active"),
    ],
)
def test_labels(health: Health | None, label: str) -> None:
    assert Member("vault-0", health=health).ha_state == label
