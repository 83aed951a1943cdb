"""Kopf against a Kubernetes API in memory: bodies in, status out. (It knows no finalizers and no Events: see e2e.)"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import kmock
import kopf
import pytest

from strongroom_operator import handlers
from strongroom_operator.crds import API_VERSION
from strongroom_operator.handlers import Loops, register
from strongroom_operator.injector import Injector, Place
from strongroom_operator.kube import HttpKube
from strongroom_operator.main import kopf_settings
from strongroom_operator.secretpolicies import SecretPolicies
from tests.strongroom_operator.world import world

RESOURCES = {
    f"{API_VERSION}/vaultclusters": {"kind": "VaultCluster", "namespaced": True, "subresources": {"status"}},
    f"{API_VERSION}/secretpolicies": {"kind": "SecretPolicy", "namespaced": True, "subresources": {"status"}},
    "v1/namespaces": {"kind": "Namespace", "namespaced": False},
    "apiextensions.k8s.io/v1/customresourcedefinitions": {"kind": "CustomResourceDefinition", "namespaced": False},
}
VERBS = ["get", "list", "watch", "create", "update", "patch", "delete"]


class Api:
    """The API server, as a user would reach it."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def create(self, plural: str, name: str, spec: dict[str, Any], **metadata: Any) -> None:
        kind = RESOURCES[f"{API_VERSION}/{plural}"]["kind"]
        metadata = {
            "name": name,
            "namespace": "team",
            "uid": f"uid-{name}",
            "generation": 1,
            "resourceVersion": "1",
            **metadata,
        }
        body = {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}
        async with self._session.post(f"/apis/{API_VERSION}/namespaces/team/{plural}", json=body) as answer:
            assert answer.status < 300, await answer.text()

    async def get(self, plural: str, name: str) -> dict[str, Any] | None:
        async with self._session.get(f"/apis/{API_VERSION}/namespaces/team/{plural}/{name}") as answer:
            return await answer.json() if answer.status == 200 else None

    async def until(self, plural: str, name: str, holds: Callable[[dict[str, Any] | None], Any]) -> dict[str, Any]:
        for _ in range(1200):
            found = await self.get(plural, name)
            if holds(found):
                return found or {}
            await asyncio.sleep(0.05)
        raise AssertionError(f"{plural}/{name} never came to it: {found}")


@pytest.fixture
async def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    monkeypatch.setattr(handlers, "INTERVAL", 0.2)
    async with kmock.Server(kmock.KubernetesEmulator()) as server, world("strongroom", tmp_path) as stage:
        for name, about in RESOURCES.items():
            server.handler.resources[name] = {**about, "singular": about["kind"].lower(), "verbs": VERBS}
        info = kopf.ConnectionInfo(server=str(server.url))
        kube, registry, stop = HttpKube(lambda: info), kopf.OperatorRegistry(), asyncio.Event()
        kopf.on.login(registry=registry)(lambda **_: info)
        injector = Injector(stage.kube, Place("strongroom", ""), stage.clock)
        register(
            registry, Loops(stage.clusters, SecretPolicies(stage.clusters, stage.clock), injector), kube, stage.clock
        )
        running = asyncio.create_task(
            kopf.operator(
                registry=registry, settings=kopf_settings(), standalone=True, clusterwide=True, stop_flag=stop
            )
        )
        async with aiohttp.ClientSession(str(server.url)) as session:
            yield Api(session)
        stop.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait_for(running, 60)
        await kube.close()


def condition(found: dict[str, Any] | None, kind: str) -> dict[str, Any]:
    known = ((found or {}).get("status") or {}).get("conditions") or []
    return next((item for item in known if item["type"] == kind), {})


@pytest.mark.slow
async def test_what_was_seen_becomes_conditions(api: Api) -> None:
    await api.create("vaultclusters", "vault", {})
    seen = await api.until("vaultclusters", "vault", lambda found: condition(found, "Available"))
    assert condition(seen, "Available")["status"] == "False"
    assert seen["status"]["address"] == "https://vault.team.svc:8200"
    assert "activePod" not in seen["status"], "what is empty is left out"
    assert seen["metadata"]["finalizers"] == ["strongroom.dev/operator"]

    await api.create("secretpolicies", "app", {"serviceAccounts": {"names": ["app"]}, "rules": "path {"})
    seen = await api.until("secretpolicies", "app", lambda found: condition(found, "Ready"))
    assert condition(seen, "Ready")["reason"] == "BadRules"
    await api.create("secretpolicies", "odd", {"serviceAccounts": {"names": ["app"]}, "token": {"ttl": "soon"}})
    seen = await api.until("secretpolicies", "odd", lambda found: condition(found, "Ready"))
    assert condition(seen, "Ready")["reason"] == "BadSpec"
    assert "ttl" in condition(seen, "Ready")["message"]


def body(kind: str, name: str, spec: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    named = {"name": name, "namespace": "team", "uid": f"uid-{name}", "generation": 1, **metadata}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": named, "spec": spec}


YOUNG = body("VaultCluster", "young", {}, creationTimestamp="2026-01-02T00:00:00Z")
OLD = body("VaultCluster", "old", {}, creationTimestamp="2026-01-01T00:00:00Z")
GOING = body("VaultCluster", "going", {}, deletionTimestamp="2026-01-03T00:00:00Z")
BROKEN = body("VaultCluster", "broken", {"replicas": "many"})
POLICY = {"serviceAccounts": {"names": ["app"]}, "secrets": [{"path": "secret/app"}]}


def test_clusters_are_read_oldest_first_without_those_that_go_or_cannot_be_read() -> None:
    assert [cluster.name for cluster in handlers.read_clusters([YOUNG, GOING, OLD, BROKEN])] == ["old", "young"]


def test_a_policy_is_judged_beside_the_others() -> None:
    clusters = handlers.read_clusters([OLD])
    first = body("SecretPolicy", "first", {**POLICY, "role": "app"}, creationTimestamp="2026-01-01T00:00:00Z")
    second = body("SecretPolicy", "app", POLICY, creationTimestamp="2026-01-02T00:00:00Z")
    broken = body("SecretPolicy", "bad", {})
    assert handlers.read_case(second, clusters, [first, second, broken]).rival == "team/first"
    assert handlers.read_case(first, clusters, [first, second, broken]).rival == ""
    gone = {**first, "metadata": {**first["metadata"], "deletionTimestamp": "2026-01-03T00:00:00Z"}}
    assert handlers.read_case(second, clusters, [gone, second]).rival == ""


@pytest.mark.parametrize(
    ("status", "cluster", "role"),
    [
        pytest.param({}, "old", "app", id="before_the_first_status_by_what_the_spec_says"),
        pytest.param({"cluster": "team/old", "role": "was"}, "old", "was", id="by_the_status"),
        pytest.param({"cluster": "team/gone", "role": "was"}, None, "was", id="of_a_cluster_that_is_gone"),
    ],
)
def test_what_a_policy_holds(status: dict[str, Any], cluster: str | None, role: str) -> None:
    policy = {**body("SecretPolicy", "app", POLICY), "status": status}
    held = handlers.read_held(policy, handlers.read_clusters([OLD]))
    assert ((held.cluster and held.cluster.name), held.policy, held.role) == (cluster, "team.app", role)
