import base64
import json
from typing import Any

import jsonpatch
import pytest
from aiohttp.test_utils import TestClient, TestServer

from strongroom_injector.metrics import Metrics
from strongroom_injector.webhook import Webhook
from tests.strongroom_injector.pods import NEW, P, pod

Json = dict[str, Any]
QUIET = {"agent-inject-template-s": "{{ secret }}"}


def review(made: Any, **request: Any) -> Json:
    asked = {"uid": "u1", "kind": {"group": "", "version": "v1", "kind": "Pod"}, "operation": "CREATE",
             "namespace": "apps", "object": made, **request}  # fmt: skip
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": asked}


async def ask(body: Any, path: str = "/mutate", problem: str | None = None) -> tuple[int, str, Metrics]:
    metrics = Metrics()
    webhook = Webhook(lambda: NEW, lambda: problem, metrics)
    async with TestClient(TestServer(webhook.app())) as client:
        sent = client.get(path) if body is None else client.post(path, data=body)
        async with sent as answer:
            return answer.status, await answer.text(), metrics


async def admit(made: Any, **request: Any) -> tuple[Json, Metrics]:
    status, text, metrics = await ask(json.dumps(review(made, **request)))
    assert status == 200
    answer = json.loads(text)
    assert (answer["apiVersion"], answer["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    response: Json = answer["response"]
    assert response["uid"] == "u1"
    return response, metrics


async def test_a_pod_is_injected() -> None:
    response, metrics = await admit(pod())
    assert response["allowed"] is True
    assert response["patchType"] == "JSONPatch"
    made = jsonpatch.apply_patch(pod(), json.loads(base64.b64decode(response["patch"])))
    assert made["spec"]["initContainers"][0]["name"] == "vault-agent"
    assert len(response["warnings"]) == 1
    assert metrics.injections.values == {("apps", "native_sidecar"): 1}


async def test_a_pod_without_annotations_is_let_through_and_nothing_else() -> None:
    response, metrics = await admit({"metadata": {}, "spec": {}})
    assert response == {"uid": "u1", "allowed": True}
    assert metrics.injections.values == {}


async def test_a_bad_annotation_is_refused() -> None:
    response, metrics = await admit(pod({"agent-run-as-user": "root"}))
    assert response["allowed"] is False
    assert response["status"] == {
        "code": 400,
        "reason": "BadRequest",
        "message": f'{P}agent-run-as-user: "root" is not valid, expected an integer',
    }
    assert metrics.refusals.values == {("apps", "annotation"): 1}


async def test_a_fault_of_the_injector_refuses_the_pod() -> None:
    response, metrics = await admit({**pod(), "spec": {"containers": [7]}})
    assert response["allowed"] is False
    assert response["status"]["code"] == 500
    assert "uid u1" in response["status"]["message"]
    assert metrics.refusals.values == {("apps", "error"): 1}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param("", "not an AdmissionReview", id="empty"),
        pytest.param("[]", "not an AdmissionReview", id="list"),
        pytest.param("{}", "not an AdmissionReview", id="no_request"),
        pytest.param(
            json.dumps({**review(pod()), "apiVersion": "admission.k8s.io/v1beta1"}),
            "expected an AdmissionReview of admission.k8s.io/v1",
            id="older_version",
        ),
        pytest.param(
            json.dumps(review(pod(), kind={"kind": "Deployment"})), "must not name Deployment", id="of_no_pod"
        ),
    ],
)
async def test_what_is_no_review_of_a_pod(body: str, message: str) -> None:
    status, text, _ = await ask(body)
    assert status == 400
    assert message in text


BAD = {"agent-run-as-user": "root"}


@pytest.mark.parametrize(
    ("made", "warnings"),
    [
        pytest.param({"kind": "Deployment", "spec": {"template": pod(QUIET)}}, None, id="nothing_to_say"),
        pytest.param(
            {"kind": "Deployment", "metadata": {"annotations": {P + "role": "a"}}, "spec": {"template": {"spec": {}}}},
            [f"{P}role is on the Deployment and not on its pods: move it to the template"],
            id="annotations_on_the_wrong_level",
        ),
        pytest.param(
            {"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": pod({**QUIET, **BAD})}}}},
            [f'its pods will be refused: {P}agent-run-as-user: "root" is not valid, expected an integer'],
            id="bad_annotation",
        ),
        pytest.param(
            {"kind": "Job", "spec": {"template": pod({**QUIET, "rol": "app"})}},
            [f"{P}rol is not an annotation of the injector and is ignored: did you mean {P}role?"],
            id="misspelt_annotation",
        ),
        pytest.param({"kind": "Scale"}, None, id="no_pods_at_all"),
    ],
)
async def test_what_makes_pods_is_allowed_with_their_warnings(made: Json, warnings: list[str] | None) -> None:
    status, text, _ = await ask(json.dumps(review(made, kind={"kind": made["kind"]})), "/lint")
    assert status == 200
    response = json.loads(text)["response"]
    assert response.pop("warnings", None) == warnings
    assert response == {"uid": "u1", "allowed": True}


@pytest.mark.parametrize(
    ("path", "problem", "status", "text"),
    [
        pytest.param("/health/ready", None, 200, "ready", id="ready"),
        pytest.param("/health/ready", "the caBundle is old", 503, "the caBundle is old", id="not_ready"),  # defect p
        pytest.param("/health/live", "the caBundle is old", 200, "alive", id="alive_all_the_same"),
        pytest.param("/other", None, 404, "", id="nothing_there"),
    ],
)
async def test_health(path: str, problem: str | None, status: int, text: str) -> None:
    got, said, _ = await ask(None, path, problem)
    assert got == status
    assert text in said


async def test_metrics_are_prometheus_text() -> None:
    metrics = Metrics()
    webhook = Webhook(lambda: NEW, lambda: None, metrics)
    metrics.not_injected.replace({'a"b': 2})
    metrics.expiry.set(1_700_000_000.0, "serving")
    async with TestClient(TestServer(webhook.app())) as client:
        for _ in range(3):
            await client.post("/mutate", json=review(pod()))
        page = await (await client.get("/metrics")).text()
    lines = page.splitlines()
    assert 'strongroom_injector_injections_total{namespace="apps",injection_type="native_sidecar"} 3' in lines
    assert 'strongroom_injector_pods_not_injected{namespace="a\\"b"} 2' in lines
    assert 'strongroom_injector_certificate_expiry_timestamp_seconds{certificate="serving"} 1700000000' in lines
    assert 'strongroom_injector_request_duration_seconds_bucket{le="+Inf"} 3' in lines
    assert "strongroom_injector_request_duration_seconds_count 3" in lines
    assert "strongroom_injector_ready 1" in lines
    assert "# TYPE strongroom_injector_request_duration_seconds histogram" in lines
    assert page.endswith("\n")
