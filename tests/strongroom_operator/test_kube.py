"""The real Kubernetes client, against an HTTP server that records what it is sent."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import kopf
import pytest
from aiohttp import web

from strongroom_operator.kube import BINDING, POD, SECRET, HttpKube, KubeError, kind_of
from tests.strongroom_operator.servers import free_port, serving

Recorded = list[tuple[str, str, str, Any]]


@contextlib.asynccontextmanager
async def api_server(answers: dict[str, tuple[int, Any]], seen: Recorded) -> AsyncIterator[str]:
    async def answer(request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else None
        seen.append((request.method, request.path_qs, request.headers.get("Authorization", ""), body))
        status, content = answers.get(request.path, (200, {}))
        if request.headers.get("Authorization") == "Bearer old":
            status, content = 401, {"message": "Unauthorized"}
        return web.json_response(content, status=status)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with serving(app) as address:
        yield address


def client(address: str, *tokens: str) -> HttpKube:
    left = list(tokens) or ["t"]
    return HttpKube(lambda: kopf.ConnectionInfo(server=address, token=left.pop(0) if len(left) > 1 else left[0]))


async def test_requests_are_what_the_api_wants() -> None:
    seen: Recorded = []
    answers = {"/version": (200, {"major": "1", "minor": "29+"}), "/api/v1/pods": (200, {"items": [1]})}
    body = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "a", "namespace": "n"}}
    async with api_server(answers, seen) as address:
        kube = client(address)
        assert await kube.version() == (1, 29)
        assert await kube.list(POD, "", {"a": "b/c"}) == [1]
        await kube.apply(body)
        await kube.delete(BINDING, "", "x:y")
        await kube.patch_status(SECRET, "n", "s", {"a": 1})
        await kube.close()
    assert [(method, path) for method, path, _, _ in seen] == [
        ("GET", "/version"),
        ("GET", "/api/v1/pods?labelSelector=a%3Db/c"),
        ("PATCH", "/apis/apps/v1/namespaces/n/statefulsets/a?fieldManager=strongroom-operator&force=true"),
        ("DELETE", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/x:y"),
        ("PATCH", "/api/v1/namespaces/n/secrets/s/status"),
    ]
    assert seen[2][3] == body
    assert seen[4][3] == {"status": {"a": 1}}
    assert {authorization for _, _, authorization, _ in seen} == {"Bearer t"}


async def test_a_token_that_was_replaced_is_read_again() -> None:
    seen: Recorded = []
    async with api_server({}, seen) as address:
        kube = client(address, "old", "new")
        assert await kube.get(SECRET, "n", "s") == {}
        await kube.close()
    assert [authorization for _, _, authorization, _ in seen] == ["Bearer old", "Bearer new"]


async def test_what_is_not_there_is_none_and_gone_already_is_fine() -> None:
    missing = {"/api/v1/namespaces/n/secrets/s": (404, {"message": "not found"})}
    async with api_server(missing, []) as address:
        kube = client(address)
        assert await kube.get(SECRET, "n", "s") is None
        await kube.delete(SECRET, "n", "s")
        await kube.close()


@pytest.mark.parametrize(
    ("status", "passing"),
    [
        pytest.param(403, False, id="forbidden"),
        pytest.param(409, True, id="conflict"),
        pytest.param(422, False, id="invalid"),
        pytest.param(429, True, id="too_many"),
        pytest.param(503, True, id="unavailable"),
    ],
)
async def test_errors_carry_the_servers_words(status: int, passing: bool) -> None:
    refused = {"/api/v1/namespaces/n/secrets/s": (status, {"message": "because " + "x" * 500})}
    async with api_server(refused, []) as address:
        kube = client(address)
        with pytest.raises(KubeError, match=r"^because") as caught:
            await kube.get(SECRET, "n", "s")
        await kube.close()
    assert (caught.value.status, caught.value.may_pass) == (status, passing)
    assert len(str(caught.value)) == 300


async def test_no_answer_is_an_error_that_may_pass() -> None:
    kube = client(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(KubeError) as caught:
        await kube.get(SECRET, "n", "s")
    await kube.close()
    assert caught.value.may_pass


@pytest.mark.parametrize(
    ("body", "path"),
    [
        pytest.param({"apiVersion": "v1", "kind": "Secret"}, "/api/v1/namespaces/n/secrets/x", id="core"),
        pytest.param(
            {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"},
            "/apis/networking.k8s.io/v1/namespaces/n/networkpolicies/x",
            id="policies",
        ),
        pytest.param(
            {"apiVersion": "policy/v1beta1", "kind": "PodDisruptionBudget"},
            "/apis/policy/v1beta1/namespaces/n/poddisruptionbudgets/x",
            id="budgets",
        ),
    ],
)
def test_paths_follow_from_the_object(body: dict[str, Any], path: str) -> None:
    assert kind_of({**body, "metadata": {"namespace": "n"}}).path("n", "x") == path
